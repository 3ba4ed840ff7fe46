// Where pictures are made: in software or on a device of the machine, and the words by which people
// and programs name it. A ladder asks with a wish ("auto", "nvidia", "nvidia:1"), a worker answers
// with the one that it is ("nvidia:1", "software").
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/base/result.hpp"

namespace kapok::media {

enum class DeviceKind : std::uint8_t { software, nvidia, qsv, vaapi, vulkan };
constexpr DeviceKind kDeviceKinds[] = {DeviceKind::software, DeviceKind::nvidia, DeviceKind::qsv,
                                       DeviceKind::vaapi, DeviceKind::vulkan};
// A machine has 16 GPUs at most; the numbers of render nodes have room for more.
constexpr unsigned kMaxDeviceNumber = 63;

struct DeviceId {
  DeviceKind kind = DeviceKind::software;
  // As the driver counts: GPUs of CUDA, Vulkan's physical devices, /dev/dri/renderD128 + number.
  unsigned number = 0;
  auto operator<=>(const DeviceId&) const = default;
};

struct DeviceWish {
  std::optional<DeviceKind> kind;  // absent: auto, the best that there is
  std::optional<unsigned> number;  // absent: any of the kind
  bool operator==(const DeviceWish&) const = default;
};

std::string_view name_of(DeviceKind kind);
std::string word_of(DeviceId id);  // "nvidia:1"; "software", which has no number
// Errors: config; it lists the words.
Result<DeviceWish> parse_device_wish(std::string_view word);
// What word_of() gives.
std::optional<DeviceId> parse_device_id(std::string_view word);

}  // namespace kapok::media
