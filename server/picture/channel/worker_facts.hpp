// What can be said about a channel's worker and its rungs right now: values for the API.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/media/ladder.hpp"
#include "server/picture/channel/live_facts.hpp"

namespace kapok::channel {

enum class WorkerState : std::uint8_t {
  idle,      // nothing to make: no feed is on air, or nothing of it can be made
  starting,  // until it has told its version
  running,
  waiting,   // it has ended and will be started again
  draining,  // it finishes what it has, and ends
};
std::string_view name_of(WorkerState state);

struct WorkerFacts {
  WorkerState state = WorkerState::idle;
  std::string engine;  // as the worker names them
  std::string device;
  std::int64_t pid = 0;  // 0: none
  std::optional<UtcTime> since;
  std::uint64_t starts = 0;
  std::uint64_t restarts = 0;
  std::uint64_t hangs = 0;
  bool crash_loop = false;
  std::string last_end;  // "signal 9 (Killed)"
  std::uint64_t frames_decoded = 0;
  std::uint64_t decode_errors = 0;
  std::uint64_t queue_bytes = 0;  // towards it
  microseconds queue{0};          // towards it
  microseconds behind{0};         // in it: of the source, not yet decoded
  std::uint64_t dropped_packets = 0;
};

struct RungFacts {
  TrackFacts track;
  std::uint64_t frames_shed = 0;      // left out because the machine was too slow
  std::uint64_t dropped_packets = 0;  // of an earlier era, or out of order
  std::optional<microseconds> lag;    // how far its newest picture is behind the source's
};

struct LadderFacts {
  std::string name;
  WorkerFacts worker;
  std::vector<RungFacts> rungs;
  std::vector<media::RungLeftOut> left_out;
};

}  // namespace kapok::channel
