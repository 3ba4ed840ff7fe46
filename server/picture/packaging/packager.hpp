// Turns packets in channel time into the live window of one channel: eras, segments, parts, init
// segments, spool files, window events, published evidence. Lives on the channel's home shard;
// bytes are written on a WorkerThread and announced back on the home shard only once they are in
// the file and indexed. The channel owns it and decides what to feed it; it knows nothing of feeds
// or workers.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/base/clock.hpp"
#include "server/base/log.hpp"
#include "server/base/metrics.hpp"
#include "server/base/task.hpp"
#include "server/base/worker_thread.hpp"
#include "server/evidence/facts.hpp"
#include "server/media/image.hpp"
#include "server/media/packet.hpp"
#include "server/picture/packaging/memory_reserve.hpp"
#include "server/picture/packaging/window.hpp"

namespace kapok::packaging {

struct PackagerOptions {
  std::string channel;
  std::filesystem::path directory;           // this channel's spool; created if missing
  microseconds segment_target{2'000'000};    // d is the smallest multiple of the GOP not below it
  microseconds segment_ceiling{10'000'000};  // for irregular GOPs; an alarm above it
  microseconds part_target{200'000};
  microseconds window{1'800'000'000};  // time shift
  std::uint64_t window_bytes = 0;      // 0: no bound of its own
};

struct PackagerServices {
  boost::asio::any_io_executor home;
  WorkerThread& writer;
  WindowPublisher& windows;
  evidence::EvidenceSink& evidence;
  const Clock& clock;
  Log log;
  Metrics& metrics;
  std::shared_ptr<MemoryReserve> reserve = nullptr;  // of the spool's file system; null: none
};

// A rung comes from a worker: later than the feed it was made of, perhaps not at all. It is cut
// where the leading rendition (the first video of the feed) was cut, never holds the channel back,
// and what it has not got whole is a gap under its own number.
enum class Origin : std::uint8_t { feed, rung };

struct RenditionTrack {
  std::string rendition;  // "source", "audio-zh"; of a rung its name in the ladder
  std::shared_ptr<const media::Track> track;
  Origin origin = Origin::feed;
  // What a rung's encoder was told to make; published until more was measured. 0: unknown.
  std::uint32_t bit_rate = 0;
};

// A rung that is further behind the source is away. Twice what a deep encoder needs.
constexpr microseconds kRungPatience{5'000'000};

class Packager {
 public:
  Packager(PackagerOptions options, PackagerServices services);
  ~Packager();
  Packager(const Packager&) = delete;
  Packager& operator=(const Packager&) = delete;

  // Opens the spool and reads its index (a scan). Publishes the recovered window. Returns where the
  // channel's timeline must go on (the end of the last indexed part), or the epoch for a new spool.
  // Errors: config (unknown index version, unwritable folder), each with its remedy.
  Result<UtcTime> open();

  // Starts an era at `start` with these tracks: at the first publish, after a Discontinuity, after
  // a reconnect with other parameters. Once an era runs, add_track adds a late track to it: a rung
  // when the worker has told its track, and again when another worker took over (its parameters may
  // be others). Until then, and until a new era's add_track, packets of the rung from before a
  // Discontinuity still complete its segments of the old era.
  void start_era(UtcTime start, std::vector<RenditionTrack> tracks);
  void add_track(RenditionTrack track);
  // A rung's worker has died or shed it: its numbers become gaps as soon as the source ends them,
  // until it goes on. Without this call that is noticed after kRungPatience.
  void track_away(const std::string& rendition);
  // The same track with facts or parameters that do not need a new era (in-band metadata).
  void update_track(RenditionTrack track);
  // dts and pts are in channel time (ticks since 1970 in the track's timescale), monotonic in dts.
  Result<void> append(const std::string& rendition, const media::Packet& packet);
  // The number of the rendition's segment that is open, after append(): when it has changed, that
  // packet began a segment. nullopt: it is not known yet how segments are cut (the first GOP is
  // being measured), or the rendition is not part of the era.
  std::optional<std::uint64_t> open_segment(const std::string& rendition) const;
  // A poster is published and replaces the last one; a thumbnail is published under the number of
  // the segment whose first frame it shows, unless there is one already. Of another moment, or
  // while nothing can be written, it is dropped.
  void add_image(media::Image image);
  // Channel time of the newest poster, also of an earlier run.
  std::optional<UtcTime> poster() const;
  // A reload: how much is kept, from now on. DASH is told of a longer window with the next era.
  void set_window(microseconds window, std::uint64_t bytes);
  // The feed has gone: what is pending becomes a last part, hinted parts become never, the segment
  // stays open until the feed returns or the era ends.
  void feed_live();
  void feed_idle();
  // Everything pending is written and indexed when this returns; nothing may be appended
  // afterwards.
  Task<> close();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace kapok::packaging
