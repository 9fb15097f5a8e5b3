// Memory that kernels use while they run: a few areas of address space, one for each that is in use at once.
//
// Workspaces of many sizes follow each other in a network.  By size classes each size would keep pages of its
// own; here the next workspace begins where an earlier one did, so that resident memory is that of the
// largest ones that were in use at the same time.
#pragma once
#include <cstddef>

namespace mxcy::workspace {

constexpr size_t LEAST = size_t(64) << 10;  // smaller ones come from the pool

struct Usage {
  size_t held, cached;  // bytes: in use, and of pages that free areas keep
};

void* allocate(size_t nbytes);  // nullptr: out of memory
void deallocate(void* p, size_t nbytes);
void trim(size_t limit);  // returns free areas to the system until they keep no more than this
Usage usage();

void lock_for_fork();
void unlock_after_fork();

}  // namespace mxcy::workspace
