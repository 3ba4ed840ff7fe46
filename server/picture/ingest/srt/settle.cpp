// SrtReception's work on the shard where a caller's channel lives.
#include "server/picture/ingest/srt/reception.hpp"

namespace kapok::ingest {

srt::LinkOptions SrtReception::link_options(std::string passphrase) const {
  srt::LinkOptions link;
  link.latency = shared_.options.latency;
  link.encryption.passphrase = std::move(passphrase);
  return link;
}

Result<SrtReception::Accepted> SrtReception::accept(SrtDoor& door, Caller& caller,
                                                    std::string passphrase, srt::Group* group) {
  const MonoTime now = door.shard.now();
  const net::UdpPath& path = caller.conclusion.path;
  srt::Output out;
  std::uint64_t question = caller.asked.id;
  if (&door != &first_) {
    const auto asked =
        door.listener.receive(now, caller.asked.peer, caller.conclusion.bytes.bytes(), out);
    door.shard.send(out, path);
    if (!asked) return fail(Errc::timeout, "the handshake took too long");
    question = asked->id;
  }
  srt::AcceptOptions options;
  options.socket_id = door.shard.new_socket_id();
  options.link = link_options(std::move(passphrase));
  options.group = group;
  auto connection = door.listener.accept(now, question, options, out);
  door.shard.send(out, path);
  if (!connection) return std::unexpected(std::move(connection).error());
  return Accepted{{options.socket_id, path, caller.name, std::move(caller.place)},
                  *std::move(connection)};
}

Task<Result<std::shared_ptr<SrtFeed>>> SrtReception::settle_publisher(SrtDoor* door,
                                                                      CallerPtr caller,
                                                                      Publish publish) {
  const auto& sink = publish.grant.sink;
  std::string passphrase = shared_.services.passphrase(caller->channel, publish.grant.feed);
  std::unique_ptr<srt::Group> group;
  if (publish.bond)
    group = std::make_unique<srt::Group>(
        door->shard.now(), srt::GroupOptions{caller->asked.group->type, random_group_id()});
  Result<Accepted> accepted = accept(*door, *caller, std::move(passphrase), group.get());
  if (!accepted) {
    [[maybe_unused]] const auto taken = sink->accept(media::EndOfFeed{media::FeedEnd::error});
    co_return std::unexpected(std::move(accepted).error());
  }
  SrtFeedServices services{.shard = door->shard,
                           .metrics = shared_.metrics,
                           .series = shared_.services.metrics,
                           .log = shared_.services.log,
                           .idle_deadline = shared_.options.idle_deadline};
  SrtFeedNames names{caller->channel, publish.grant.feed, caller->encoder};
  auto feed = std::make_shared<SrtFeed>(
      group ? SrtCarrier(std::move(group)) : SrtCarrier(std::move(accepted->connection)),
      std::move(names), std::move(services));
  const srt::SocketId id = accepted->link.id;
  feed->add_link(std::move(accepted->link));
  feed->grant(sink);
  door->feeds.push_back(feed);
  door->shard.add(id, feed);
  publish.close_order->attach(feed);
  if (door->shard.draining) feed->cut("draining", media::FeedEnd::connection_lost);
  co_return feed;
}

Task<Result<bool>> SrtReception::settle_link(SrtDoor* door, CallerPtr caller,
                                             std::shared_ptr<Bond> bond) {
  const auto feed = bond->feed.lock();
  if (!feed || feed->ending() || feed->group() == nullptr) co_return false;
  std::string passphrase = shared_.services.passphrase(caller->channel, feed->names().feed);
  auto accepted = accept(*door, *caller, std::move(passphrase), feed->group());
  if (!accepted) co_return std::unexpected(std::move(accepted).error());
  const srt::SocketId id = accepted->link.id;
  feed->add_link(std::move(accepted->link));
  door->shard.add(id, feed);
  co_return true;
}

Task<Result<void>> SrtReception::settle_viewer(SrtDoor* door, CallerPtr caller,
                                               srt::ViewerGrant grant) {
  auto accepted = accept(*door, *caller, std::move(grant.passphrase), nullptr);
  if (!accepted) {
    grant.viewer->ended(accepted.error().message);
    co_return std::unexpected(std::move(accepted).error());
  }
  const srt::SocketId id = accepted->link.id;
  auto line = std::make_shared<SrtViewerLine>(SrtCarrier(std::move(accepted->connection)),
                                              std::move(accepted->link), std::move(grant.viewer),
                                              door->shard, shared_.metrics);
  door->viewers.push_back(line);
  door->shard.add(id, line);
  line->begin();
  if (door->shard.draining) line->cut("draining");
  co_return Result<void>();
}

}  // namespace kapok::ingest
