// A part of a picture of bytes, scaled, mirrored and normalised in one pass, into a batch.
#pragma once
#include <cstdint>
#include "isa.hpp"

namespace mxcy {

enum PictureType { PICTURE_FLOAT, PICTURE_UINT8, PICTURE_INT8 };

// The picture: rows of pixels, their channels next to each other.  Its part at (top, left) is thought of as
// scaled to (grid_height, grid_width); of that the window at (window_top, window_left) is written, planes of
// (out_height, out_width), each element as value * scale[channel] + shift[channel]; in uint8 as it is.
struct PicturePart {
  const uint8_t* pixels;
  int64_t height, width, row_bytes;
  int channels;
  int64_t top, left, part_height, part_width;
  int64_t grid_height, grid_width, window_top, window_left;
  int64_t out_height, out_width;
  bool mirror;
  PictureType type;
  float scale[4], shift[4];
  void* out;
};

MXCY_DECLARE(void place_picture(const PicturePart& part))

inline void place_picture(const PicturePart& part) { MXCY_PICK(place_picture)(part); }

}  // namespace mxcy
