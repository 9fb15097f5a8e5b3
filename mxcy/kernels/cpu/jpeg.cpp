// Windows of JPEG pictures.  Coefficients must be read from the first one on, but pixels are made only where
// they are wanted: rows above are skipped, those below never read, columns cut to whole blocks.
#include "jpeg.hpp"

#if MXCY_JPEG
#include <csetjmp>
#include <cstdio>

#include <jpeglib.h>

#include <algorithm>
#endif

namespace mxcy {

#if MXCY_JPEG
namespace {

constexpr int64_t MARGIN = 8;  // pixels around a window: outside, some differ from the whole picture's

// Errors leave libjpeg by a jump: functions that it may leave keep nothing that must be destroyed.
struct Decoder {
  jpeg_decompress_struct info;
  jpeg_error_mgr errors;
  std::jmp_buf back;
  char* text;
};

[[noreturn]] void leave(j_common_ptr info) {
  Decoder& decoder = *static_cast<Decoder*>(info->client_data);
  info->err->format_message(info, decoder.text);
  std::longjmp(decoder.back, 1);
}

void count_warning(j_common_ptr info, int level) {
  if (level < 0) ++info->err->num_warnings;
}

void open(Decoder& decoder, const uint8_t* data, size_t nbytes) {
  decoder.info.err = jpeg_std_error(&decoder.errors);
  decoder.errors.error_exit = leave;
  decoder.errors.emit_message = count_warning;  // a damaged picture is decoded as far as it goes
  decoder.info.client_data = &decoder;
  jpeg_create_decompress(&decoder.info);
  jpeg_mem_src(&decoder.info, data, static_cast<unsigned long>(nbytes));
  jpeg_read_header(&decoder.info, TRUE);
}

bool is_usual(const jpeg_decompress_struct& info) {
  return info.jpeg_color_space == JCS_GRAYSCALE || info.jpeg_color_space == JCS_YCbCr ||
         info.jpeg_color_space == JCS_RGB;
}

void read_rows(Decoder& decoder, const JpegWindow& w) {
  jpeg_decompress_struct& info = decoder.info;
  info.out_color_space = w.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  info.scale_num = 1;
  info.scale_denom = static_cast<unsigned>(w.factor);
  jpeg_start_decompress(&info);
  if (int64_t(info.output_height) != w.height || int64_t(info.output_width) != w.width ||
      info.output_components != w.channels) {
    std::snprintf(decoder.text, JPEG_TEXT, "the picture has another size than its head says");
    std::longjmp(decoder.back, 1);
  }
  JDIMENSION left = static_cast<JDIMENSION>(std::max<int64_t>(0, w.left - MARGIN));
  JDIMENSION width = static_cast<JDIMENSION>(std::min(w.width, w.right + MARGIN)) - left;
  const int64_t top = std::max<int64_t>(0, w.top - MARGIN);
  if (width < info.output_width) jpeg_crop_scanline(&info, &left, &width);
  if (top) jpeg_skip_scanlines(&info, static_cast<JDIMENSION>(top));
  while (int64_t(info.output_scanline) < w.bottom) {
    JSAMPROW row = w.pixels + (int64_t(info.output_scanline) * w.width + left) * w.channels;
    jpeg_read_scanlines(&info, &row, 1);
  }
}

}  // namespace

bool has_jpeg() { return true; }

int read_jpeg_head(const uint8_t* data, size_t nbytes, JpegHead* head, char* text) {
  Decoder decoder{};  // may be destroyed before it is made
  decoder.text = text;
  if (setjmp(decoder.back)) {
    jpeg_destroy_decompress(&decoder.info);
    return -1;
  }
  open(decoder, data, nbytes);
  head->height = decoder.info.image_height;
  head->width = decoder.info.image_width;
  head->usual = is_usual(decoder.info);
  jpeg_destroy_decompress(&decoder.info);
  return 0;
}

int read_jpeg_window(const JpegWindow& window, char* text) {
  Decoder decoder{};  // may be destroyed before it is made
  decoder.text = text;
  if (setjmp(decoder.back)) {
    jpeg_destroy_decompress(&decoder.info);
    return -1;
  }
  open(decoder, window.data, window.nbytes);
  read_rows(decoder, window);
  jpeg_destroy_decompress(&decoder.info);  // without what stands below the window
  return 0;
}

#else

bool has_jpeg() { return false; }
int read_jpeg_head(const uint8_t*, size_t, JpegHead*, char*) { return -1; }
int read_jpeg_window(const JpegWindow&, char*) { return -1; }

#endif

}  // namespace mxcy
