// The inside of Packager, shared by its sources: packager.cpp (jobs, cuts), packager_eras.cpp (when
// an era starts and how it is cut), packager_recovery.cpp (what a restart brings back),
// packager_rungs.cpp and packager_images.cpp (what a worker makes). All of it
// lives on the channel's home shard; only what a job captures crosses to the writer thread.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/base/histogram.hpp"
#include "server/picture/packaging/delay_meter.hpp"
#include "server/picture/packaging/packager.hpp"
#include "server/picture/packaging/retention.hpp"
#include "server/picture/packaging/segmenter.hpp"
#include "server/picture/packaging/spool.hpp"
#include "server/picture/packaging/timing.hpp"

namespace kapok::packaging {

using EventPointer = std::shared_ptr<const WindowEvent>;

// What a job on the writer thread sends home.
struct Outcome {
  std::vector<EventPointer> events;
  std::optional<evidence::Published> published;
  std::optional<Error> error;
  std::uint64_t bytes = 0;          // of a part
  std::optional<MonoTime> arrived;  // likewise: its last frame
  bool of_rung = false;             // likewise
  std::string rendition;
  std::function<void()> then;  // on the home shard
};

// Nothing is made of pictures that have not come. Sound and pictures of a feed may be apart.
constexpr microseconds kRungAhead{2'000'000};
// A worker is killed long before it is so late, and no encoder reorders so much.
constexpr microseconds kRungBehind{60'000'000};

std::shared_ptr<const InitSegment> make_init(std::shared_ptr<const media::Track> track);
// A rate as it is published: two digits, so that it rarely changes.
std::uint32_t rounded_bandwidth(double bits_per_second);
// The peak to publish for so many bytes in that time.
std::uint32_t peak_of(std::uint64_t bytes, Ticks duration, Timescale timescale);
std::shared_ptr<const media::Track> with_frame_rate(std::shared_ptr<const media::Track> track,
                                                    const media::Rational& rate);

struct PackagerSeries {
  Counter& parts;
  Counter& segments;
  Counter& bytes;
  Counter& gaps;
  Counter& write_errors;
  Counter& dropped_packets;
  Counter& posters;
  Counter& thumbnails;
  Gauge& spool_bytes;
  // From the arrival of a part's last frame until the part can be fetched.
  DelayHistogram feed_parts;
  std::optional<DelayHistogram> rung_parts;  // once there is a rung

  PackagerSeries(Metrics& metrics, const std::string& channel)
      : parts(metrics.counter("kapok_parts_total", "Parts published", {{"channel", channel}})),
        segments(
            metrics.counter("kapok_segments_total", "Segments published", {{"channel", channel}})),
        bytes(metrics.counter("kapok_spool_written_bytes_total", "Bytes written to the spool",
                              {{"channel", channel}})),
        gaps(metrics.counter("kapok_gaps_total", "Segments published as EXT-X-GAP",
                             {{"channel", channel}})),
        write_errors(metrics.counter("kapok_spool_write_errors_total",
                                     "Parts lost because they could not be written",
                                     {{"channel", channel}})),
        dropped_packets(metrics.counter("kapok_packaging_dropped_packets_total",
                                        "Packets outside the era or before a sync packet",
                                        {{"channel", channel}})),
        posters(metrics.counter("kapok_images_total", "Still pictures published",
                                {{"channel", channel}, {"kind", "poster"}})),
        thumbnails(metrics.counter("kapok_images_total", "Still pictures published",
                                   {{"channel", channel}, {"kind", "thumbnail"}})),
        spool_bytes(metrics.gauge("kapok_spool_bytes", "Bytes that the channel's window holds",
                                  {{"channel", channel}})),
        feed_parts(part_delay(metrics, channel, "feed")) {}

  static DelayHistogram part_delay(Metrics& metrics, const std::string& channel,
                                   const std::string& origin) {
    return {metrics,
            "kapok_part_delay_seconds",
            "From the arrival of a part's last frame until the part can be fetched",
            {{"channel", channel}, {"origin", origin}}};
  }
};

struct Packager::State : std::enable_shared_from_this<Packager::State> {
  // What only a rendition from a worker has.
  struct Rung {
    bool away = false;        // its numbers become gaps as the source ends them
    bool misaligned = false;  // told already
    UtcTime heard;            // channel time of its newest packet, at first of the source's
    DelayMeter delay;
  };
  struct Live {
    std::string id;
    std::shared_ptr<const media::Track> track;
    std::shared_ptr<const InitSegment> init;
    RenditionInfo info;
    std::unique_ptr<Segmenter> segmenter;  // while it is part of the running era
    // Of its segmenter. A rung may still complete the era before the running one.
    std::shared_ptr<EraGrid> grid;
    Rung rung;
    std::uint32_t sequence = 0;  // mfhd
    Segment segment;             // the open one, as the next job announces it
    bool announced = false;      // its first part is on the way
    bool lost_part = false;      // the writer's queue was full
    std::uint64_t segment_bytes = 0;
    std::uint64_t next_segment = 0;
    std::uint64_t next_part = 0;
    bool has_history = false;
    std::uint64_t dropped_before = 0;
    double average_bits = 0;  // slow mean of segment rates
    unsigned measured_segments = 0;
    bool open = false;  // RenditionOpened was sent in this era
    // Of the previous era: what gaps before a new one belong to.
    std::uint32_t last_era = 0;
    std::optional<Ticks> last_dts;
    Ticks ended;        // of its last segment, gap or not
    Timescale fed = 0;  // the timescale of its packets, where it is not info.timescale
  };

  PackagerOptions options;
  PackagerServices services;
  PackagerSeries series;
  std::shared_ptr<Spool> spool;
  Retention retention;
  SegmentRules rules;

