#include <algorithm>

#include "server/media/source_times.hpp"
#include "server/picture/containers/mpegts/audio_syntax.hpp"
#include "server/picture/containers/mpegts/described_track.hpp"
#include "server/picture/containers/mpegts/stream_type.hpp"
#include "server/picture/containers/mpegts/ts_packet.hpp"

namespace kapok::mpegts {

namespace {

// The largest frame (E-AC-3 with dependent substreams; LATM's 13 bits) is far below.
constexpr std::size_t kMaxFrameBytes = std::size_t{128} * 1024;

std::unique_ptr<AudioSyntax> make_syntax(const StreamInfo& info) {
  switch (info.codec) {
    case media::Codec::ac3:
      return make_ac3();
    case media::Codec::eac3:
      return make_eac3();
    case media::Codec::opus:
      return make_opus(info.ts.descriptors.bytes());
    default:
      return info.ts.stream_type == kLatm ? make_latm() : make_adts();
  }
}

class AudioLane final : public Lane {
 public:
  AudioLane(StreamInfo info, Outlet& outlet)
      : info_(std::move(info)), outlet_(outlet), syntax_(make_syntax(info_)) {}

  void begin(const Start& start) override {
    info_.ts.pes_stream_id = start.stream_id;
    if (start.stamp) stamps_.push(position_ + bytes_.size(), *start.stamp);
    waits_for_start_ = false;
  }
  void payload(ByteSpan bytes) override {
    if (waits_for_start_) return;
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    arrival_ = outlet_.arrival;
    cut(AudioSyntax::More::may_come);
  }
  void end() override {}
  void lost() override {
    if (!bytes_.empty()) ++outlet_.stats.damaged_units;
    forget();
    waits_for_start_ = true;
  }
  void finish() override {
    cut(AudioSyntax::More::nothing);
    forget();
  }
  std::size_t pending_bytes() const override { return bytes_.capacity(); }

 private:
  void cut(AudioSyntax::More more);
  void give(AudioFrame frame, std::optional<Stamp> stamp);
  void describe();
  void forget() {
    position_ += bytes_.size();
    bytes_.clear();
    stamps_.clear();
    samples_.forget();
  }

  StreamInfo info_;
  Outlet& outlet_;
  std::unique_ptr<AudioSyntax> syntax_;
  Bytes bytes_;                 // not yet cut into frames
  std::uint64_t position_ = 0;  // of bytes_ in the stream
  StampQueue stamps_;
  media::SampleClock samples_;
  bool waits_for_start_ = true;
  MonoTime arrival_;
  std::shared_ptr<const media::Track> track_;
  Bytes described_;  // the record that track_ was made from
  bool refused_ = false;
};

void AudioLane::cut(AudioSyntax::More more) {
  std::size_t at = 0;
  bool searching = false;
  while (at < bytes_.size()) {
    AudioFrame frame;
    const auto found = syntax_->next(ByteSpan(bytes_).subspan(at), more, frame);
    if (found == AudioSyntax::Found::cut) break;
    if (found == AudioSyntax::Found::none) {
      if (!searching) ++outlet_.stats.damaged_units;
      searching = true;
      ++at;
      continue;
    }
    searching = false;
    const auto stamp = stamps_.take(position_ + at);
    at += frame.size;
    give(std::move(frame), stamp);
  }
  position_ += at;
  bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(at));
  if (bytes_.size() > kMaxFrameBytes) lost();
}

void AudioLane::describe() {
  media::TrackDraft draft = draft_of(info_, Buffer::copy_of(syntax_->config()));
  described_ = syntax_->config();
  // Audio is counted in samples: CMAF wants it so, and no frame length is rounded.
  if (const auto track = media::describe_track(draft);
      track && (*track)->audio() != nullptr && (*track)->audio()->sample_rate > 0)
    draft.timescale = (*track)->audio()->sample_rate;
  track_ = announce(draft, info_, outlet_);
  refused_ = !track_;
  samples_.forget();
}

void AudioLane::give(AudioFrame frame, std::optional<Stamp> stamp) {
  if (frame.payload.empty()) {
    ++outlet_.stats.damaged_units;
    return;
  }
  if ((!track_ && !refused_) || described_ != syntax_->config()) describe();
  if (!track_) return;
  const media::Timescale rate = track_->timescale;
  const media::AudioFacts* facts = track_->audio();
  // Facts know of SBR, by which a frame has twice the samples of its core.
  const bool by_facts = facts != nullptr && facts->samples_per_frame > 0;
  const media::Ticks duration{by_facts ? facts->samples_per_frame : frame.samples};
  const auto at = stamp ? samples_.place(media::rescale({stamp->pts}, kClockRate, rate), duration,
                                         rate, media::SampleClock::Precision::ninety_khz)
                        : samples_.follow(duration);
  if (!at) {
    ++outlet_.stats.damaged_units;
    return;
  }
  media::Packet packet;
  packet.track = info_.id;
  packet.pts = *at;
  packet.dts = *at;
  packet.duration = duration;
  packet.sync = true;
  packet.payload = std::move(frame.payload);
  packet.arrival = arrival_;
  outlet_.give(std::move(packet));
}

}  // namespace

std::unique_ptr<Lane> make_audio_lane(StreamInfo info, Outlet& outlet) {
  return std::make_unique<AudioLane>(std::move(info), outlet);
}

}  // namespace kapok::mpegts
