// Gathering from and scattering to places that arrays of integers name.
//
// One description serves take, gather_nd, NumPy's advanced indexing and their gradients.  The indexed
// array is passed as a view with its axes in this order: `outer`, the indexed ones, `inner`; the other
// side (result or values) has `outer`, the common shape of the index arrays, `inner`.
#pragma once
#include "op.hpp"

namespace mxcy {

// Indices below zero count from the end with MODE_RAISE, and are out of range with MODE_STRICT.
enum IndexMode { MODE_CLIP = 0, MODE_WRAP = 1, MODE_RAISE = 2, MODE_STRICT = 3 };

struct IndexParams {
  int n_outer;    // axes of both sides before the indexed ones
  int n_indexed;  // index arrays
  int mode;
  int axes[32];   // of the user's array, for messages
};

struct PickParams { int axis, mode; };

struct OneHotParams { alignas(16) char on[16], off[16]; };

int gather_kernel(KernelContext& context);       // out <- x, indices...
int scatter_kernel(KernelContext& context);      // x <- values, indices...; the last of duplicates stays
int scatter_add_kernel(KernelContext& context);  // x += values, indices...; duplicates in their order
int pick_kernel(KernelContext& context);         // out <- x, index: one element of every line of x
int place_kernel(KernelContext& context);        // x <- values, index: the converse
int one_hot_kernel(KernelContext& context);      // out <- indices

}  // namespace mxcy
