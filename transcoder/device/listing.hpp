// The devices of this machine, by kind, as their drivers list them. That one is listed does not
// mean that it works: probe.hpp tries.
#pragma once

#include <string>
#include <vector>

#include "server/base/result.hpp"
#include "server/media/device.hpp"

namespace kapok::device {

struct Found {
  media::DeviceId id;
  std::string name;     // "NVIDIA H200"
  std::string address;  // what ffmpeg::HwDevice opens it by
  // A processor that acts as a GPU (Mesa's lavapipe): for tests, never for want of a better one.
  bool is_processor = false;
};

// At least one. Errors: unsupported, with the reason why there is none.
Result<std::vector<Found>> list_devices(media::DeviceKind kind);
// Whether there is a node of any GPU's driver: without one, asking Vulkan is for nothing.
bool has_gpu_node();

}  // namespace kapok::device
