#include "server/app/send/sender.hpp"

#include <algorithm>
#include <boost/asio/ip/udp.hpp>
#include <csignal>
#include <cstdlib>

#include "server/base/crypto.hpp"
#include "server/picture/protocols/srt/packet.hpp"
#include "server/picture/protocols/srt/reject_reason.hpp"

namespace kapok::send_app {

namespace {

namespace asio = boost::asio;

// What arrives while the loop is busy; acknowledgements and loss reports only.
constexpr std::size_t kSlabBytes = std::size_t{16} * 1024 * 1024;
constexpr milliseconds kShortestSleep{1};
constexpr milliseconds kLookForInput{5};
constexpr seconds kReportEvery{1};
// An input that stalls for longer than this goes on from where it is, instead of hurrying.
constexpr milliseconds kMaxBehind{500};
// After the last message the receiver still holds back `latency` of it, and may ask again.
constexpr milliseconds kAfterTheEnd{500};

// A random name for this end of a link or group; unique in this process for all that matters.
srt::SocketId fresh_id() {
  const auto bytes = random_bytes<4>();
  return (srt::load_u32(bytes.data()) & 0x3FFF'FFFF) | 1;
}

}  // namespace

Sender::Sender(asio::io_context& context, const Options& options, std::unique_ptr<Input> input,
               Say say)
    : options_(options),
      input_(std::move(input)),
      say_(std::move(say)),
      context_(context),
      timer_(context),
      signals_(context, SIGINT, SIGTERM),
      tasks_(context.get_executor()),
      slabs_(kSlabBytes),
      started_at_(clock_.mono()),
      next_report_(started_at_ + kReportEvery) {
  if (options_.bond)
    group_ = std::make_unique<srt::Group>(
        started_at_, srt::GroupOptions{.type = *options_.bond, .group_id = fresh_id()});
}
Sender::~Sender() = default;

Result<void> Sender::open_links() {
  for (const LinkTarget& target : options_.links)
    links_.push_back(KAPOK_TRY(Link::open(target, slabs_, context_.get_executor())));
  return {};
}

void Sender::stop() {
  if (stopping_) std::_Exit(130);  // the second Ctrl-C
  stopping_ = true;
  timer_.cancel();
}

Task<> Sender::run() {
  for (auto& link : links_) tasks_.spawn(read(link.get()));
  signals_.async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    stop();
    signals_.async_wait([this](const boost::system::error_code& again, int) {
      if (!again) stop();
    });
  });
  while (!stopping_) {
    turn(clock_.mono());
    timer_.expires_at(next_deadline(clock_.mono()));
    [[maybe_unused]] auto [waited] = co_await timer_.async_wait(kAsValue);
  }
  const MonoTime now = clock_.mono();
  watch_stats(now);
  if (group_) group_->shutdown(now, out_);
  if (connection_) connection_->shutdown(now, out_);
  flush();
  for (auto& link : links_) link->socket->close();
  signals_.cancel();
  co_await tasks_.drain();
  say_(summary(std::chrono::duration_cast<milliseconds>(now - feed_began_.value_or(now)),
               fed_bytes_, undelivered_, lines()));
}

void Sender::turn(MonoTime now) {
  start_calls(now);
  finish_calls(now);
  feed(now);
  advance(now);
  if (now >= next_report_) {
    watch_stats(now);
    const double mbps = static_cast<double>(fed_bytes_ - fed_bytes_shown_) * 8 / 1e6;
    fed_bytes_shown_ = fed_bytes_;
    if (progress_ == Progress::each_second)
      say_(progress_line(std::chrono::duration_cast<seconds>(now - started_at_), mbps, lines()));
    next_report_ = now + kReportEvery;
  }
  end_when_delivered(now);
}

// --- calling

void Sender::start_calls(MonoTime now) {
  if (fed_at_) return;
  for (auto& link : links_) {
    if (link->state != LinkState::waiting || now < link->next_call) continue;
    link->state = LinkState::resolving;
    tasks_.spawn(call(link.get()));
  }
}

