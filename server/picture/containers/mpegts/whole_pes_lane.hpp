// What lanes share whose access units are whole PES packets (or sections): the payload gathered.
#pragma once

#include <utility>

#include "server/media/packet.hpp"
#include "server/picture/containers/mpegts/lane.hpp"

namespace kapok::mpegts {

class WholePesLane : public Lane {
 public:
  void begin(const Start& start) override {
    give_pending();
    open_ = true;
    time_ = start.stamp;
    if (!time_ && start.now) time_ = Stamp{*start.now, *start.now};
    random_access_ = start.random_access;
    info_.ts.pes_stream_id = start.stream_id;
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
  void end() override { give_pending(); }
  void lost() override {
    if (open_) ++outlet_.stats.damaged_units;
    open_ = false;
    payload_ = {};
  }
  void finish() override { give_pending(); }
  std::size_t pending_bytes() const override { return payload_.capacity(); }

 protected:
  WholePesLane(StreamInfo info, Outlet& outlet) : info_(std::move(info)), outlet_(outlet) {}
  // One whole payload, not empty.
  virtual void give(Bytes payload) = 0;

  StreamInfo info_;
  Outlet& outlet_;
  std::optional<Stamp> time_;  // nullopt: the program's clock has not started
  bool random_access_ = false;
  MonoTime arrival_;

 private:
  void give_pending() {
    if (std::exchange(open_, false) && !payload_.empty()) give(std::exchange(payload_, {}));
  }

  bool open_ = false;
  Bytes payload_;
};

}  // namespace kapok::mpegts
