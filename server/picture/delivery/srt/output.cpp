#include "server/picture/delivery/srt/output.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <functional>
#include <utility>

namespace kapok::delivery {

namespace asio = boost::asio;

namespace {

Task<> drain_shard(SrtOutputShard* shard) {
  shard->close();
  co_await shard->tasks.drain();
}

}  // namespace

SrtOutput::SrtOutput(SrtOutputServices services)
    : services_(std::move(services)),
      series_{services_.metrics.counter("kapok_srt_output_bytes_total",
                                        "MPEG-TS handed to SRT receivers", {}),
              services_.metrics.counter(
                  "kapok_srt_receiver_moved_on_total",
                  "Times that a slow SRT receiver was moved on to the next sync packet", {}),
              services_.metrics.counter("kapok_srt_receiver_missed_bytes_total",
                                        "MPEG-TS that slow SRT receivers missed", {})} {
  for (const auto& executor : services_.shards)
    shards_.push_back(std::make_unique<SrtOutputShard>(executor, services_.source, services_.log));
}

SrtOutput::~SrtOutput() = default;

Result<void> SrtOutput::admit(const srt::ViewerRequest& request) const {
  if (request.stream.channel.empty()) return fail(Errc::not_found, "no channel was named");
  if (request.stream.session.empty()) {
    if (services_.may_watch_anonymously(request.peer)) return {};
    return fail(Errc::denied, "receiving without a session is for edges only");
  }
  if (services_.signer == nullptr) return fail(Errc::denied, "sessions are not offered");
  const auto token = services_.signer->open(request.stream.session, services_.clock.utc());
  if (!token || token->channel != request.stream.channel)
    return fail(Errc::denied, "the session is not valid for this channel");
  return {};
}

Task<Result<srt::ViewerGrant>> SrtOutput::open(srt::ViewerRequest request) {
  KAPOK_CO_TRY(admit(request));
  const std::string channel = request.stream.channel;
  // Only to see whether there is something to receive: the output itself reads on its own shard.
  media::SubscribeRequest probe;
  probe.channel = channel;
  probe.reader = co_await asio::this_coro::executor;
  auto access = co_await services_.source.subscribe(std::move(probe));
  if (!access) co_return std::unexpected(std::move(access).error());
  if (access->on_air == media::OnAir::not_yet) co_return fail(Errc::conflict, "nothing is on air");
  SrtOutputShard& shard = *shards_[std::hash<std::string>{}(channel) % shards_.size()];
  srt::ViewerGrant grant;
  grant.viewer = std::make_shared<SrtReceiver>(channel, shard, series_, services_.log);
  grant.home = shard.executor();
  grant.passphrase = services_.passphrase(channel);
  co_return grant;
}

Task<> SrtOutput::drain() {
  for (const auto& shard : shards_)
    co_await asio::co_spawn(shard->executor(), drain_shard(shard.get()), asio::use_awaitable);
}

}  // namespace kapok::delivery
