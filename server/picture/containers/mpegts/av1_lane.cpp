#include <algorithm>

#include "server/media/av1.hpp"
#include "server/picture/containers/mpegts/av1_bytes.hpp"
#include "server/picture/containers/mpegts/described_track.hpp"
#include "server/picture/containers/mpegts/whole_pes_lane.hpp"

namespace kapok::mpegts {

namespace {

// A PES packet holds one temporal unit.
class Av1Lane final : public WholePesLane {
 public:
  Av1Lane(StreamInfo info, Outlet& outlet) : WholePesLane(std::move(info), outlet) {}

 private:
  void give(Bytes payload) override;
  // The sequence header is the configuration; it comes again with every key frame.
  void describe(ByteSpan unit);

  std::shared_ptr<const media::Track> track_;
  Bytes record_;
};

void Av1Lane::describe(ByteSpan unit) {
  auto record = media::av1::make_config(unit);
  if (!record || *record == record_) return;
  record_ = *record;
  if (auto track = announce(draft_of(info_, Buffer(*std::move(record))), info_, outlet_))
    track_ = std::move(track);
}

void Av1Lane::give(Bytes payload) {
  auto obus = obus_from_pes(std::move(payload));
  if (!obus || !time_) {
    ++outlet_.stats.damaged_units;
    return;
  }
  const Buffer unit = media::av1::without_delimiters(Buffer(*std::move(obus)));
  if (unit.empty()) return;
  describe(unit.bytes());
  if (!track_) return;  // joined in the middle of a GOP
  media::Packet packet;
  packet.pts = {time_->pts};
  packet.dts = {time_->dts};
  packet.payload = unit;
  packet.arrival = arrival_;
  give_picture(track_, std::move(packet), outlet_);
}

}  // namespace

std::unique_ptr<Lane> make_av1_lane(StreamInfo info, Outlet& outlet) {
  return std::make_unique<Av1Lane>(std::move(info), outlet);
}

}  // namespace kapok::mpegts
