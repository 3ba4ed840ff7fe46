// For the engine's tests: clips of synthetic pictures encoded on the spot, a sink that remembers,
// and a plain decoder and PSNR to judge by.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "transcoder/ffmpeg/engine.hpp"
#include "transcoder/ffmpeg/mark.hpp"

namespace kapok::ffmpeg {

class RecordingSink final : public ladder::RungSink {
 public:
  struct Rung {
    std::vector<std::shared_ptr<const media::Track>> tracks;
    std::vector<media::Packet> packets;
    std::vector<std::size_t> track_of;  // of each packet, in tracks
  };
  void track(std::string_view rung, std::shared_ptr<const media::Track> track) override;
  void packet(std::string_view rung, media::Packet packet) override;
  void image(media::Image image) override;
  void notice(LogLevel level, std::string_view event, std::string_view text) override;
  void anomaly(const media::AnomalyEvent& event) override;

  // Once the engine has drained, or under no other thread.
  Rung& operator[](const std::string& rung) { return rungs_[rung]; }
  bool has(const std::string& rung) const { return rungs_.contains(rung); }
  std::vector<media::Image> images(media::ImageKind kind) const;
  std::size_t notices(std::string_view event) const;
  std::string all_notices() const;
  const std::vector<media::AnomalyEvent>& anomalies() const { return anomalies_; }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Rung> rungs_;
  std::vector<media::Image> images_;
  std::vector<std::pair<std::string, std::string>> notices_;
  std::vector<media::AnomalyEvent> anomalies_;
};

constexpr media::Timescale kClipTimescale = 90000;
constexpr std::int64_t kClipFrame = 1800;                 // 50 frames a second
constexpr std::int64_t kClipBegin = 161'100'000'000'000;  // ticks since 1970

struct ClipSpec {
  media::Codec codec = media::Codec::avc;
  std::string pictures = "testsrc2=s=640x360:r=50,format=yuv420p";  // in libavfilter's language
  int frames = 60;
  int segment = 20;  // frames
  std::uint8_t b_frames = 0;
  media::VideoFacts facts = {};  // mastering display and light, for HDR pictures
  std::int64_t begin = kClipBegin;
};
struct Clip {
  std::shared_ptr<const media::Track> track;
  std::vector<media::Packet> packets;        // in decoding order
  std::vector<std::int64_t> segment_starts;  // pts
  bool starts(const media::Packet& packet) const;
};
// Throws std::runtime_error: a test that cannot have its clip fails.
Clip make_clip(const ClipSpec& spec);
std::vector<FramePtr> make_pictures(const std::string& pictures, int count);
// `from` with `filters` applied.
std::vector<FramePtr> filtered(const std::vector<FramePtr>& from, const std::string& filters);
std::vector<FramePtr> decode(const media::Track& track, const std::vector<media::Packet>& packets);

// Of the luma of all frames, in dB, for depths of 8 to 10 bits (of the same format).
double psnr(const std::vector<FramePtr>& a, const std::vector<FramePtr>& b);
// Of the same, 8 bits: structural similarity over blocks of 8 x 8, 1 for equal pictures.
double ssim(const std::vector<FramePtr>& a, const std::vector<FramePtr>& b);

void feed(ladder::Engine& engine, const Clip& clip);
std::vector<std::int64_t> pts_of(const std::vector<media::Packet>& packets);  // sorted
std::vector<std::int64_t> sync_pts_of(const std::vector<media::Packet>& packets);

media::VideoRung rung(std::string name, media::Codec codec, std::uint32_t height);
media::VideoFacts hdr10_facts();

}  // namespace kapok::ffmpeg
