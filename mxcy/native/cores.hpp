// How many threads this process may use.
#pragma once

namespace mxcy::engine {

// MXCY_NUM_THREADS, or the cores of the process's affinity and of its control group's quota.
int usable_cores();

}  // namespace mxcy::engine
