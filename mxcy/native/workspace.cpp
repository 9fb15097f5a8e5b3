#include "workspace.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <new>
#include <vector>

#include "pool.hpp"

namespace mxcy::workspace {
namespace {

constexpr size_t HUGE_PAGE = size_t(2) << 20;   // bytes of a huge page
constexpr size_t ROOM = size_t(64) << 20;  // of address space that an area has at least; touched pages come

struct Area {
  char* begin;
  size_t room;   // of address space
  size_t most;   // bytes of the largest workspace it has held: what may be resident
  size_t asked;  // bytes in use; 0: the area is free
};

std::mutex mutex;  // guards everything below
std::vector<Area> areas;

size_t rounded(size_t nbytes) { return (nbytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE; }

bool map(Area& area, size_t room) {
  // One huge page more, so that the area can begin at the border of one.
  constexpr int kind = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void* p = mmap(nullptr, room + HUGE_PAGE, PROT_READ | PROT_WRITE, kind, -1, 0);
  if (p == MAP_FAILED) return false;
  char* first = static_cast<char*>(p);
  char* begin = reinterpret_cast<char*>(rounded(reinterpret_cast<uintptr_t>(p)));
  if (begin > first) munmap(first, size_t(begin - first));
  munmap(begin + room, HUGE_PAGE - size_t(begin - first));
#ifdef MADV_HUGEPAGE
  madvise(begin, room, MADV_HUGEPAGE);
#endif
  area = Area{begin, room, 0, 0};
  return true;
}

bool map_at_least(Area& area, size_t nbytes) {
  return map(area, std::max(rounded(nbytes), ROOM)) || map(area, rounded(nbytes));
}

// The free area for a workspace: the smallest that has held as much before, else the largest, which grows.
Area* choose(size_t nbytes) {
  Area* found = nullptr;
  for (Area& area : areas) {
    if (area.asked) continue;
    if (!found || (found->most < nbytes ? area.most > found->most
                                        : area.most >= nbytes && area.most < found->most)) {
      found = &area;
    }
  }
  return found;
}

void release_free(size_t limit) {
  size_t kept = 0;
  for (const Area& area : areas) kept += area.asked ? 0 : area.most;
  for (size_t i = areas.size(); i-- > 0 && kept > limit;) {
    if (areas[i].asked) continue;
    kept -= areas[i].most;
    munmap(areas[i].begin, areas[i].room);
    areas.erase(areas.begin() + std::ptrdiff_t(i));
  }
}

void* take(size_t nbytes) {
  std::lock_guard<std::mutex> lock(mutex);
  areas.reserve(areas.size() + 1);  // before `area` points into it
  Area* area = choose(nbytes);
  if (!area || area->room < nbytes) {
    Area fresh;
    if (!map_at_least(fresh, nbytes)) return nullptr;
    if (area) {
      munmap(area->begin, area->room);
      *area = fresh;
    } else {
      areas.push_back(fresh);
      area = &areas.back();
    }
  }
  area->asked = nbytes;
  area->most = std::max(area->most, nbytes);
  return area->begin;
}

}  // namespace

void* allocate(size_t nbytes) {
  if (nbytes < LEAST) return pool::allocate(nbytes);
  try {
    void* p = take(nbytes);
    if (!p) {
      pool::trim();
      p = take(nbytes);
    }
    return p;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void deallocate(void* p, size_t nbytes) {
  if (nbytes < LEAST) return pool::deallocate(p, nbytes);
  if (!p) return;
  const size_t limit = pool::limit();
  std::lock_guard<std::mutex> lock(mutex);
  for (Area& area : areas) {
    if (area.begin == p) area.asked = 0;
  }
  release_free(limit);
}

void trim(size_t limit) {
  std::lock_guard<std::mutex> lock(mutex);
  release_free(limit);
}

Usage usage() {
  std::lock_guard<std::mutex> lock(mutex);
  Usage found{0, 0};
  for (const Area& area : areas) {
    found.held += area.asked;
    if (!area.asked) found.cached += area.most;
  }
  return found;
}

void lock_for_fork() { mutex.lock(); }
void unlock_after_fork() { mutex.unlock(); }

}  // namespace mxcy::workspace
