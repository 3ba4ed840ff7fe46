// What can be said about one item of the library: values for the API and the log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/base/clock.hpp"
#include "server/media/ladder.hpp"

namespace kapok::vod {

enum class ItemState : std::uint8_t {
  queued,
  running,
  done,    // it can be watched
  failed,  // error says why; asking for it again tries again
};
std::string_view name_of(ItemState state);

struct ItemRequest {
  std::string id;  // a valid one
  std::string title;
  std::string file;  // below the import folder
  media::Ladder ladder;
  bool publish_source = true;
};

struct ItemFacts {
  std::string id;
  std::string title;
  std::string file;
  std::string ladder;
  ItemState state = ItemState::queued;
  UtcTime created;
  std::string error;            // of a failed one: cause and remedy
  std::string source_left_out;  // why the file itself is no rendition; empty: it is, or may be
  std::vector<media::RungLeftOut> left_out;
  std::vector<std::string> renditions;
  bool has_poster = false;
  nanoseconds duration{0};  // of the file; 0: not known yet
  nanoseconds made{0};      // in all renditions
  std::uint64_t segments = 0;
  std::uint64_t bytes = 0;
  double speed = 0;                 // times real time, of late
  double frames_per_second = 0;     // likewise
  std::optional<nanoseconds> left;  // at that speed
  std::uint64_t restarts = 0;       // of the worker, since the server's start
  double percent() const {
    if (state == ItemState::done) return 100;
    if (duration <= nanoseconds(0)) return 0;
    const double share = static_cast<double>(made.count()) / static_cast<double>(duration.count());
    return share > 1 ? 100 : 100 * share;
  }
};

}  // namespace kapok::vod
