#include "server/picture/ingest/rtmp/connection.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace kapok::ingest {

namespace asio = boost::asio;
using media::FeedEnd;
using rtmp::SessionState;

namespace {
constexpr nanoseconds kLinger = seconds(2);  // for the peer to read why it was refused
constexpr std::size_t kMaxPendingOutput = std::size_t{256} * 1024;

rtmp::ServerSessionOptions session_options(const RtmpListenerOptions& options) {
  return {options.application};
}

// How encoders name the refusals. [FMS: NetStream.Publish.*]
std::string_view refusal_code(Errc code) {
  switch (code) {
    case Errc::conflict:
    case Errc::not_found:
    case Errc::malformed:
      return "BadName";
    case Errc::denied:
      return "Unauthorized";
    default:
      return "Rejected";
  }
}

// What a stranger may know: not whether a channel exists, nor what a key should have been.
std::string refusal_text(const Error& error) {
  switch (error.code) {
    case Errc::conflict:
      return "this feed is being published by another encoder; stop that one, or use another key";
    case Errc::denied:
    case Errc::not_found:
      return "no such channel or wrong key; publish to live/<channel>?key=<key>";
    default:
      return error.message;
  }
}
}  // namespace

// Called on the feed's home; `connection` runs on `shard` from `armed` on.
struct RtmpConnection::CloseOrder {
  std::weak_ptr<RtmpConnection> connection;
  std::optional<asio::any_io_executor> shard;
  std::optional<std::string> reason;

  void arm(asio::any_io_executor on) {
    shard = std::move(on);
    if (reason) carry_out();
  }
  void give(std::string_view why) {
    if (reason) return;
    reason = std::string(why);
    if (shard) carry_out();
  }
  void carry_out() {
    // Only the publish that this order belongs to: the connection may have begun another.
    asio::post(*shard, [weak = connection, order = this, why = *reason] {
      if (const auto open = weak.lock(); open && open->close_order_.get() == order)
        open->dismiss("channel: " + why, FeedEnd::replaced);
    });
  }
};

RtmpMetrics::RtmpMetrics(Metrics& metrics)
    : connections(metrics.gauge("kapok_rtmp_connections", "RTMP connections open", {})),
      publishing(metrics.gauge("kapok_rtmp_publishing", "Feeds published over RTMP now", {})),
      bytes(metrics.counter("kapok_rtmp_received_bytes_total", "Bytes read from publishers", {})),
      refused(metrics.counter("kapok_rtmp_refused_total", "Publishes refused", {})),
      rejected(metrics.counter("kapok_rtmp_rejected_total", "Connections over a limit", {})) {}

RtmpConnection::RtmpConnection(RtmpShared shared, RtmpTransport transport, RtmpPeer peer)
    : shared_(shared),
      transport_(std::move(transport)),
      peer_(std::move(peer)),
      session_(session_options(shared.options)),
      accepted_(shared.services.clock.mono()) {
  ++shared_.alive;
  shared_.metrics.connections.add(1);
}

RtmpConnection::~RtmpConnection() {
  if (watchdog_) detach();  // its task ended by an exception
  shared_.metrics.connections.add(-1);
  --shared_.alive;
}

Task<> RtmpConnection::run(std::shared_ptr<RtmpConnection> self, RtmpShard* shard) {
  self->attach(*shard);
  co_await self->serve(shard);
}

void RtmpConnection::attach(RtmpShard& shard) {
  shard_ = &shard;
  shard.connections.insert(this);
  watchdog_.emplace(shard.executor, [this] {
    const bool publishing = session_.state() == SessionState::publishing;
    cut(publishing ? "silent for too long" : "too slow", FeedEnd::silent);
  });
  if (shard.draining) ask_to_leave();
}

void RtmpConnection::detach() {
  watchdog_.reset();
  shard_->connections.erase(this);
}

void RtmpConnection::watch(nanoseconds deadline) {
  watchdog_->arm(deadline);
}

