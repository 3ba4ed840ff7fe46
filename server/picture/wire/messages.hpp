// What a channel and its worker (kapok-transcoder) say to each other over their socketpair, as
// plain values. Times are channel time: ticks since 1970 in the track's timescale. Both sides begin
// with their Hello; a worker answers once its engine stands, so its Hello also says that it is
// ready. How the values lie in bytes: layout.hpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "server/base/clock.hpp"
#include "server/base/log.hpp"
#include "server/media/image.hpp"
#include "server/media/ladder.hpp"
#include "server/media/packet.hpp"
#include "server/media/track.hpp"

namespace kapok::wire {

// Raised with every change of a layout: both programs come from one build, so there is one at a
// time.
constexpr std::uint16_t kVersion = 2;

// Decode times, and the sound before the first picture, are not negative with it.
constexpr nanoseconds kFileBegin = seconds(10);

// To the worker. Order: Hello, Ladder, then tracks and packets as a feed has them; a changed track
// is sent again under its id.
struct Hello {
  std::uint16_t version = kVersion;
  bool operator==(const Hello&) const = default;
};
struct SourceTrack {
  std::shared_ptr<const media::Track> track;  // without Track::ts, which no encoder asks for
};
struct SourcePacket {
  media::Packet packet;
  bool segment_start = false;  // of video: every rung begins a closed GOP at the same pts
};
// What follows does not continue what came before.
struct Discontinuity {
  bool operator==(const Discontinuity&) const = default;
};
// Let everything out that is inside, say Drained, and end.
struct Drain {
  bool operator==(const Drain&) const = default;
};
// Instead of a source: read the file that the worker was started with, from `from` on, and end with
// Drained. Times of a file are counted from its first picture, which is at kFileBegin.
struct FileStart {
  nanoseconds from = kFileBegin;  // a segment's start of an earlier run, or kFileBegin
  milliseconds segment{4'000};    // the least that a segment may last, the last one aside
  milliseconds ceiling{12'000};   // the most
  bool publish_source = true;  // what can be is sent back as it is, and segments begin at its GOPs
  bool operator==(const FileStart&) const = default;
};
using ToWorker =
    std::variant<Hello, media::Ladder, SourceTrack, SourcePacket, Discontinuity, Drain, FileStart>;

// From the worker.
struct WorkerHello {
  std::uint16_t version = kVersion;
  std::string engine;  // "ffmpeg"
  std::string device;  // "software", "nvidia:1"; empty: it cannot begin, a Notice says why
  bool operator==(const WorkerHello&) const = default;
};
struct RungTrack {
  std::string rung;
  std::shared_ptr<const media::Track> track;
};
struct RungPacket {
  std::string rung;
  media::Packet packet;
};
struct RungProgress {
  std::string rung;
  std::uint64_t encoded = 0;  // packets that came out
  std::uint64_t shed = 0;     // frames left out because the machine was too slow
  bool operator==(const RungProgress&) const = default;
};
// Every 500 ms as long as the worker gets on; one that is stuck in a decoder falls silent too.
// Counts are since the worker's start.
struct Heartbeat {
  std::uint64_t decoded = 0;  // frames
  std::uint64_t decode_errors = 0;
  std::uint64_t dropped = 0;       // source packets left out: broken GOPs, overload
  std::uint32_t waiting_ms = 0;    // media time of what is not yet decoded
  std::uint64_t cpu_ms = 0;        // user and system, all threads
  std::uint64_t memory_bytes = 0;  // resident
  std::vector<RungProgress> rungs;
  std::string device = {};  // as in the Hello; another one after a failure
  bool operator==(const Heartbeat&) const = default;
};
// One line for the server's log.
struct Notice {
  LogLevel level = LogLevel::info;
  std::string event;  // "worker.sandboxed"
  std::string text;
  bool operator==(const Notice&) const = default;
};
// The last message of a worker that was asked to drain.
struct Drained {
  bool operator==(const Drained&) const = default;
};
// Of a file: FileOpened, its FileTracks, then FilePackets of those that are published. FileSegment
// comes before any packet, of whatever rendition, that begins at its time.
struct FileOpened {
  std::string format;       // as libavformat names it: "mov", "mxf"
  nanoseconds duration{0};  // 0: unknown
  bool operator==(const FileOpened&) const = default;
};
struct FileTrack {
  // A codec that Kapok does not carry is `unknown`, named as libavcodec does in codec_string.
  std::shared_ptr<const media::Track> track;
  bool published = false;
};
struct FilePacket {
  media::Packet packet;
};
struct FileSegment {
  nanoseconds at{0};
  bool operator==(const FileSegment&) const = default;
};
// The last message: there is no use in another try with the same FileStart.
struct FileRefused {
  enum class Why : std::uint8_t {
    unreadable,    // it is no video that can be made a ladder of
    source_unfit,  // it can, without publish_source
  };
  Why why = Why::unreadable;
  std::string text;
  bool operator==(const FileRefused&) const = default;
};
// Black, frozen, bars, silence: media::AnomalyEvent, in the order of `to` for each kind. One that
// goes on is told again every few seconds.
using FromWorker = std::variant<WorkerHello, RungTrack, RungPacket, Heartbeat, Notice, Drained,
                                FileOpened, FileTrack, FilePacket, FileSegment, FileRefused,
                                media::Image, media::AnomalyEvent>;

}  // namespace kapok::wire
