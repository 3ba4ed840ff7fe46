// What turns a feed into the rungs of a ladder, as the rest of the worker sees it: packets of the
// source in, packets of the rungs out. One engine serves one channel for the life of its worker.
// The source may change under way (other size, other codec, a gap): the engine rebuilds what it
// must and goes on. Its methods are called from one thread, stats() from any.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/clock.hpp"
#include "server/base/log.hpp"
#include "server/base/result.hpp"
#include "server/media/detection.hpp"
#include "server/media/image.hpp"
#include "server/media/packet.hpp"
#include "server/media/track.hpp"

namespace kapok::ladder {

// Whether a source video packet is the first of a segment: every rung then begins a closed GOP at
// the frame of the same pts.
enum class SegmentStart : std::uint8_t { no, yes };

// live: the source does not wait. What cannot be done in time is shed, packet() never blocks.
// file: nothing is shed, packet() blocks until there is room.
enum class Pace : std::uint8_t { live, file };

// Pictures above this are refused, however they lie: a portrait picture is turned first.
constexpr std::uint32_t kMaxLongSide = 8192;
constexpr std::uint32_t kMaxShortSide = 4352;
constexpr bool is_oversized(std::int64_t width, std::int64_t height) {
  return std::max(width, height) > kMaxLongSide || std::min(width, height) > kMaxShortSide;
}

struct EngineOptions {
  Pace pace = Pace::live;
  unsigned threads = 0;  // for one decoder or encoder; 0: as many as the process may use cores
  const Clock* clock = nullptr;  // of how long packets wait; null: the system's
};

// Takes what the engine makes. Called from several threads of the engine at once, though for one
// rung from one at a time; may block, which holds that rung back.
class RungSink {
 public:
  virtual ~RungSink() = default;
  // Before the first packet of a rung, and again whenever its encoder began anew. The id is the
  // rung's place in the ladder, from 1, video first. A video rung has the timescale of the source's
  // video track, an audio rung its sample rate.
  virtual void track(std::string_view rung, std::shared_ptr<const media::Track> track) = 0;
  // In decoding order. pts are the source's own; arrival is that of the source packet.
  virtual void packet(std::string_view rung, media::Packet packet) = 0;
  // A poster or thumbnail. pts are the source's own.
  virtual void image(media::Image image) = 0;
  // One line for the log: what a person running the channel should know.
  virtual void notice(LogLevel level, std::string_view event, std::string_view text) = 0;
  // What was found in the source's pictures and sound (Ladder::detect).
  virtual void anomaly(const media::AnomalyEvent& event) = 0;
};

struct RungStats {
  std::string rung;
  std::uint64_t encoded = 0;  // packets that came out
  std::uint64_t shed = 0;     // frames left out because the machine was too slow
};

struct EngineStats {
  std::uint64_t decoded = 0;             // frames
  std::uint64_t decode_errors = 0;       // packets and frames that were broken
  std::uint64_t dropped = 0;             // source packets left out: broken GOPs, overload
  std::chrono::milliseconds waiting{0};  // media time of the source video packets not yet decoded
  std::string device = {};               // that it works on now: "nvidia:1", "software"
  std::vector<RungStats> rungs;          // of the whole ladder, in its order
};

class Engine {
 public:
  virtual ~Engine() = default;
  // A source track, new or changed (same id). Pictures are made of the first video track given;
  // audio tracks are counted as they are given, from the start and from each discontinuity on (see
  // media::AudioRung::source). Packets of others are ignored. Errors: unsupported, limit,
  // malformed.
  virtual Result<void> track(std::shared_ptr<const media::Track> track) = 0;
  // `start` counts for video only. An error is our own (a broken bitstream is counted instead).
  virtual Result<void> packet(const media::Packet& packet, SegmentStart start) = 0;
  // What follows does not continue what was before: all encoders finish and begin anew.
  virtual void discontinuity() = 0;
  // Returns once everything given so far has come out. Packets may follow.
  virtual void drain() = 0;
  virtual EngineStats stats() const = 0;
};

}  // namespace kapok::ladder