Task<> RtmpConnection::serve(RtmpShard* shard) {
  Result<Next> next = Next::go_on;
  if (!secured_) {
    watch(shared_.options.handshake_deadline);
    auto shaken = co_await transport_.handshake();
    if (!shaken) next = std::unexpected(std::move(shaken).error());
    secured_ = true;
  } else if (feed_) {
    if (!transport_.is_tls()) transport_.set_wakes(RtmpTransport::Wakes::when_nearly_full);
    watch(shared_.options.idle_deadline);
    auto answered = co_await flush();
    if (!answered) next = std::unexpected(std::move(answered).error());
  }
  while (next && *next == Next::go_on) next = co_await turn(shard);
  if (next && *next == Next::moved) co_return;

  last_state_ = session_.state();
  if (!next && reason_.empty()) {
    reason_ = next.error().message;
    if (next.error().code != Errc::closed && next.error().code != Errc::io) end_ = FeedEnd::error;
  }
  co_await end_feed(end_);
  co_await linger();
  log_closed();
  detach();
}

Task<Result<std::size_t>> RtmpConnection::read() {
  // TLS holds back bytes of its own.
  if (feed_ && !transport_.is_tls()) return transport_.read(session_.read_room(), &shard_->rounds);
  return transport_.read(session_.read_room());
}

Task<Result<RtmpConnection::Next>> RtmpConnection::turn(RtmpShard* shard) {
  const SessionState before = session_.state();
  std::size_t count = 0;
  if (!std::exchange(resume_, false)) {
    const auto got = co_await read();
    if (reason_.empty()) count = KAPOK_CO_TRY(got);
  }
  if (!reason_.empty()) co_return Next::over;
  shared_.metrics.bytes.add(static_cast<double>(count));
  const MonoTime now = shared_.services.clock.mono();
  Result<void> received = session_.received(now, count);

  // What came whole before an error is still good.
  flv::FlvDemuxer::Items items;
  session_.take_events(events_);
  std::optional<rtmp::PublishAsked> asked;
  bool ended = false;
  for (rtmp::ServerEvent& event : events_) {
    if (auto* media = std::get_if<rtmp::MediaMessage>(&event)) {
      if (feed_ && !ended && received) received = demux(*media, items, now);
    } else if (auto* publish = std::get_if<rtmp::PublishAsked>(&event)) {
      asked = std::move(*publish);
    } else {
      ended = true;
    }
  }
  events_.clear();  // releases the payloads before we wait for anything
  if (!items.empty()) {
    const auto taken = co_await deliver(std::move(items));
    if (!taken) {
      session_.end_publish(taken.error().message);
      received = taken;
    }
  }
  if (ended) co_await end_feed(FeedEnd::unpublished);
  const auto flushed = co_await flush();
  KAPOK_CO_TRY(std::move(received));
  KAPOK_CO_TRY(flushed);
  if (!reason_.empty()) co_return Next::over;
  if (asked) {
    auto next = co_await ask(*std::move(asked), shard);
    co_return next;
  }
  const SessionState after = session_.state();
  if (after == SessionState::refused) {
    reason_ = fmt::format("refused: {}", session_.refusal());
    co_return Next::over;
  }
  if (after == SessionState::publishing || ended)
    watch(shared_.options.idle_deadline);
  else if (before == SessionState::handshake && after != before)
    watch(shared_.options.publish_deadline);
  co_return Next::go_on;
}

Task<Result<RtmpConnection::Next>> RtmpConnection::ask(rtmp::PublishAsked asked, RtmpShard* shard) {
  // The directory decides in its own time; the peer is not to blame for it.
  watchdog_->disarm();
  close_order_ = std::make_shared<CloseOrder>();
  close_order_->connection = weak_from_this();
  media::PublishRequest request;
  request.protocol =
      transport_.is_tls() ? media::IngestProtocol::rtmps : media::IngestProtocol::rtmp;
  request.channel = asked.target.channel;
  request.key = std::move(asked.target.key);
  request.peer = peer_.name;
  request.encoder = std::move(asked.encoder);
  request.close = [order = close_order_](std::string_view reason) { order->give(reason); };
  channel_ = std::move(asked.target.channel);

  auto grant = co_await shared_.services.feeds.open(std::move(request));
  if (!grant) {
    shared_.metrics.refused.increment();
    reason_ = "publish refused: " + grant.error().message;
    session_.refuse_publish(refusal_code(grant.error().code), refusal_text(grant.error()));
    const auto flushed = co_await flush();
    KAPOK_CO_TRY(flushed);
    co_return Next::over;
  }
  auto next = co_await begin_feed(*std::move(grant), shard);
  co_return next;
}

