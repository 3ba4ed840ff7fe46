#include "server/api/beacon.hpp"

#include <fmt/format.h>

#include <array>

#include "server/access/session_token.hpp"
#include "server/api/json_reader.hpp"

namespace kapok::api {
namespace {

constexpr JsonReader::Range kCount{0, kMaxBeaconNumber};
constexpr JsonReader::Range kSigned{-kMaxBeaconNumber, kMaxBeaconNumber};
constexpr JsonReader::Range kPictureSide{0, 65'535};

Result<ViewState> state_from(std::string_view name) {
  constexpr std::array<std::string_view, 5> kNames = {"playing", "paused", "stalled", "ended",
                                                      "hidden"};
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<ViewState>(i);
  return fail(Errc::malformed, "state: none of playing, paused, stalled, ended, hidden");
}

Result<std::vector<PlayedInterval>> read_played(const JsonReader& in) {
  std::vector<PlayedInterval> played;
  const auto* list = KAPOK_TRY(in.array("played", kMaxPlayedIntervals));
  if (list == nullptr) return played;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const auto* object = (*list)[i].if_object();
    if (object == nullptr) return fail(Errc::malformed, "played[{}]: object expected", i);
    const JsonReader entry(*object, fmt::format("played[{}].", i));
    PlayedInterval interval;
    interval.from_ms = KAPOK_TRY(entry.whole("from_ms", kCount));
    interval.to_ms = KAPOK_TRY(entry.whole("to_ms", kCount));
    if (interval.to_ms < interval.from_ms)
      return fail(Errc::malformed, "played[{}]: ends before it starts", i);
    if (interval.to_ms > interval.from_ms) played.push_back(interval);
  }
  return played;
}

}  // namespace

Result<Beacon> parse_beacon(std::string_view body) {
  const auto object = KAPOK_TRY(parse_json_object(body, kMaxBeaconBytes));
  const JsonReader in(object);
  Beacon beacon;
  beacon.token = KAPOK_TRY(in.text("token", access::kMaxTokenLength));
  beacon.seq = static_cast<std::uint64_t>(KAPOK_TRY(in.whole("seq", kCount)));
  beacon.sent_ms = KAPOK_TRY(in.whole("sent_ms", kCount));
  const std::string state = KAPOK_TRY(in.text("state", 16));
  beacon.state = KAPOK_TRY(state_from(state));
  beacon.rate = KAPOK_TRY(in.number_or("rate", 0, kMaxPlaybackRate, 1));
  beacon.played = KAPOK_TRY(read_played(in));
  beacon.wall_ms = KAPOK_TRY(in.whole("wall_ms", kCount));
  beacon.width = static_cast<std::uint32_t>(KAPOK_TRY(in.whole_or("width", kPictureSide, 0)));
  beacon.height = static_cast<std::uint32_t>(KAPOK_TRY(in.whole_or("height", kPictureSide, 0)));
  beacon.dropped = static_cast<std::uint64_t>(KAPOK_TRY(in.whole_or("dropped", kCount, 0)));
  beacon.frames = static_cast<std::uint64_t>(KAPOK_TRY(in.whole_or("frames", kCount, 0)));
  beacon.stalls = static_cast<std::uint64_t>(KAPOK_TRY(in.whole_or("stalls", kCount, 0)));
  // Negative when the viewer's clock is behind ours.
  beacon.latency_ms = KAPOK_TRY(in.whole_or("latency_ms", kSigned, 0));
  beacon.visible = KAPOK_TRY(in.boolean_or("visible", true));
  return beacon;
}

}  // namespace kapok::api
