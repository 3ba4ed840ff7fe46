#include "transcoder/device/choice.hpp"

#include <algorithm>
#include <charconv>
#include <tuple>
#include <utility>

namespace kapok::device {

namespace {

constexpr media::DeviceKind kGpuKinds[] = {media::DeviceKind::nvidia, media::DeviceKind::qsv,
                                           media::DeviceKind::vaapi, media::DeviceKind::vulkan};
// The server writes it; a machine has no more channels.
constexpr unsigned kMaxWorkers = 4096;

std::optional<unsigned> count_of(std::string_view digits) {
  unsigned count = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), count);
  if (error != std::errc() || end != digits.end() || count > kMaxWorkers) return std::nullopt;
  return count;
}

std::string first_reason(const std::vector<ProbeRow>& rows) {
  for (const auto& row : rows)
    if (!row.works)
      return fmt::format("{}{}{}: {}", row.task, row.codec.empty() ? "" : " ", row.codec,
                         row.reason);
  return "it does nothing of this ladder";
}

// The first device of a kind that is of use, and another like it; in `reason` why not.
std::vector<ffmpeg::Path> working(std::vector<Found> devices, const media::Ladder& ladder,
                                  const Samples& samples, std::string& reason) {
  constexpr std::size_t kWithReplacement = 2;
  std::vector<ffmpeg::Path> paths;
  for (const Found& found : devices) {
    if (paths.size() == kWithReplacement) break;
    Probed probed = probe_device(found, samples);
    if (worth_of(probed.path.can, ladder) > 0)
      paths.push_back(std::move(probed.path));
    else if (reason.empty())
      reason = fmt::format("{} ({}): {}", word_of(found.id), found.name, first_reason(probed.rows));
  }
  return paths;
}

Result<std::vector<ffmpeg::Path>> choose_of(const media::DeviceWish& wish,
                                            const media::Ladder& ladder, const Load& load,
                                            const Samples& samples) {
  std::vector<Found> found = KAPOK_TRY(list_devices(*wish.kind));
  if (wish.number) {
    std::erase_if(found, [&](const Found& each) { return each.id.number != *wish.number; });
    if (found.empty()) return fail(Errc::unsupported, "there is none of that number");
  }
  found = by_load(std::move(found), load);
  std::string reason;
  auto paths = working(std::move(found), ladder, samples, reason);
  if (paths.empty()) return fail(Errc::unsupported, "{}", reason);
  return paths;
}

std::vector<ffmpeg::Path> choose_best(const media::Ladder& ladder, const Load& load,
                                      const Samples& samples) {
  std::vector<std::vector<ffmpeg::Path>> of_kinds;
  if (!has_gpu_node()) return {};
  for (const media::DeviceKind kind : kGpuKinds) {
    auto found = list_devices(kind);
    if (!found) continue;
    std::erase_if(*found, [](const Found& each) { return each.is_processor; });
    std::string reason;
    auto paths = working(by_load(*std::move(found), load), ladder, samples, reason);
    if (!paths.empty()) of_kinds.push_back(std::move(paths));
  }
  // Of equal worth the first kind comes first.
  std::ranges::sort(of_kinds, {}, [&](const auto& paths) {
    const ffmpeg::Path& path = paths.front();
    return std::tuple(-static_cast<int>(worth_of(path.can, ladder)), path.device);
  });
  return of_kinds.empty() ? std::vector<ffmpeg::Path>() : std::move(of_kinds.front());
}

}  // namespace

Result<Load> parse_load(std::string_view text) {
  Load load;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    const std::size_t equals = item.find('=');
    const std::string_view word = item.substr(0, equals);
    const auto count =
        equals == std::string_view::npos ? std::nullopt : count_of(item.substr(equals + 1));
    const auto id = media::parse_device_id(word);
    if (!count || (!id && word != "starting"))
      return fail(Errc::config, "\"{}\" is no device=workers", item);
    if (id)
      load.busy[*id] = *count;
    else
      load.starting = *count;
  }
  return load;
}

unsigned worth_of(const ffmpeg::Abilities& can, const media::Ladder& ladder) {
  if (ladder.video.empty()) return 0;
  constexpr unsigned kEncoding = 100;  // what costs most by far
  constexpr unsigned kDecoding = 10;
  constexpr unsigned kFilter = 4;
  const auto encodes = std::ranges::count_if(ladder.video, [&](const media::VideoRung& rung) {
    return can.encode({rung.codec, rung.bit_depth});
  });
  return static_cast<unsigned>(encodes) * kEncoding / static_cast<unsigned>(ladder.video.size()) +
         (can.decodes.empty() ? 0 : kDecoding) + (can.scales ? kFilter : 0) +
         (can.maps ? kFilter : 0);
}

std::vector<Found> by_load(std::vector<Found> devices, Load load) {
  if (devices.empty()) return devices;
  const auto place = [&](const Found& found) {
    return std::tuple(found.is_processor, load.busy[found.id], found.id);
  };
  for (unsigned i = 0; i < load.starting; ++i)
    ++load.busy[std::ranges::min_element(devices, {}, place)->id];
  std::ranges::sort(devices, {}, place);
  return devices;
}

Result<std::vector<ffmpeg::Path>> choose(const media::Ladder& ladder, const Load& load,
                                         const Samples& samples) {
  const auto wish = KAPOK_TRY(media::parse_device_wish(ladder.device));
  if (wish.kind == media::DeviceKind::software || ladder.video.empty())
    return std::vector<ffmpeg::Path>();
  if (!wish.kind) return choose_best(ladder, load, samples);
  auto paths = choose_of(wish, ladder, load, samples);
  if (!paths)
    return fail(Errc::config, "device {} does not work here: {}", ladder.device,
                paths.error().message);
  return paths;
}

}  // namespace kapok::device
