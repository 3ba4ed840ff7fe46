#include "server/picture/channel/device_load.hpp"

#include <utility>

namespace kapok::channel {

DeviceLoad::Place DeviceLoad::enter() {
  const std::lock_guard lock(mutex_);
  std::string others = words();
  ++starting_;
  return {shared_from_this(), std::move(others)};
}

std::string DeviceLoad::words() const {
  std::string text;
  const auto add = [&](std::string_view word, unsigned count) {
    if (count == 0) return;
    if (!text.empty()) text += ',';
    text += fmt::format("{}={}", word, count);
  };
  for (const auto& [device, count] : workers_)
    if (device.kind != media::DeviceKind::software) add(word_of(device), count);
  add("starting", starting_);
  return text;
}

void DeviceLoad::leave(const std::optional<media::DeviceId>& device) {
  if (!device) {
    --starting_;
  } else if (--workers_[*device] == 0) {
    workers_.erase(*device);
  }
}

DeviceLoad::Place::~Place() {
  if (!load_) return;
  const std::lock_guard lock(load_->mutex_);
  load_->leave(device_);
}

void DeviceLoad::Place::uses(std::string_view device) {
  const media::DeviceId now = media::parse_device_id(device).value_or(media::DeviceId{});
  if (device_ == now) return;
  const std::lock_guard lock(load_->mutex_);
  load_->leave(device_);
  device_ = now;
  ++load_->workers_[now];
}

}  // namespace kapok::channel
