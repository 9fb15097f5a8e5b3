// How many threads this process may use.
#include "cores.hpp"

#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

namespace mxcy::engine {

namespace {

// Cores that a control group allows, rounded up; `most` if it sets no limit.
int quota(const char* path, const char* period_path, int most) {
  FILE* file = std::fopen(path, "r");
  if (!file) return most;
  char first[32] = "";
  long long period = 100000;
  int fields = std::fscanf(file, "%31s %lld", first, &period);
  std::fclose(file);
  if (fields >= 1 && period_path) {
    FILE* other = std::fopen(period_path, "r");
    if (!other) return most;
    if (std::fscanf(other, "%lld", &period) != 1) period = 0;
    std::fclose(other);
  }
  long long allowed = fields >= 1 ? std::atoll(first) : 0;  // "max" and -1: no limit
  if (allowed <= 0 || period <= 0) return most;
  return int(std::clamp<long long>((allowed + period - 1) / period, 1, most));
}

// The limits of this process's own group and of every group above it, version 2 (one hierarchy) or 1.
int quota_of_groups(int most) {
  FILE* file = std::fopen("/proc/self/cgroup", "r");
  if (!file) return most;
  char line[1024];
  while (std::fgets(line, sizeof line, file)) {
    line[std::strcspn(line, "\n")] = 0;
    char* controllers = std::strchr(line, ':');
    char* path = controllers ? std::strchr(controllers + 1, ':') : nullptr;
    if (!path) continue;
    *path++ = 0;
    bool unified = controllers[1] == 0;
    if (!unified && !std::strstr(controllers, "cpu")) continue;
    for (;;) {
      std::string group = std::string(unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu") + path;
      if (unified)
        most = quota((group + "/cpu.max").c_str(), nullptr, most);
      else
        most = quota((group + "/cpu.cfs_quota_us").c_str(), (group + "/cpu.cfs_period_us").c_str(), most);
      char* slash = std::strrchr(path, '/');
      if (!slash || path[0] == 0) break;
      *slash = 0;
    }
  }
  std::fclose(file);
  return most;
}

}  // namespace

int usable_cores() {
  if (const char* text = std::getenv("MXCY_NUM_THREADS")) {
    int wanted = std::atoi(text);
    if (wanted > 0) return std::min(wanted, 1024);
  }
  int cores = int(std::max(std::thread::hardware_concurrency(), 1u));
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) cores = std::max(CPU_COUNT(&set), 1);
#endif
  return quota_of_groups(cores);
}

}  // namespace mxcy::engine
