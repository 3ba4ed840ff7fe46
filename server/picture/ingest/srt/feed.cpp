#include "server/picture/ingest/srt/feed.hpp"

#include <algorithm>
#include <utility>

namespace kapok::ingest {

using media::FeedEnd;

namespace {
constexpr nanoseconds kReportEvery = seconds(1);

std::string per_cent(double share) {
  return fmt::format("{:.1f}", share * 100);
}
}  // namespace

void SrtCloseOrder::give(std::string_view why) {
  if (reason_) return;
  reason_ = "channel: " + std::string(why);
  if (const auto feed = feed_.lock()) feed->cut(*reason_, FeedEnd::replaced);
}

void SrtCloseOrder::attach(const std::shared_ptr<SrtFeed>& feed) {
  feed_ = feed;
  if (reason_) feed->cut(*reason_, FeedEnd::replaced);
}

SrtFeed::SrtFeed(SrtCarrier carrier, SrtFeedNames names, SrtFeedServices services)
    : carrier_(std::move(carrier)),
      names_(std::move(names)),
      services_(std::move(services)),
      log_(services_.log.with("channel", names_.channel).with("feed", names_.feed)),
      began_(services_.shard.now()),
      last_message_(began_),
      next_report_(began_ + kReportEvery),
      feed_metrics_(services_.series, names_.channel, names_.feed) {}

SrtFeed::~SrtFeed() {
  if (granted_) services_.metrics.publishing.add(-1);
}

void SrtFeed::grant(std::shared_ptr<media::FeedSink> sink) {
  sink_ = std::move(sink);
  granted_ = true;
  services_.metrics.publishing.add(1);
  log_.info("srt.publishing", {{"peer", links_.empty() ? "" : links_.front().peer},
                               {"encoder", names_.encoder},
                               {"bonded", carrier_.is_group()}});
}

void SrtFeed::add_link(SrtLink link) {
  if (link.place) link.place->opened();
  links_.push_back(std::move(link));
  services_.metrics.connections.add(1);
  remember(carrier_.stats(services_.shard.now()));
  if (carrier_.is_group())
    log_.info("srt.link_joined", {{"peer", links_.back().peer}, {"links", links_left()}});
}

std::size_t SrtFeed::links_left() const {
  return static_cast<std::size_t>(std::ranges::count(links_, false, &SrtLink::left));
}

void SrtFeed::cut(std::string reason, FeedEnd end) {
  if (!cut_) cut_ = Cut{std::move(reason), end};
}

const net::UdpPath& SrtFeed::path_to(const srt::PeerAddress& peer) const {
  for (const SrtLink& link : links_)
    if (peer_address(link.path.peer) == peer) return link.path;
  return links_.front().path;  // not reached: it answers its own links only
}

MonoTime SrtFeed::next_deadline() const {
  if (cut_ && !cut_->told) return MonoTime::min();
  return std::min(carrier_.next_deadline(), next_report_);
}

void SrtFeed::receive(MonoTime now, srt::SocketId id, const net::ReceivedDatagram& datagram,
                      srt::Output& out) {
  carrier_.receive(now, id, peer_address(datagram.path.peer), datagram.bytes, out);
  if (!out.events.empty()) handle(now, out);
}

bool SrtFeed::advance(MonoTime now, srt::Output& out) {
  if (over_) return false;
  std::erase_if(links_, [](const SrtLink& link) { return link.left; });
  if (cut_ && !std::exchange(cut_->told, true)) carrier_.shutdown(now, out);
  carrier_.advance(now, out);
  handle(now, out);
  if (over_) return false;
  if (now >= next_report_) {
    next_report_ = now + kReportEvery;
    report(now);
  }
  if (now - last_message_ > services_.idle_deadline) cut("silent for too long", FeedEnd::silent);
  return true;
}

void SrtFeed::handle(MonoTime now, srt::Output& out) {
  const srt::Closed* closed = nullptr;
  for (const srt::Event& event : out.events) {
    if (const auto* message = std::get_if<srt::Message>(&event)) {
      last_message_ = now;
      this->message(*message);
    } else if (const auto* gone = std::get_if<srt::Closed>(&event)) {
      if (gone->link != 0)
        link_closed(*gone);
      else
        closed = gone;
    }
  }
  deliver();
  if (closed != nullptr) end(closed->reason);
  out.events.clear();
}

void SrtFeed::message(const srt::Message& message) {
  if (!sink_ || cut_) return;
  const auto pushed = demuxer_.push(message.source_at + latency_, message.payload.bytes(), items_);
  if (!pushed) cut(pushed.error().message, FeedEnd::error);
}

void SrtFeed::deliver() {
  for (const std::string& notice : demuxer_.take_notices())
    log_.warn("srt.left_out", {{"what", notice}});
  for (media::FeedItem& item : items_) {
    const auto taken = sink_->accept(std::move(item));
    if (taken) continue;
    // The channel has let go of it: no EndOfFeed either.
    sink_.reset();
    cut(taken.error().message, FeedEnd::replaced);
    break;
  }
  items_.clear();
}

void SrtFeed::link_closed(const srt::Closed& closed) {
  const auto link = std::ranges::find(links_, closed.link, &SrtLink::id);
  if (link == links_.end() || link->left) return;
  link->left = true;
  services_.shard.forget(closed.link);
  services_.metrics.connections.add(-1);
  log_.info(
      "srt.link_left",
      {{"peer", link->peer}, {"reason", srt::name_of(closed.reason)}, {"links", links_left()}});
  if (ended_) ended_(closed.link);
}

void SrtFeed::end(srt::CloseReason reason) {
  over_ = true;
  FeedEnd how = FeedEnd::connection_lost;
  std::string why(srt::name_of(reason));
  switch (reason) {
    case srt::CloseReason::peer_shutdown:
      how = FeedEnd::unpublished;
      break;
    case srt::CloseReason::peer_silent:
      break;
    case srt::CloseReason::own_shutdown:
      if (cut_) {
        how = cut_->end;
        why = cut_->reason;
      }
      break;
  }
  if (sink_) {
    demuxer_.finish(items_);
    items_.emplace_back(media::EndOfFeed{how});
    for (media::FeedItem& item : items_)
      if (!sink_->accept(std::move(item))) break;
    items_.clear();
    sink_.reset();
  }
  services_.metrics.connections.add(-static_cast<double>(links_left()));
  const auto lasted = services_.shard.now() - began_;
  log_.info("srt.closed", {{"peer", links_.empty() ? "" : links_.front().peer},
                           {"protocol", "srt"},
                           {"encoder", names_.encoder},
                           {"encryption", encryption_},
                           {"seconds", std::chrono::duration<double>(lasted).count()},
                           {"packets", totals_.received},
                           {"lost", totals_.lost},
                           {"retransmitted", totals_.retransmitted},
                           {"dropped", totals_.dropped},
                           {"reason", why}});
  if (ended_) ended_(0);
}

void SrtFeed::remember(const srt::GroupStats& stats) {
  if (stats.links.empty()) return;
  totals_ = totals_of(stats);
  encryption_ = stats.links.front().link.encryption;
  latency_ = stats.links.front().link.receive_latency;
}

void SrtFeed::report(MonoTime now) {
  const srt::GroupStats stats = carrier_.stats(now);
  remember(stats);
  feed_metrics_.show(stats);
  microseconds rtt{0};
  for (const srt::GroupLinkStats& each : stats.links) rtt = std::max(rtt, each.link.rtt);
  const double rtt_ms = std::chrono::duration<double, std::milli>(rtt).count();
  const SrtHealth::News news = health_.look(now, totals_);
  if (const auto* bad = std::get_if<SrtHealth::Degraded>(&news))
    log_.warn("srt.degraded", {{"loss_percent", per_cent(bad->loss)},
                               {"lost", bad->during.lost},
                               {"retransmitted", bad->during.retransmitted},
                               {"belated", bad->during.belated},
                               {"dropped", bad->during.dropped},
                               {"undecrypted", bad->during.undecrypted},
                               {"rtt_ms", rtt_ms},
                               {"latency_ms", latency_.count()},
                               {"links", stats.links.size()}});
  else if (const auto* good = std::get_if<SrtHealth::Recovered>(&news))
    log_.info("srt.recovered", {{"seconds", std::chrono::duration<double>(good->lasted).count()},
                                {"lost", good->during.lost},
                                {"retransmitted", good->during.retransmitted},
                                {"dropped", good->during.dropped},
                                {"rtt_ms", rtt_ms}});
}

SrtFeedStats SrtFeed::stats(MonoTime now) const {
  SrtFeedStats stats{names_.channel,      names_.feed,     carrier_.stats(now), {},
                     carrier_.is_group(), demuxer_.stats()};
  for (const srt::GroupLinkStats& each : stats.transport.links) {
    const auto link = std::ranges::find(links_, each.link.socket_id, &SrtLink::id);
    stats.peers.push_back(link != links_.end() ? link->peer : "");
  }
  return stats;
}

}  // namespace kapok::ingest
