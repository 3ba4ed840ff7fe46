// Whether the device of a path still does its work. The stages on it report what goes wrong, from
// their threads; the lane reads it and takes the next path.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "server/base/result.hpp"

namespace kapok::ffmpeg {

class DeviceWatch {
 public:
  // `fails_after`: after so much work use() says that the device has failed, to rehearse it.
  explicit DeviceWatch(std::optional<std::uint64_t> fails_after) : fails_after_(fails_after) {}

  // Before each piece of work.
  Result<void> use() {
    if (fails_after_ && used_++ >= *fails_after_)
      return fail(Errc::internal, "the failure that was asked for");
    return {};
  }
  // The first one counts: the rest follow from it.
  void failed(const Error& error) {
    const std::lock_guard lock(mutex_);
    if (!failed_) reason_ = error.message;
    failed_ = true;
  }
  bool has_failed() const { return failed_; }
  std::string reason() const {
    const std::lock_guard lock(mutex_);
    return reason_;
  }

 private:
  const std::optional<std::uint64_t> fails_after_;
  std::atomic<std::uint64_t> used_{0};
  std::atomic<bool> failed_{false};
  mutable std::mutex mutex_;  // of stages, which are threads that block
  std::string reason_;
};

}  // namespace kapok::ffmpeg
