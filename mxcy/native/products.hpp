// Products of integer matrices, for which there is no BLAS and NumPy's loop takes elements one by one.
#pragma once
#include "isa.hpp"
#include "loops.hpp"

namespace mxcy {

// A loop with the signature of numpy.matmul's, or null.  Results wrap.
MXCY_DECLARE(OwnLoopFunction integer_product(int dtype))

inline OwnLoopFunction find_integer_product(int dtype) { return MXCY_PICK(integer_product)(dtype); }

}  // namespace mxcy