Task<> Sender::call(Link* link) {
  asio::ip::udp::resolver resolver(context_);
  auto [error, found] = co_await resolver.async_resolve(
      link->target.host, std::to_string(link->target.port), kAsValue);
  if (stopping_) co_return;
  const MonoTime now = clock_.mono();
  if (error || found.empty()) {
    lose(now, *link,
         fmt::format("the name {} is not known ({})", link->target.host, error.message()));
    co_return;
  }
  link->id = fresh_id();
  link->peer_id = 0;
  link->refused = false;
  srt::CallOptions options;
  options.peer = peer_of(found.begin()->endpoint());
  options.socket_id = link->id;
  options.link.latency = options_.latency;
  options.link.encryption.passphrase = options_.passphrase;
  options.link.encryption.key_bytes = srt::kMaxKeyBytes;
  options.link.encryption.mode = options_.cipher;
  options.link.filter = options_.filter;
  options.stream_id = options_.stream_id;
  options.group = group_.get();
  options.weight = link->target.weight;
  link->caller.emplace(now, srt::Caller::Mode::caller, std::move(options));
  link->state = LinkState::calling;
  timer_.cancel();
}

void Sender::finish_calls(MonoTime now) {
  for (auto& link : links_) {
    if (!link->caller) continue;
    link->caller->advance(now, calls_);
    flush_by(*link, calls_);
    if (link->caller->done()) take_call(now, *link);
  }
  if (feed_began_ || !all_refused()) return;
  exit_code_ = kExitFailed;
  stopping_ = true;
}

void Sender::take_call(MonoTime now, Link& link) {
  const std::uint32_t code = link.caller->reject_code();
  auto connected = link.caller->take(now);
  if (!connected) {
    link.refused = code != 0;
    const auto reason = static_cast<srt::RejectReason>(code);
    return lose(now, link,
                link.refused ? fmt::format("refused ({} {}): {}", code, srt::name_of(reason),
                                           srt::explain(reason))
                             : connected.error().message);
  }
  link.caller.reset();
  link.state = LinkState::up;
  link.back_off = {};
  if (*connected) connection_ = std::move(*connected);
  watch_stats(now);
  say_(fmt::format("{}: connected; latency {} ms, encryption {}\n", link.target.name(),
                   link.stats.send_latency.count(), link.stats.encryption));
}

bool Sender::all_refused() const {
  return std::ranges::all_of(links_, [](const auto& link) { return link->refused; });
}

void Sender::lose(MonoTime now, Link& link, const std::string& why) {
  link.fail(now);
  say_(fmt::format("{}: {}\n", link.target.name(), why));
}

// --- datagrams

Task<> Sender::read(Link* link) {
  std::vector<net::ReceivedDatagram> came;
  while (true) {
    const bool open = co_await link->socket->wait_readable();
    if (!open) co_return;
    const MonoTime now = clock_.mono();
    bool more = true;
    while (more) {
      came.clear();
      more = link->socket->receive(came);
      for (auto& datagram : came) {
        const srt::PeerAddress from = peer_of(datagram.path.peer);
        if (srt::destination_of(datagram.bytes.bytes()) != link->id) continue;
        if (link->caller) {
          if (const auto id = announced_id(datagram.bytes.bytes()); id != 0) link->peer_id = id;
          link->caller->receive(now, from, datagram.bytes.bytes(), calls_);
          flush_by(*link, calls_);
        } else if (group_ && link->state == LinkState::up) {
          group_->receive(now, link->id, from, std::move(datagram.bytes), out_);
        } else if (connection_) {
          connection_->receive(now, from, std::move(datagram.bytes), out_);
        }
      }
    }
    timer_.cancel();
  }
}

void Sender::flush_by(Link& link, srt::Output& out) {
  std::vector<net::UdpPath> paths;
  std::vector<net::DatagramToSend> batch;
  paths.reserve(out.datagrams.size());
  for (const srt::Datagram& datagram : out.datagrams) {
    paths.push_back(link.path_to(datagram.to));
    batch.push_back({&paths.back(), datagram.head_bytes(), datagram.payload.bytes()});
  }
  link.socket->send(batch);
  out.datagrams.clear();
}

