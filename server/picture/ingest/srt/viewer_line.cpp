#include "server/picture/ingest/srt/viewer_line.hpp"

#include <utility>

namespace kapok::ingest {

class SrtViewerLine::Link final : public srt::ViewerLink {
 public:
  explicit Link(std::weak_ptr<SrtViewerLine> line) : line_(std::move(line)) {}

  Result<void> send(Buffer message) override {
    const auto line = line_.lock();
    if (!line || line->over_ || line->cut_) return fail(Errc::closed, "the caller has gone");
    line->sent_ = true;
    return line->carrier_.send(line->shard_.now(), std::move(message));
  }
  std::size_t max_payload_bytes() const override {
    const auto line = line_.lock();
    return line ? line->carrier_.max_payload_bytes() : 0;
  }
  void close(std::string_view reason) override {
    if (const auto line = line_.lock()) line->cut(std::string(reason));
  }
  srt::LinkStats stats() const override {
    const auto line = line_.lock();
    if (!line || line->over_) return {};
    return line->carrier_.stats(line->shard_.now()).links.front().link;
  }

 private:
  std::weak_ptr<SrtViewerLine> line_;
};

SrtViewerLine::SrtViewerLine(SrtCarrier carrier, SrtLink link, std::shared_ptr<srt::Viewer> viewer,
                             SrtShard& shard, SrtMetrics& metrics)
    : carrier_(std::move(carrier)),
      link_(std::move(link)),
      viewer_(std::move(viewer)),
      shard_(shard),
      metrics_(metrics) {
  if (link_.place) link_.place->opened();
  metrics_.viewing.add(1);
  metrics_.connections.add(1);
}

SrtViewerLine::~SrtViewerLine() {
  metrics_.viewing.add(-1);
  metrics_.connections.add(-1);
}

void SrtViewerLine::begin() {
  viewer_->begin(std::make_shared<Link>(weak_from_this()));
}

void SrtViewerLine::cut(std::string reason) {
  if (!cut_) cut_ = std::move(reason);
}

MonoTime SrtViewerLine::next_deadline() const {
  if (sent_ || (cut_ && !told_)) return MonoTime::min();
  return carrier_.next_deadline();
}

void SrtViewerLine::receive(MonoTime now, srt::SocketId id, const net::ReceivedDatagram& datagram,
                            srt::Output& out) {
  carrier_.receive(now, id, peer_address(datagram.path.peer), datagram.bytes, out);
  handle(out);
}

bool SrtViewerLine::advance(MonoTime now, srt::Output& out) {
  if (over_) return false;
  sent_ = false;
  if (cut_ && !std::exchange(told_, true)) carrier_.shutdown(now, out);
  carrier_.advance(now, out);
  handle(out);
  return !over_;
}

void SrtViewerLine::handle(srt::Output& out) {
  for (const srt::Event& event : out.events) {
    // What a viewer sends is of no interest: only that it goes.
    const auto* closed = std::get_if<srt::Closed>(&event);
    if (closed == nullptr || std::exchange(over_, true)) continue;
    viewer_->ended(closed->reason == srt::CloseReason::own_shutdown && cut_
                       ? std::string_view(*cut_)
                       : srt::name_of(closed->reason));
  }
  out.events.clear();
}

}  // namespace kapok::ingest
