// What the unit tests of this folder share: tracks, a synthetic feed, a folder that goes away, and
// a packager wired to real files, a fake clock and one window.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "server/base/counted_metrics_test.hpp"
#include "server/base/crypto.hpp"
#include "server/media/describe.hpp"
#include "server/picture/packaging/packager.hpp"

namespace kapok::packaging {

class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& below = "/tmp") {
    std::string name = below + "/kapok-packaging-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// H.264 Main, 1920x1080 at 50 frames a second, BT.709.
inline std::shared_ptr<const media::Track> video_track(media::Timescale timescale = 90000,
                                                       media::Rational rate = {50, 1}) {
  const auto described = media::describe_track(
      {.id = 1,
       .codec = media::Codec::avc,
       .timescale = timescale,
       .config =
           Buffer(from_hex("014d402affe1001d674d402aeca03c0113f2e02d40404050000003001000000640"
                           "f183196001000468ce0fc8")
                      .value()),
       .language = ""});
  auto track = std::make_shared<media::Track>(*described.value());
  std::get<media::VideoFacts>(track->facts).frame_rate = rate;
  return track;
}

inline std::shared_ptr<const media::Track> audio_track(std::string language = "zh") {
  auto track = std::make_shared<media::Track>();
  track->id = 2;
  track->kind = media::TrackKind::audio;
  track->codec = media::Codec::aac;
  track->timescale = 48000;
  constexpr std::array<std::uint8_t, 2> kAsc{0x11, 0x90};  // AAC-LC, 48 kHz, stereo
  track->config = Buffer::copy_of(as_bytes(kAsc.data(), kAsc.size()));
  track->codec_string = "mp4a.40.2";
  track->language = std::move(language);
  track->facts = media::AudioFacts{48000, 2, 1024};
  return track;
}

struct RecordedWindow final : WindowPublisher {
  std::unique_ptr<ChannelWindow> window = std::make_unique<ChannelWindow>("demo");
  std::vector<std::shared_ptr<const WindowEvent>> events;
  void publish(std::shared_ptr<const WindowEvent> event) override {
    window->apply(*event);
    events.push_back(std::move(event));
  }
};
struct RecordedEvidence final : evidence::EvidenceSink {
  std::vector<evidence::Published> published;
  void report(evidence::Fact fact) override {
    published.push_back(std::get<evidence::Published>(std::move(fact)));
  }
};

// A packager with a life of its own: restart() is what a kill and a new start are.
class Station {
 public:
  explicit Station(PackagerOptions options) : options_(std::move(options)) { start(); }
  ~Station() { kill(); }

  Result<UtcTime> start() {
    published = RecordedWindow{};
    writer_ = std::make_unique<WorkerThread>("spool", 10'000);
    packager_ = std::make_unique<Packager>(
        options_,
        PackagerServices{io_.get_executor(), *writer_, published, evidence, clock, Log{}, metrics});
    opened = packager_->open();
    return opened;
  }
  // As kill -9 between two jobs: what was not written is lost, nothing is closed.
  void kill() {
    writer_.reset();
    packager_.reset();
    io_.restart();
    io_.poll();
  }
  Result<UtcTime> kill_and_start() {
    kill();
    return start();
  }
  void settle() {
    // The queue is empty once a job submitted now has run.
    for (int i = 0; i < 3; ++i) {
      std::promise<void> reached;
      writer_->submit([&] { reached.set_value(); });
      reached.get_future().wait();
      io_.restart();
      io_.poll();
    }
  }
  void close() {
    boost::asio::co_spawn(io_, packager_->close(), boost::asio::detached);
    io_.restart();
    io_.run();
  }
  Packager& operator*() { return *packager_; }
  Packager* operator->() { return packager_.get(); }
  ChannelWindow& window() { return *published.window; }
  std::string playlist(std::string_view rendition, PlaylistForm form = PlaylistForm::full) {
    const RenditionWindow* found = window().find(rendition);
    return found ? std::string(found->playlist(form).text.text()) : std::string();
  }

  RecordedWindow published;
  RecordedEvidence evidence;
  FakeClock clock;
  CountedMetrics metrics;
  Result<UtcTime> opened{UtcTime{}};

 private:
  PackagerOptions options_;
  boost::asio::io_context io_;
  std::unique_ptr<WorkerThread> writer_;
  std::unique_ptr<Packager> packager_;
};

// Pictures and sound as an encoder sends them: interleaved by time, a GOP of `gop` frames.
struct SyntheticFeed {
  UtcTime start{seconds(1'790'000'000)};
  MonoTime arrival;  // of all
  unsigned fps = 50;
  unsigned gop = 50;
  std::size_t sync_bytes = 4000;
  std::size_t frame_bytes = 1000;
  bool sound = true;
  std::int64_t next_frame = 0;
  std::int64_t next_sound = 0;

  media::Packet picture() {
    media::Packet packet;
    packet.track = 1;
    packet.arrival = arrival;
    const Ticks origin = media::from_microseconds(start.time_since_epoch(), 90000);
    packet.dts = origin + Ticks{next_frame * 90000 / fps};
    packet.pts = packet.dts;
    packet.sync = next_frame % gop == 0;
    packet.payload = Buffer(
        Bytes(packet.sync ? sync_bytes : frame_bytes, static_cast<std::byte>(next_frame & 255)));
    ++next_frame;
    return packet;
  }
  media::Packet sample() {
    media::Packet packet;
    packet.track = 2;
    packet.arrival = arrival;
    const Ticks origin = media::from_microseconds(start.time_since_epoch(), 48000);
    packet.dts = packet.pts = origin + Ticks{next_sound * 1024};
    packet.sync = true;
    packet.payload = Buffer(Bytes(300, static_cast<std::byte>(next_sound & 255)));
    ++next_sound;
    return packet;
  }
  // Everything up to `seconds_in` after the start.
  void push(Packager& packager, double seconds_in) {
    while (static_cast<double>(next_frame) / fps < seconds_in) {
      const double now = static_cast<double>(next_frame) / fps;
      while (sound && static_cast<double>(next_sound) * 1024 / 48000 <= now) {
        const auto taken = packager.append("audio-zh", sample());
        ASSERT_TRUE(taken) << taken.error().message;
      }
      const auto taken = packager.append("source", picture());
      ASSERT_TRUE(taken) << taken.error().message;
    }
  }
  std::vector<RenditionTrack> tracks() const {
    std::vector<RenditionTrack> out{{"source", video_track(90000, {fps, 1})}};
    if (sound) out.push_back({"audio-zh", audio_track()});
    return out;
  }
};

}  // namespace kapok::packaging
