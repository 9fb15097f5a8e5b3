// Arithmetic on shapes and strides (bytes). Nothing here allocates, raises or knows Python.
#pragma once
#include <cstdint>
#include <cstring>

namespace mxcy {

constexpr int MAX_NDIM = 32;

// Bytes of a C-order array, or -1 if a dimension is negative or the product does not fit into 63
// bits. Zeros are left out of the check, so that no stride of an empty array wraps either.
inline int64_t checked_bytes(int ndim, const int64_t* shape, int64_t itemsize) {
  int64_t product = itemsize;
  bool empty = false;
  for (int i = 0; i < ndim; ++i) {
    if (shape[i] < 0) return -1;
    if (shape[i] == 0) empty = true;
    else if (__builtin_mul_overflow(product, shape[i], &product)) return -1;
  }
  return empty ? 0 : product;
}

// Without elements all are 0, as in NumPy.
inline void c_strides(int ndim, const int64_t* shape, int64_t itemsize, int64_t* strides) {
  for (int i = ndim - 1; i >= 0; --i) {
    strides[i] = itemsize;
    itemsize *= shape[i];
  }
  if (itemsize == 0)
    for (int i = 0; i < ndim; ++i) strides[i] = 0;
}

inline bool is_c_contiguous(int ndim, const int64_t* shape, const int64_t* strides, int64_t itemsize) {
  bool dense = true;
  for (int i = ndim - 1; i >= 0; --i) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && strides[i] != itemsize) dense = false;
    itemsize *= shape[i];
  }
  return dense;
}

inline bool is_f_contiguous(int ndim, const int64_t* shape, const int64_t* strides, int64_t itemsize) {
  bool dense = true;
  for (int i = 0; i < ndim; ++i) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && strides[i] != itemsize) dense = false;
    itemsize *= shape[i];
  }
  return dense;
}

// Bytes that a view touches, [low, high) relative to its first element; false if that overflows.
inline bool byte_bounds(int ndim, const int64_t* shape, const int64_t* strides, int64_t itemsize,
                        int64_t* low, int64_t* high) {
  *low = 0;
  *high = itemsize;
  for (int i = 0; i < ndim; ++i) {
    if (shape[i] == 0) {
      *low = *high = 0;
      return true;
    }
    int64_t reach;
    if (__builtin_mul_overflow(shape[i] - 1, strides[i], &reach)) return false;
    int64_t* end = reach < 0 ? low : high;
    if (__builtin_add_overflow(*end, reach, end)) return false;
  }
  return true;
}

inline int64_t greatest_common_divisor(int64_t a, int64_t b) {
  while (b) {
    const int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a < 0 ? -a : a;
}

// Whether two views of one buffer may share a byte. Exact for intervals, for slices with one step
// (x[::2] and x[1::2]) and for columns; true where only solving the general problem could tell.
inline bool views_may_overlap(int64_t offset_a, int ndim_a, const int64_t* shape_a, const int64_t* strides_a,
                              int64_t item_a, int64_t offset_b, int ndim_b, const int64_t* shape_b,
                              const int64_t* strides_b, int64_t item_b) {
  int64_t low_a, high_a, low_b, high_b;
  if (!byte_bounds(ndim_a, shape_a, strides_a, item_a, &low_a, &high_a)) return true;
  if (!byte_bounds(ndim_b, shape_b, strides_b, item_b, &low_b, &high_b)) return true;
  if (low_a == high_a || low_b == high_b) return false;
  if (offset_a + high_a <= offset_b + low_b || offset_b + high_b <= offset_a + low_a) return false;
  // All elements of both lie at their offset modulo the divisor that all strides share.
  int64_t step = 0;
  for (int i = 0; i < ndim_a; ++i)
    if (shape_a[i] > 1) step = greatest_common_divisor(step, strides_a[i]);
  for (int i = 0; i < ndim_b; ++i)
    if (shape_b[i] > 1) step = greatest_common_divisor(step, strides_b[i]);
  if (step == 0) return true;
  int64_t distance = (offset_b - offset_a) % step;
  if (distance < 0) distance += step;
  return distance < item_a || step - distance < item_b;
}

// Strides that give a view the new shape without moving data; false if none do. The sizes agree.
// Each run of old axes is matched with the shortest run of new axes of equal size, and may be split
// or joined only if it is dense in itself.
inline bool reshape_strides(int ndim, const int64_t* shape, const int64_t* strides, int64_t itemsize,
                            int new_ndim, const int64_t* new_shape, int64_t* new_strides) {
  int64_t old_shape[MAX_NDIM], old_strides[MAX_NDIM];
  int old_ndim = 0;
  for (int i = 0; i < ndim; ++i) {
    if (shape[i] == 0) {
      c_strides(new_ndim, new_shape, itemsize, new_strides);
      return true;
    }
    if (shape[i] == 1) continue;
    old_shape[old_ndim] = shape[i];
    old_strides[old_ndim++] = strides[i];
  }
  int first_old = 0, first_new = 0;
  while (first_old < old_ndim && first_new < new_ndim) {
    int end_old = first_old + 1, end_new = first_new + 1;
    int64_t size_old = old_shape[first_old], size_new = new_shape[first_new];
    while (size_old != size_new) {
      if (size_new < size_old) size_new *= new_shape[end_new++];
      else size_old *= old_shape[end_old++];
    }
    for (int i = first_old; i < end_old - 1; ++i)
      if (old_strides[i] != old_shape[i + 1] * old_strides[i + 1]) return false;
    int64_t stride = old_strides[end_old - 1];
    for (int i = end_new - 1; i >= first_new; --i) {
      new_strides[i] = stride;
      stride *= new_shape[i];
    }
    first_old = end_old;
    first_new = end_new;
  }
  // What is left has extent 1: any stride will do.
  const int64_t last = first_new > 0 ? new_strides[first_new - 1] : itemsize;
  for (int i = first_new; i < new_ndim; ++i) new_strides[i] = last;
  return true;
}

template <typename T>
void copy_rows(int ndim, const int64_t* shape, const char* source, const int64_t* strides, char*& target) {
  if (ndim == 0) {
    std::memcpy(target, source, sizeof(T));
    target += sizeof(T);
  } else if (ndim == 1) {
    for (int64_t i = 0; i < shape[0]; ++i, source += strides[0], target += sizeof(T))
      std::memcpy(target, source, sizeof(T));
  } else {
    for (int64_t i = 0; i < shape[0]; ++i, source += strides[0])
      copy_rows<T>(ndim - 1, shape + 1, source, strides + 1, target);
  }
}

// Copies a strided view to dense memory, in C order.
inline void copy_dense(int ndim, const int64_t* shape, const char* source, const int64_t* strides,
                       int64_t itemsize, char* target) {
  struct Sixteen { char bytes[16]; };
  if (is_c_contiguous(ndim, shape, strides, itemsize)) {
    const int64_t bytes = checked_bytes(ndim, shape, itemsize);
    if (bytes > 0) std::memcpy(target, source, size_t(bytes));
    return;
  }
  switch (itemsize) {
    case 1: return copy_rows<uint8_t>(ndim, shape, source, strides, target);
    case 2: return copy_rows<uint16_t>(ndim, shape, source, strides, target);
    case 4: return copy_rows<uint32_t>(ndim, shape, source, strides, target);
    case 8: return copy_rows<uint64_t>(ndim, shape, source, strides, target);
    default: return copy_rows<Sixteen>(ndim, shape, source, strides, target);
  }
}

}  // namespace mxcy
