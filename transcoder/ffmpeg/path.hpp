// A way through the machine: what of a channel's work is done on one device, the rest being done in
// software. Pure data; device/ finds out what works, placement.hpp says what follows from it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "transcoder/ffmpeg/hw_device.hpp"

namespace kapok::ffmpeg {

struct Coding {
  media::Codec codec = media::Codec::avc;
  std::uint8_t bit_depth = 8;
  bool operator==(const Coding&) const = default;
};

struct Abilities {
  std::vector<Coding> decodes;
  std::vector<Coding> encodes;
  bool scales = false;
  bool maps = false;
  bool decode(Coding what) const { return std::ranges::find(decodes, what) != decodes.end(); }
  bool encode(Coding what) const { return std::ranges::find(encodes, what) != encodes.end(); }
};

struct Path {
  media::DeviceId device;     // software: the rest is empty
  std::string name;           // "NVIDIA H200"
  bool is_processor = false;  // one that acts as a GPU
  Abilities can;
  std::shared_ptr<HwDevice> opened;
  std::optional<std::uint64_t> fails_after = {};  // see DeviceWatch
};

// "nvidia:1 (NVIDIA H200)"
inline std::string label_of(const Path& path) {
  return path.name.empty() ? word_of(path.device)
                           : fmt::format("{} ({})", word_of(path.device), path.name);
}

}  // namespace kapok::ffmpeg
