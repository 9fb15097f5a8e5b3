// The cast loops for the kernels of one extension module.  They are linked into mxcy._cast alone; the
// module sets the way to them when it is imported.
#pragma once
#include "cast.hpp"

namespace mxcy {

using CastLookup = CastLoop (*)(int source, int target);

inline CastLookup cast_lookup = nullptr;
inline void set_cast_lookup(CastLookup lookup) { cast_lookup = lookup; }
inline CastLoop cast_loop(int source, int target) { return cast_lookup(source, target); }

}  // namespace mxcy
