#include <vector>

#include "server/picture/containers/mpegts/described_track.hpp"
#include "server/picture/containers/mpegts/lane.hpp"
#include "server/picture/containers/mpegts/nal_assembler.hpp"
#include "server/picture/containers/mpegts/ts_packet.hpp"

namespace kapok::mpegts {

namespace {

class NalLane final : public Lane {
 public:
  NalLane(StreamInfo info, Outlet& outlet)
      : info_(std::move(info)), outlet_(outlet), assembler_(info_.codec) {}

  void begin(const Start& start) override {
    info_.ts.pes_stream_id = start.stream_id;
    if (start.stamp) assembler_.stamp(*start.stamp);
  }
  void payload(ByteSpan bytes) override {
    assembler_.bytes(bytes, outlet_.arrival, done_);
    give_done();
  }
  // An access unit may go on in the next PES packet; only its successor's start tells.
  void end() override {}
  void lost() override {
    if (assembler_.lost()) ++outlet_.stats.damaged_units;
  }
  void finish() override {
    assembler_.finish(done_);
    give_done();
    last_.reset();
    step_ = 0;
  }
  std::size_t pending_bytes() const override { return assembler_.pending_bytes(); }

 private:
  void give_done();
  void give(AccessUnit unit);
  void describe(Bytes record);
  std::optional<Stamp> time_of(const AccessUnit& unit);

  StreamInfo info_;
  Outlet& outlet_;
  NalAssembler assembler_;
  std::vector<AccessUnit> done_;  // kept for its memory
  std::shared_ptr<const media::Track> track_;
  std::optional<Stamp> last_;
  std::int64_t step_ = 0;  // between the last two decoding times
  std::uint64_t oversized_seen_ = 0;
};

void NalLane::give_done() {
  for (AccessUnit& unit : done_) give(std::move(unit));
  done_.clear();
  if (assembler_.oversized() == oversized_seen_) return;
  outlet_.stats.damaged_units += assembler_.oversized() - oversized_seen_;
  oversized_seen_ = assembler_.oversized();
  outlet_.note(fmt::format("PID {}: an access unit is larger than {} MiB", info_.id,
                           media::kMaxPacketBytes >> 20));
}

void NalLane::describe(Bytes record) {
  if (auto track = announce(draft_of(info_, Buffer(std::move(record))), info_, outlet_))
    track_ = std::move(track);
}

// Times of an access unit without its own follow from the one before [ISO/IEC 13818-1 2.7.5: times
// may be left out where the frame rate is constant].
std::optional<Stamp> NalLane::time_of(const AccessUnit& unit) {
  std::optional<Stamp> time = unit.stamp;
  if (time && last_) step_ = time->dts - last_->dts;
  if (!time && last_ && !unit.after_loss) {
    std::int64_t step = step_;
    if (const media::VideoFacts* facts = track_ ? track_->video() : nullptr)
      if (facts->frame_rate.numerator > 0)
        step =
            media::rescale({facts->frame_rate.denominator}, facts->frame_rate.numerator, kClockRate)
                .count;
    if (step > 0) time = Stamp{last_->pts + step, last_->dts + step};
  }
  last_ = time;
  return time;
}

void NalLane::give(AccessUnit unit) {
  if (unit.record) {
    if (*unit.record)
      describe(std::move(**unit.record));
    else
      outlet_.note(fmt::format("PID {}: {}", info_.id, unit.record->error().message));
  }
  const auto time = time_of(unit);
  if (!time || unit.payload.empty()) {  // empty: its slices were nothing but zeros
    ++outlet_.stats.damaged_units;
    return;
  }
  if (!track_) return;  // joined in the middle of a GOP
  media::Packet packet;
  packet.pts = {time->pts};
  packet.dts = {time->dts};
  packet.payload = Buffer(std::move(unit.payload));
  packet.arrival = unit.arrival;
  give_picture(track_, std::move(packet), outlet_);
}

}  // namespace

std::unique_ptr<Lane> make_nal_lane(StreamInfo info, Outlet& outlet) {
  return std::make_unique<NalLane>(std::move(info), outlet);
}

}  // namespace kapok::mpegts
