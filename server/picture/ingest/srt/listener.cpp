#include "server/picture/ingest/srt/listener.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "server/base/crypto.hpp"
#include "server/picture/ingest/srt/pull.hpp"
#include "server/picture/ingest/srt/reception.hpp"

namespace kapok::ingest {

namespace asio = boost::asio;

namespace {

constexpr milliseconds kDrainLook{20};  // how often a drain looks whether all have left
constexpr seconds kTidyEvery{1};

template <class T>
void sweep(std::vector<std::weak_ptr<T>>& all) {
  std::erase_if(all, [](const auto& one) { return one.expired(); });
}

}  // namespace

struct SrtListener::State {
  State(SrtListenerOptions with, SrtListenerServices uses)
      : options(std::move(with)),
        services(std::move(uses)),
        metrics(services.metrics),
        limits(options.limits),
        slabs(options.receive_memory_bytes) {
    const auto secret = random_bytes<32>();
    for (const auto& executor : services.shards)
      doors.push_back(std::make_unique<SrtDoor>(executor, doors.size(), services.clock, secret));
    reception = std::make_unique<SrtReception>(shared());
  }

  SrtListenerOptions options;
  SrtListenerServices services;
  SrtMetrics metrics;
  net::AddressLimits limits;
  net::UdpSlabs slabs;
  std::vector<std::unique_ptr<SrtDoor>> doors;
  std::unique_ptr<SrtReception> reception;
  std::uint16_t port = 0;