Task<Result<RtmpConnection::Next>> RtmpConnection::begin_feed(media::FeedGrant grant,
                                                              RtmpShard* shard) {
  peer_.place.opened();
  feed_name_ = grant.feed;
  const asio::any_io_executor home = grant.home;
  feed_.emplace(Feed{});
  feed_->grant = std::move(grant);
  shared_.metrics.publishing.add(1);
  session_.grant_publish();
  resume_ = true;
  shared_.services.log.info("rtmp.publishing", {{"peer", peer_.name},
                                                {"channel", channel_},
                                                {"feed", feed_name_},
                                                {"encoder", std::string(session_.encoder())}});
  RtmpShard* home_shard = nullptr;
  for (const auto& candidate : shared_.shards)
    if (candidate->executor == home) home_shard = candidate.get();

  if (home_shard != nullptr && home_shard != shard && !transport_.is_tls() && reason_.empty()) {
    const bool moved = co_await move_to(home_shard, shard);
    if (moved) co_return Next::moved;
    co_return fail(Errc::io, "the socket could not be moved to its channel's shard");
  }
  if (home == shard->executor) {
    close_order_->arm(shard->executor);
  } else {
    auto arm = [](std::shared_ptr<CloseOrder> order, asio::any_io_executor on) -> Task<> {
      order->arm(std::move(on));
      co_return;
    };
    co_await asio::co_spawn(home, arm(close_order_, shard->executor), asio::use_awaitable);
  }
  if (!transport_.is_tls()) transport_.set_wakes(RtmpTransport::Wakes::when_nearly_full);
  watch(shared_.options.idle_deadline);
  const auto flushed = co_await flush();
  KAPOK_CO_TRY(flushed);
  co_return Next::go_on;
}

Task<bool> RtmpConnection::move_to(RtmpShard* home, RtmpShard* from) {
  auto loose = transport_.loosen();
  if (!loose) co_return false;
  detach();
  auto settle = [](std::shared_ptr<RtmpConnection> self, RtmpTransport::Loose socket,
                   RtmpShard* shard) -> Task<bool> {
    if (!self->transport_.fasten(socket, shard->executor)) co_return false;
    self->close_order_->arm(shard->executor);
    spawn(self, *shard);
    co_return true;
  };
  const bool settled = co_await asio::co_spawn(
      home->executor, settle(shared_from_this(), *loose, home), asio::use_awaitable);
  // Settled: from here on every member belongs to the other shard.
  if (!settled) attach(*from);
  co_return settled;
}

void RtmpConnection::spawn(std::shared_ptr<RtmpConnection> self, RtmpShard& shard) {
  const Log log = self->shared_.services.log;
  shard.tasks.spawn(run(std::move(self), &shard), [log](const std::string& what) {
    log.error("rtmp.task_failed", {{"what", what}});
  });
}

Result<void> RtmpConnection::demux(const rtmp::MediaMessage& message, flv::FlvDemuxer::Items& items,
                                   MonoTime now) {
  flv::FlvDemuxer& demuxer = feed_->demuxer;
  Result<void> outcome;
  switch (message.kind) {
    case rtmp::MediaKind::video:
      outcome = demuxer.video(message.timestamp, message.body, now, items);
      break;
    case rtmp::MediaKind::audio:
      outcome = demuxer.audio(message.timestamp, message.body, now, items);
      break;
    case rtmp::MediaKind::script:
      outcome = demuxer.script(message.body);
      tell_encoder();
      break;
  }
  for (const std::string& notice : demuxer.take_notices())
    shared_.services.log.warn(
        "rtmp.left_out",
        {{"peer", peer_.name}, {"channel", channel_}, {"feed", feed_name_}, {"what", notice}});
  return outcome;
}

// flashVer, which rtmp.publishing shows, is as a rule that of a library; this is the program.
void RtmpConnection::tell_encoder() {
  const std::string& encoder = feed_->demuxer.hints().encoder;
  if (encoder.empty() || std::exchange(feed_->encoder_told, true)) return;
  shared_.services.log.info(
      "rtmp.encoder",
      {{"peer", peer_.name}, {"channel", channel_}, {"feed", feed_name_}, {"encoder", encoder}});
}

