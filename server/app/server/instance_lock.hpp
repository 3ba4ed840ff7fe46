// One server per data folder: two would write the same live window and the same log of hours. An
// flock on <data.dir>/lock, which also holds the process id; it goes with the process, however
// that ends.
#pragma once

#include <filesystem>

#include "server/base/result.hpp"

namespace kapok::app {

class InstanceLock {
 public:
  // Creates the folder (mode 0750) when it is missing. Errors: conflict (with the other's process
  // id), denied, io.
  static Result<InstanceLock> take(const std::filesystem::path& folder);
  ~InstanceLock();
  InstanceLock(InstanceLock&& other) noexcept;
  InstanceLock& operator=(InstanceLock&& other) noexcept;

 private:
  explicit InstanceLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace kapok::app