  SrtShared shared() {
    return {options,
            services,
            metrics,
            limits,
            doors,
            [this](srt::PeerAddress peer, SrtDoor& door, std::weak_ptr<SrtCall> call) {
              asio::post(doors.front()->shard.executor(),
                         [this, peer, to = &door, call = std::move(call)] {
                           reception->meet(peer, *to, call);
                         });
            }};
  }
  void open(SrtDoor& door, std::unique_ptr<net::UdpSocket> socket);
  Task<> housekeeping(SrtDoor* door);
  Task<> fetch_here(SrtDoor* door, std::vector<SrtPull> wanted);
  Task<> begin_drain(SrtDoor* door);
  Task<std::size_t> lines_of(SrtDoor* door);
  Task<> close(SrtDoor* door);
  Task<std::vector<SrtFeedStats>> feeds_of(SrtDoor* door);
};

SrtListener::SrtListener(SrtListenerOptions options, SrtListenerServices services)
    : state_(std::make_unique<State>(std::move(options), std::move(services))) {}

SrtListener::~SrtListener() = default;

Result<void> SrtListener::start() {
  State& state = *state_;
  if (state.doors.size() > kMaxSrtShards)
    return fail(Errc::config, "SRT works on {} threads at most, not on {}: set server.shards",
                kMaxSrtShards, state.doors.size());
  net::UdpOptions udp;
  udp.listen = {state.options.address, state.options.port, "SRT", "choose another with srt.port"};
  udp.receive_buffer_bytes = state.options.receive_buffer_bytes;
  udp.steering_byte = kSteeringByte;
  auto sockets =
      KAPOK_TRY(net::UdpSocket::open(state.services.shards, udp, state.slabs, state.services.log));
  state.port = sockets.front()->port();
  for (std::size_t i = 0; i < sockets.size(); ++i)
    state.open(*state.doors[i], std::move(sockets[i]));
  state.services.log.info("srt.listening",
                          {{"port", state.port}, {"latency_ms", state.options.latency.count()}});
  return {};
}

std::uint16_t SrtListener::port() const {
  return state_->port;
}

std::size_t SrtListener::connections() const {
  return state_->limits.connections();
}

void SrtListener::State::open(SrtDoor& door, std::unique_ptr<net::UdpSocket> socket) {
  SrtDoor* const first = doors.front().get();
  const auto on_handshake = [this, first, here = &door](MonoTime now,
                                                        const net::ReceivedDatagram& datagram) {
    if (here == first) {
      reception->handshake(now, datagram);
      return;
    }
    // The kernel did not steer.
    asio::post(first->shard.executor(),
               [this, first, datagram] { reception->handshake(first->shard.now(), datagram); });
  };
  const auto on_foreign = [this](std::size_t shard, std::vector<net::ReceivedDatagram> datagrams) {
    if (shard >= doors.size()) return;  // no id that we gave
    SrtDoor* const to = doors[shard].get();
    asio::post(to->shard.executor(), [to, datagrams = std::move(datagrams)]() mutable {
      to->shard.take(std::move(datagrams));
    });
  };
  door.shard.open(std::move(socket), on_handshake, on_foreign);
  asio::post(door.shard.executor(), [this, here = &door] {
    here->shard.tasks.spawn(here->shard.run());
    here->shard.tasks.spawn(housekeeping(here));
  });
}

Task<> SrtListener::State::housekeeping(SrtDoor* door) {
  std::uint64_t no_memory = 0;
  while (door->shard.is_open()) {
    door->tidy.expires_after(kTidyEvery);
    [[maybe_unused]] auto [error] = co_await door->tidy.async_wait(kAsValue);
    const MonoTime now = door->shard.now();
    door->listener.advance(now);
    sweep(door->feeds);
    sweep(door->viewers);
    const std::uint64_t lost = door->shard.counts().no_memory;
    metrics.no_memory.add(static_cast<double>(lost - std::exchange(no_memory, lost)));
    if (door != doors.front().get()) continue;
    reception->tidy(now);
    metrics.memory.set(static_cast<double>(slabs.in_use_bytes()));
  }
}

Task<std::vector<SrtFeedStats>> SrtListener::State::feeds_of(SrtDoor* door) {
  std::vector<SrtFeedStats> all;
  for (const auto& weak : door->feeds)
    if (const auto feed = weak.lock(); feed && !feed->ending())
      all.push_back(feed->stats(door->shard.now()));
  co_return all;
}

Task<std::vector<SrtFeedStats>> SrtListener::feeds() {
  std::vector<SrtFeedStats> all;
  for (const auto& door : state_->doors) {
    auto here = co_await asio::co_spawn(door->shard.executor(), state_->feeds_of(door.get()),
                                        asio::use_awaitable);
    for (SrtFeedStats& feed : here) all.push_back(std::move(feed));
  }
  co_return all;
}

Task<> SrtListener::fetch(std::vector<SrtPull> pulls) {
  for (const auto& door : state_->doors) {
    std::vector<SrtPull> here;
    for (const SrtPull& pull : pulls)
      if (pull.home == door->shard.executor()) here.push_back(pull);
    co_await asio::co_spawn(door->shard.executor(), state_->fetch_here(door.get(), std::move(here)),
                            asio::use_awaitable);
  }
}

Task<> SrtListener::State::fetch_here(SrtDoor* door, std::vector<SrtPull> wanted) {
  if (door->shard.draining) co_return;
  std::erase_if(door->pullers, [&](const std::shared_ptr<SrtPuller>& puller) {
    const auto same = std::ranges::find(wanted, puller->pull());
    if (same == wanted.end()) {
      puller->stop("not fetched any more");
      return true;
    }
    wanted.erase(same);
    return false;
  });
  for (SrtPull& pull : wanted) {
    door->pullers.push_back(std::make_shared<SrtPuller>(std::move(pull), *door, shared()));
    door->pullers.back()->start();
  }
}

Task<> SrtListener::State::begin_drain(SrtDoor* door) {
  door->shard.draining = true;
  for (const auto& puller : door->pullers) puller->stop("draining");
  for (const auto& weak : door->feeds)
    if (const auto feed = weak.lock()) feed->cut("draining", media::FeedEnd::connection_lost);
  for (const auto& weak : door->viewers)
    if (const auto viewer = weak.lock()) viewer->cut("draining");
  co_return;
}

Task<std::size_t> SrtListener::State::lines_of(SrtDoor* door) {
  co_return door->shard.lines();
}

Task<> SrtListener::State::close(SrtDoor* door) {
  door->shard.close();
  door->tidy.cancel();
  co_await door->shard.tasks.drain();
}

Task<> SrtListener::drain(nanoseconds deadline) {
  State& state = *state_;
  for (const auto& door : state.doors)
    co_await asio::co_spawn(door->shard.executor(), state.begin_drain(door.get()),
                            asio::use_awaitable);
  const auto here = co_await asio::this_coro::executor;
  asio::steady_timer look(here);
  const MonoTime end = state.services.clock.mono() + deadline;
  while (state.services.clock.mono() < end) {
    std::size_t left = 0;
    for (const auto& door : state.doors) {
      const std::size_t lines = co_await asio::co_spawn(
          door->shard.executor(), state.lines_of(door.get()), asio::use_awaitable);
      left += lines;
    }
    if (left == 0) break;
    look.expires_after(kDrainLook);
    [[maybe_unused]] auto [error] = co_await look.async_wait(kAsValue);
  }
  for (const auto& door : state.doors)
    co_await asio::co_spawn(door->shard.executor(), state.close(door.get()), asio::use_awaitable);
}

}  // namespace kapok::ingest