Task<Result<void>> RtmpConnection::deliver(flv::FlvDemuxer::Items items) {
  auto accept_all = [](std::shared_ptr<media::FeedSink> sink,
                       flv::FlvDemuxer::Items all) -> Task<Result<void>> {
    for (media::FeedItem& item : all) KAPOK_CO_TRY(sink->accept(std::move(item)));
    co_return Result<void>();
  };
  if (feed_->refused) co_return Result<void>();
  Result<void> taken;
  if (feed_->grant.home == shard_->executor) {
    for (std::size_t i = 0; i < items.size() && taken; ++i)
      taken = feed_->grant.sink->accept(std::move(items[i]));
  } else {
    // Awaited, so at most one read's worth is on its way: a slow home slows this peer alone.
    taken = co_await asio::co_spawn(
        feed_->grant.home, accept_all(feed_->grant.sink, std::move(items)), asio::use_awaitable);
  }
  if (!taken) feed_->refused = true;
  co_return taken;
}

Task<> RtmpConnection::end_feed(FeedEnd reason) {
  if (!feed_) co_return;
  flv::FlvDemuxer::Items last;
  last.emplace_back(media::EndOfFeed{reason});
  [[maybe_unused]] const auto taken = co_await deliver(std::move(last));
  feed_.reset();
  if (!transport_.is_tls()) transport_.set_wakes(RtmpTransport::Wakes::on_any_byte);
  close_order_.reset();
  shared_.metrics.publishing.add(-1);
}

Task<Result<void>> RtmpConnection::flush() {
  if (writing_) {
    // Whoever is writing takes this along.
    if (session_.output_size() > kMaxPendingOutput)
      co_return fail(Errc::limit, "the peer does not read");
    co_return Result<void>();
  }
  writing_ = true;
  Result<void> written;
  while (written && session_.output_size() > 0) {
    outgoing_ = session_.take_output();
    written = co_await transport_.write(outgoing_);
  }
  writing_ = false;
  co_return written;
}

Task<> RtmpConnection::flush_later(std::shared_ptr<RtmpConnection> self) {
  // A failed write shows at the next read.
  [[maybe_unused]] const auto flushed = co_await self->flush();
}

Task<> RtmpConnection::linger() {
  constexpr std::size_t kMaxDrained = std::size_t{1024} * 1024;
  if (last_state_ == SessionState::refused || session_.state() == SessionState::refused) {
    // Closing with unread bytes would reset the connection and take our answer with it.
    watch(kLinger);
    [[maybe_unused]] const auto told = co_await flush();
    transport_.end_sending();
    std::array<std::byte, 4096> scratch;
    for (std::size_t drained = 0; drained < kMaxDrained;) {
      const auto read = co_await transport_.read({std::span<std::byte>(), std::span(scratch)});
      if (!read) break;
      drained += *read;
    }
  }
  transport_.close();
}

void RtmpConnection::ask_to_leave() {
  if (!feed_) {
    cut("draining", FeedEnd::connection_lost);
  } else if (session_.request_reconnect("this server is going down for maintenance")) {
    shard_->tasks.spawn(flush_later(shared_from_this()));
  }
}

void RtmpConnection::cut(std::string reason, FeedEnd end) {
  if (reason_.empty()) {
    reason_ = std::move(reason);
    end_ = end;
  }
  transport_.close();
}

void RtmpConnection::dismiss(std::string reason, FeedEnd end) {
  if (session_.state() != SessionState::publishing) return cut(std::move(reason), end);
  if (!reason_.empty()) return;
  session_.end_publish(reason);
  reason_ = std::move(reason);
  end_ = end;
  // The publisher sends on, which ends its turn and lets it linger; one that does not is cut.
  watch(kLinger);
  shard_->tasks.spawn(flush_later(shared_from_this()));
}

void RtmpConnection::log_closed() {
  const auto lasted = shared_.services.clock.mono() - accepted_;
  shared_.services.log.info("rtmp.closed",
                            {{"peer", peer_.name},
                             {"protocol", transport_.is_tls() ? "rtmps" : "rtmp"},
                             {"state", name_of(last_state_)},
                             {"offset", session_.offset()},
                             {"channel", channel_},
                             {"feed", feed_name_},
                             {"encoder", std::string(session_.encoder())},
                             {"seconds", std::chrono::duration<double>(lasted).count()},
                             {"reason", reason_}});
}

}  // namespace kapok::ingest
