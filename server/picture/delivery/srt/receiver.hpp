// One SRT caller that receives a channel. It begins where the stream can be decoded from, and one
// that cannot keep up is moved on to the next such place: what it misses is counted, and nobody
// waits for it. Lives on the shard of its channel's output.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "server/base/log.hpp"
#include "server/base/metrics.hpp"
#include "server/picture/containers/mpegts/muxer.hpp"
#include "server/picture/protocols/srt/viewers.hpp"

namespace kapok::delivery {

class SrtOutputShard;

struct SrtOutputSeries {
  Counter& bytes;     // of payload handed to connections
  Counter& moved_on;  // times that a slow receiver was moved on to the next sync packet
  Counter& missed_bytes;
};

class SrtReceiver final : public srt::Viewer, public std::enable_shared_from_this<SrtReceiver> {
 public:
  SrtReceiver(std::string channel, SrtOutputShard& shard, SrtOutputSeries& series, Log log)
      : channel_(std::move(channel)), shard_(shard), series_(series), log_(std::move(log)) {}

  void begin(std::shared_ptr<srt::ViewerLink> link) override;
  void ended(std::string_view reason) override;

  void deliver(const mpegts::TsBlock& block);
  // The channel's output has ended.
  void close(std::string_view reason);

  const std::string& channel() const { return channel_; }

 private:
  void miss(const mpegts::TsBlock& block);

  std::string channel_;
  SrtOutputShard& shard_;
  SrtOutputSeries& series_;
  Log log_;
  std::shared_ptr<srt::ViewerLink> link_;
  bool flows_ = false;  // else it waits for a place to begin
  bool slow_ = false;   // it waits because it was
  std::uint64_t moved_on_ = 0;
};

}  // namespace kapok::delivery
