#include "server/media/mpeg_audio.hpp"
#include "server/picture/containers/mpegts/lane.hpp"
#include "server/picture/containers/mpegts/ts_packet.hpp"

namespace kapok::mpegts {

namespace {

class OpaqueLane final : public Lane {
 public:
  OpaqueLane(StreamInfo info, Outlet& outlet) : info_(std::move(info)), outlet_(outlet) {
    if (info_.codec != media::Codec::mp2) announce();  // of MPEG audio the first frame tells more
  }

  void begin(const Start& start) override {
    finish_packet();
    open_ = true;
    time_ = start.stamp;
    if (!time_ && start.now) time_ = Stamp{*start.now, *start.now};
    random_access_ = start.random_access;
    seen_random_access_ = seen_random_access_ || random_access_;
    if (announced_ && info_.ts.pes_stream_id == start.stream_id) return;
    info_.ts.pes_stream_id = start.stream_id;
    if (announced_) announce();
  }
  void payload(ByteSpan bytes) override {
    if (!open_) return;
    if (payload_.size() + bytes.size() > media::kMaxPacketBytes) {
      lost();
      return;
    }
    payload_.insert(payload_.end(), bytes.begin(), bytes.end());
    arrival_ = outlet_.arrival;
  }
  void end() override { finish_packet(); }
  void lost() override {
    if (open_) ++outlet_.stats.damaged_units;
    open_ = false;
    payload_ = {};
  }
  void finish() override { finish_packet(); }
  std::size_t pending_bytes() const override { return payload_.capacity(); }

 private:
  void announce();
  void finish_packet();

  StreamInfo info_;
  Outlet& outlet_;
  bool announced_ = false;
  bool open_ = false;
  Bytes payload_;
  std::optional<Stamp> time_;
  bool random_access_ = false;
  bool seen_random_access_ = false;
  MonoTime arrival_;
};

void OpaqueLane::announce() {
  announced_ = true;
  media::Track track;
  track.id = info_.id;
  track.codec = info_.codec;
  track.timescale = kClockRate;
  track.language = info_.language;
  track.ts = info_.ts;
  using Layer = media::mpeg_audio::Layer;
  if (track.codec == media::Codec::mp2) {
    if (const auto two = media::mpeg_audio::parse_frame(payload_, Layer::two)) {
      track.facts = *two;
      track.codec_string = "mp4a.40.33";
    } else if (const auto three = media::mpeg_audio::parse_frame(payload_, Layer::three)) {
      track.codec = media::Codec::mp3;
      track.facts = *three;
      track.codec_string = "mp4a.6B";
    }
  }
  track.kind = media::kind_of(track.codec);
  outlet_.give(std::make_shared<const media::Track>(std::move(track)));
}

void OpaqueLane::finish_packet() {
  if (!open_) return;
  open_ = false;
  if (payload_.empty()) return;
  if (!announced_) announce();
  Bytes bytes = std::exchange(payload_, {});
  if (!time_) return;  // before the program's clock started
  media::Packet packet;
  packet.track = info_.id;
  packet.pts = {time_->pts};
  packet.dts = {time_->dts};
  packet.sync = random_access_ || !seen_random_access_;
  packet.payload = Buffer(std::move(bytes));
  packet.arrival = arrival_;
  outlet_.give(std::move(packet));
}

}  // namespace

std::unique_ptr<Lane> make_opaque_lane(StreamInfo info, Outlet& outlet) {
  return std::make_unique<OpaqueLane>(std::move(info), outlet);
}

}  // namespace kapok::mpegts
