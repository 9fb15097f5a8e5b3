// A window of a JPEG picture, decoded by libjpeg-turbo where the package was built with it.
#pragma once
#include <cstddef>
#include <cstdint>

namespace mxcy {

constexpr int JPEG_TEXT = 200;  // at least JMSG_LENGTH_MAX of libjpeg

struct JpegHead {
  int64_t height, width;
  bool usual;  // grey, or three colours
};

// The whole picture has (height, width), that of the file divided by `factor` (1, 2, 4 or 8) and rounded up.
// Pixels of the window are as those of the whole picture; of the others some are written, others not.
struct JpegWindow {
  const uint8_t* data;
  size_t nbytes;
  int factor, channels;  // 1: grey, 3: red, green, blue
  int64_t top, left, bottom, right;
  uint8_t* pixels;  // of the whole picture
  int64_t height, width;
};

bool has_jpeg();
// 0, or -1 with what libjpeg says in `text` (JPEG_TEXT bytes).
int read_jpeg_head(const uint8_t* data, size_t nbytes, JpegHead* head, char* text);
int read_jpeg_window(const JpegWindow& window, char* text);

}  // namespace mxcy
