#include "server/media/mpeg_audio.hpp"
#include "server/picture/containers/mpegts/ts_packet.hpp"
#include "server/picture/containers/mpegts/whole_pes_lane.hpp"

namespace kapok::mpegts {

namespace {

class OpaqueLane final : public WholePesLane {
 public:
  OpaqueLane(StreamInfo info, Outlet& outlet) : WholePesLane(std::move(info), outlet) {
    if (info_.codec != media::Codec::mp2) announce({});  // of MPEG audio the first frame tells more
  }

 private:
  void give(Bytes payload) override;
  void announce(ByteSpan first);

  bool announced_ = false;
  std::optional<std::uint8_t> announced_id_;
  bool seen_random_access_ = false;
};

void OpaqueLane::announce(ByteSpan first) {
  announced_ = true;
  announced_id_ = info_.ts.pes_stream_id;
  media::Track track;
  track.id = info_.id;
  track.codec = info_.codec;
  track.timescale = kClockRate;
  track.language = info_.language;
  track.ts = info_.ts;
  using Layer = media::mpeg_audio::Layer;
  if (track.codec == media::Codec::mp2) {
    if (const auto two = media::mpeg_audio::parse_frame(first, Layer::two)) {
      track.facts = *two;
      track.codec_string = "mp4a.40.33";
    } else if (const auto three = media::mpeg_audio::parse_frame(first, Layer::three)) {
      track.codec = media::Codec::mp3;
      track.facts = *three;
      track.codec_string = "mp4a.6B";
    }
  }
  track.kind = media::kind_of(track.codec);
  outlet_.give(std::make_shared<const media::Track>(std::move(track)));
}

void OpaqueLane::give(Bytes payload) {
  if (!announced_ || announced_id_ != info_.ts.pes_stream_id) announce(payload);
  seen_random_access_ = seen_random_access_ || random_access_;
  if (!time_) return;
  media::Packet packet;
  packet.track = info_.id;
  packet.pts = {time_->pts};
  packet.dts = {time_->dts};
  packet.sync = random_access_ || !seen_random_access_;
  packet.payload = Buffer(std::move(payload));
  packet.arrival = arrival_;
  outlet_.give(std::move(packet));
}

}  // namespace

std::unique_ptr<Lane> make_opaque_lane(StreamInfo info, Outlet& outlet) {
  return std::make_unique<OpaqueLane>(std::move(info), outlet);
}

}  // namespace kapok::mpegts
