#include "server/media/device.hpp"

#include <algorithm>
#include <charconv>

namespace kapok::media {

namespace {

std::optional<DeviceKind> kind_of(std::string_view name) {
  for (const DeviceKind kind : kDeviceKinds)
    if (name_of(kind) == name) return kind;
  return std::nullopt;
}

std::optional<unsigned> number_of(std::string_view digits) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), number);
  // "01" is another word for 1: one device, one word.
  if (error != std::errc() || end != digits.end() || number > kMaxDeviceNumber ||
      (digits.size() > 1 && digits[0] == '0'))
    return std::nullopt;
  return number;
}

}  // namespace

std::string_view name_of(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::software:
      return "software";
    case DeviceKind::nvidia:
      return "nvidia";
    case DeviceKind::qsv:
      return "qsv";
    case DeviceKind::vaapi:
      return "vaapi";
    case DeviceKind::vulkan:
      return "vulkan";
  }
  return "software";
}

std::string word_of(DeviceId id) {
  if (id.kind == DeviceKind::software) return "software";
  return fmt::format("{}:{}", name_of(id.kind), id.number);
}

Result<DeviceWish> parse_device_wish(std::string_view word) {
  if (word == "auto") return DeviceWish{};
  const std::size_t colon = word.find(':');
  DeviceWish wish{.kind = kind_of(word.substr(0, colon)), .number = {}};
  if (colon != std::string_view::npos) wish.number = number_of(word.substr(colon + 1));
  const bool is_whole = wish.kind && (colon == std::string_view::npos ||
                                      (wish.number && *wish.kind != DeviceKind::software));
  if (!is_whole)
    return fail(Errc::config,
                "device is none of auto, software, nvidia, qsv, vaapi, vulkan; of several of a "
                "kind one is named by its number, as in nvidia:1 (0 to {})",
                kMaxDeviceNumber);
  return wish;
}

std::optional<DeviceId> parse_device_id(std::string_view word) {
  const auto wish = parse_device_wish(word);
  if (!wish || !wish->kind) return std::nullopt;
  if (*wish->kind != DeviceKind::software && !wish->number) return std::nullopt;
  return DeviceId{*wish->kind, wish->number.value_or(0)};
}

}  // namespace kapok::media