// The header's destination is the listener's name for the link, and so says which it is.
void Sender::flush() {
  if (links_.size() == 1) return flush_by(*links_.front(), out_);
  srt::Output mine;
  for (auto& link : links_) {
    for (srt::Datagram& datagram : out_.datagrams)
      if (srt::destination_of(datagram.head_bytes()) == link->peer_id)
        mine.datagrams.push_back(std::move(datagram));
    if (!mine.datagrams.empty()) flush_by(*link, mine);
  }
  out_.datagrams.clear();
}

// --- the feed

void Sender::feed(MonoTime now) {
  const bool up =
      std::ranges::any_of(links_, [](const auto& link) { return link->state == LinkState::up; });
  // Nothing of the input is lost before somebody listens.
  if (!feed_began_ && !up) return;
  if (!feed_began_) feed_began_ = options_.pace == Pace::arrival ? input_->opened_at() : now;
  while (const auto due = input_->next_due()) {
    MonoTime at = *feed_began_ + *due;
    if (at > now) break;
    if (now - at > kMaxBehind) {
      *feed_began_ += now - at;
      at = now;
    }
    if (up) {
      TsMessage message = input_->pop();
      const std::size_t size = message.bytes.size();
      const auto sent = group_ ? group_->send(now, std::move(message.bytes), at)
                               : connection_->send(now, std::move(message.bytes), at);
      if (sent)
        fed_bytes_ += size;
      else
        ++undelivered_;
    } else {
      input_->pop();
      ++undelivered_;
    }
  }
}

void Sender::advance(MonoTime now) {
  if (group_) group_->advance(now, out_);
  if (connection_) connection_->advance(now, out_);
  flush();
  const std::vector<srt::Event> events = std::move(out_.events);
  out_.events.clear();
  for (const srt::Event& event : events)
    if (const auto* closed = std::get_if<srt::Closed>(&event)) handle(now, *closed);
}

void Sender::handle(MonoTime now, const srt::Closed& closed) {
  for (auto& link : links_) {
    const bool mine = group_ ? link->id == closed.link : true;
    if (mine && link->state == LinkState::up)
      lose(now, *link, fmt::format("the link was lost: {}", srt::name_of(closed.reason)));
  }
  if (!group_) connection_.reset();
}

void Sender::end_when_delivered(MonoTime now) {
  if (fed_at_) {
    if (now < *fed_at_ + options_.latency + kAfterTheEnd) return;
    stopping_ = true;
    if (undelivered_ > 0) exit_code_ = kExitFailed;
    return;
  }
  if (!input_->ended()) return;
  fed_at_ = now;
  if (const auto error = input_->error()) {
    say_("error: " + error->message + "\n");
    exit_code_ = kExitFailed;
  }
}

// --- time and reports

MonoTime Sender::next_deadline(MonoTime now) const {
  MonoTime next = std::min(next_report_, now + kReportEvery);
  if (group_) next = std::min(next, group_->next_deadline());
  if (connection_) next = std::min(next, connection_->next_deadline());
  for (const auto& link : links_) {
    if (link->caller) next = std::min(next, link->caller->next_deadline());
    if (link->state == LinkState::waiting) next = std::min(next, link->next_call);
  }
  if (feed_began_ && !fed_at_) {
    const auto due = input_->next_due();
    next = std::min(next, due ? *feed_began_ + *due : now + kLookForInput);
  } else if (!feed_began_) {
    next = std::min(next, now + milliseconds(50));
  }
  return std::max(next, now + kShortestSleep);
}

void Sender::watch_stats(MonoTime now) {
  if (connection_ && links_.front()->state == LinkState::up)
    links_.front()->stats = connection_->stats(now);
  if (!group_) return;
  for (const auto& stats : group_->stats(now).links)
    for (auto& link : links_)
      if (link->state == LinkState::up && link->id == stats.link.socket_id)
        link->stats = stats.link;
}

std::vector<LinkLine> Sender::lines() const {
  static constexpr std::string_view kStates[] = {"waiting to call again", "calling", "calling",
                                                 "connected"};
  std::vector<LinkLine> lines;
  for (const auto& link : links_)
    lines.push_back({.name = link->target.name(),
                     .state = std::string(kStates[static_cast<std::size_t>(link->state)]),
                     .up = link->state == LinkState::up,
                     .rtt = link->stats.rtt,
                     .mbps = link->stats.send_mbps,
                     .counts = link->counts()});
  return lines;
}

}  // namespace kapok::send_app