  std::map<std::string, Live> live;
  std::shared_ptr<EraGrid> grid;
  std::optional<Era> last_era;    // newest ever published, also of an earlier run
  std::uint32_t last_target = 0;  // TARGETDURATION of the window so far
  std::optional<IndexedTiming> timing;
  bool timing_from_last_run = false;
  bool had_pictures = false;  // in an era of this run
  // Of the configuration record that `timing` was measured with.
  std::optional<Digest256> timing_config;
  bool running = false;

  // An era that waits for its first GOP.
  bool waiting = false;
  UtcTime era_start;
  std::vector<RenditionTrack> tracks;
  std::string leader;  // the first video of the feed
  std::string pace;    // whose segments rungs are held against: the leader, else the first sound
  UtcTime newest;      // of what the feed brought, in this era
  std::deque<std::pair<std::string, media::Packet>> held;
  std::size_t held_bytes = 0;
  bool leader_gop_began = false;
  std::optional<Ticks> last_dts_of_leader;  // of its last sync packet

  // Still pictures (packager_images.cpp).
  std::vector<media::Image> early_images;  // while `waiting`
  std::optional<UtcTime> poster_at;
  std::uint64_t next_thumbnail = 0;

  std::size_t jobs_out = 0;
  boost::asio::steady_timer idle;
  bool writer_behind = false;
  bool disk_full = false;

  State(PackagerOptions o, PackagerServices s)
      : options(std::move(o)),
        services(std::move(s)),
        series(services.metrics, options.channel),
        spool(std::make_shared<Spool>(options.directory, services.reserve)),
        retention({options.window, options.window_bytes}),
        rules{options.segment_target, options.segment_ceiling},
        idle(services.home, boost::asio::steady_timer::time_point::max()) {}

  template <class What>
  EventPointer event(What what) const {
    return std::make_shared<const WindowEvent>(WindowEvent{options.channel, std::move(what)});
  }

  // ---- jobs ----

  // Runs on the writer thread after all earlier ones; its outcome comes home in the same order.
  // `bytes`: of media that it holds. False: the writer is too far behind.
  bool submit(std::function<Outcome(Spool&)> work, std::size_t bytes);

  void finished(const Outcome& outcome);

  void report(const Error& error, const std::string& rendition);

  // Structure: kept even when the writer is behind, by trying again with the next job.
  std::deque<std::function<Outcome(Spool&)>> must_run;
  void submit_structure(std::function<Outcome(Spool&)> work);
  void retry_structure();
  bool submit_media(std::function<Outcome(Spool&)> work, std::size_t bytes);

  // ---- recovery ----

  Result<UtcTime> open();
  void republish(const std::string& id, const SpoolIndex::Rendition& rendition, UtcTime& end);

  // ---- eras ----

  void start_era(UtcTime start, std::vector<RenditionTrack> with);
  void end_era();
  void begin_era(UtcTime start);
  void open_rendition(const RenditionTrack& declared, GopTiming rhythm);
  void publish_rendition(Live& rendition);
  void forget_history(Live& rendition);
  bool timing_known();
  void decide_without_gop();
  void release_held();
  bool hold(const std::string& rendition, const media::Packet& packet);
  void wrong_rhythm(Live& rendition, const media::Packet& packet);
  void publish_era(const Era& era);
  void seed_bandwidth(Live& rendition);
  Ticks held_frame(const std::string& id) const;
  void add_track(RenditionTrack track);
  void update_track(RenditionTrack track);
  void track_away(const std::string& id);
  void finish(Live& rendition);
  std::shared_ptr<const InitSegment> recovered_init(const IndexedRendition& appearance) const;
  void remember_timing(const GopTiming& measured);
  GopTiming gop() const { return timing ? timing->timing : GopTiming{}; }

  // ---- still pictures ----

  void add_image(media::Image image);
  void add_poster(media::Image image, UtcTime at);
  void add_thumbnail(media::Image image);
  void release_images();
  void republish_images();

  // ---- cuts ----

  Result<void> append(const std::string& id, const media::Packet& packet);
  bool completes_last_era(const std::string& id, const media::Packet& packet) const;
  Result<void> append_told(Live& rendition, const media::Packet& packet);
  Result<void> append_cut(Live& rendition, const media::Packet& packet);
  void flush();
  void apply(Live& rendition, std::vector<Cut>& cuts);
  void on(Live& rendition, SegmentBegins& cut);
  void on(Live& rendition, PartCut& cut);
  void on(Live& rendition, SegmentEnds& cut);
  void on(Live& rendition, SegmentMissed& cut);
  void on(Live& rendition, GridMoved& cut);
  void on(Live& rendition, CutWithoutSync& cut);
  void on(Live& rendition, SegmentBroken& cut);
  void on(Live& rendition, MissedAsLed& cut);
  void on(Live& rendition, Misaligned& cut);
  void feed_reaches(UtcTime time);
  Result<void> rung_reaches(Live& rendition, const media::Packet& packet) const;
  void pace_rungs(std::uint64_t ended);
  void give_up(Live& rendition, std::uint64_t before);
  void measure_delay(Live& rendition, const PartCut& first_part);
  static bool begins_discontinuity(const Live& rendition, std::uint64_t number);
  void measure_rate(Live& rendition, std::uint64_t bytes, Ticks duration);
  void kept(const std::string& id, std::uint64_t number, UtcTime start, UtcTime end,
            const SegmentDone& done, std::optional<std::uint64_t> available);
  void retire();
  void set_window(microseconds window, std::uint64_t bytes);
  IndexedSegment indexed(const Live& rendition, const Segment& segment) const {
    return {rendition.id,  segment.number,     segment.era,       segment.discontinuity,
            segment.start, segment.first_part, segment.init->name};
  }
};

}  // namespace kapok::packaging
