// Conversions between all element types, as loops with the signature of NumPy's inner loops
// (args: source, target; strides in bytes, any sign; data unused; source and target may be unaligned
// and must not overlap unless they are the same view of elements of one size).
//
// The results are those of NumPy's astype on x86, on every platform and at every vector width:
//   float -> integer    truncates; NaN and out of range give what the x86 instructions give
//                       (the smallest integer of 32 or 64 bits, cut to size) and raise `invalid`
//   complex -> real     drops the imaginary part
//   anything -> bool    is not equal to zero
//   to float16          one rounding to nearest even; raises `overflow`
//   to bfloat16         through float32, as ml_dtypes
#pragma once
#include <cstdint>
#include "dtype.hpp"
#include "isa.hpp"

namespace mxcy {

using CastLoop = void (*)(char** args, const intptr_t* dimensions, const intptr_t* strides, void* data);

MXCY_DECLARE(extern const CastLoop cast_table[N_DTYPES][N_DTYPES])

inline CastLoop find_cast_loop(int source, int target) { return MXCY_PICK(cast_table)[source][target]; }

}  // namespace mxcy
