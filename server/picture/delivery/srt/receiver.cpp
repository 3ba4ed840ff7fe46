#include "server/picture/delivery/srt/receiver.hpp"

#include <algorithm>

#include "server/picture/delivery/srt/output_shard.hpp"

namespace kapok::delivery {

void SrtReceiver::begin(std::shared_ptr<srt::ViewerLink> link) {
  link_ = std::move(link);
  log_.info("srt.receiver.began", {{"channel", channel_}});
  shard_.join(shared_from_this());
}

void SrtReceiver::ended(std::string_view reason) {
  if (!link_) return;  // its handshake failed
  link_.reset();
  log_.info("srt.receiver.ended",
            {{"channel", channel_}, {"reason", reason}, {"moved_on", moved_on_}});
  shard_.leave(*this);
}

void SrtReceiver::close(std::string_view reason) {
  if (link_) link_->close(reason);
}

void SrtReceiver::miss(const mpegts::TsBlock& block) {
  if (slow_) series_.missed_bytes.add(static_cast<double>(block.bytes.size()));
}

void SrtReceiver::deliver(const mpegts::TsBlock& block) {
  if (!link_) return;
  if (!flows_ && !block.starts) return miss(block);
  flows_ = true;
  slow_ = false;
  const std::size_t fits = link_->max_payload_bytes() / mpegts::kPacketBytes * mpegts::kPacketBytes;
  const std::size_t step = std::min(fits, mpegts::kMessageBytes);
  if (step == 0) return;
  for (std::size_t at = 0; at < block.bytes.size(); at += step) {
    const auto sent = link_->send(block.bytes.slice(at, std::min(step, block.bytes.size() - at)));
    if (sent) continue;
    series_.bytes.add(static_cast<double>(at));
    flows_ = false;
    if (sent.error().code != Errc::full) return;  // it is going; ended() follows
    slow_ = true;
    ++moved_on_;
    series_.moved_on.increment();
    series_.missed_bytes.add(static_cast<double>(block.bytes.size() - at));
    return;
  }
  series_.bytes.add(static_cast<double>(block.bytes.size()));
}

}  // namespace kapok::delivery
