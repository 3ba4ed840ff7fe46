#include "server/picture/protocols/srt/group.hpp"

#include <gtest/gtest.h>

#include <map>

#include "server/picture/protocols/srt/simulated_network_test.hpp"

namespace kapok::srt {
namespace {

// A sending group with several callers, each over its own bad path, and the group that a listener
// makes of them.
class Bond {
 public:
  explicit Bond(GroupType type, milliseconds latency = milliseconds(500))
      : latency_(latency),
        far(start, {.type = type, .group_id = 7}),
        near(start, {.type = type, .group_id = 8}),
        listener(CookieSecret{}) {}

  struct Path {
    SimulatedPath up;
    SimulatedPath down;
    PeerAddress local;
    SocketId id;
    std::unique_ptr<Caller> call;
  };

  void add_link(Weather weather, std::uint16_t weight = 0, std::string passphrase = {}) {
    const auto n = static_cast<std::uint8_t>(paths.size() + 1);
    const PeerAddress local = address(n, 5000);
    LinkOptions link;
    link.latency = latency_;
    link.encryption.passphrase = passphrase;
    listen_options = link;
    CallOptions options{.peer = address(100, 9000),
                        .socket_id = 70U + n,
                        .link = link,
                        .stream_id = "publish:bonded",
                        .group = &far,
                        .weight = weight};
    paths.push_back({.up = SimulatedPath(weather, local, 10U * n),
                     .down = SimulatedPath(weather, address(100, 9000), 10U * n + 1),
                     .local = local,
                     .id = 70U + n,
                     .call = std::make_unique<Caller>(now, Caller::Mode::caller, options)});
  }

  void step() {
    now += milliseconds(1);
    for (Path& path : paths) {
      path.up.arrive(now, [&](MonoTime at, const PeerAddress& from, Buffer bytes) {
        const SocketId id = destination_of(bytes.bytes());
        if (id != 0) return near.receive(at, id, from, std::move(bytes), near_out);
        if (const auto asked = listener.receive(at, from, bytes.bytes(), near_out)) {
          claims.push_back(*asked->group);
          sender_of[next_id] = asked->peer_socket_id;
          EXPECT_TRUE(listener.accept(
              at, asked->id, {.socket_id = next_id++, .link = listen_options, .group = &near},
              near_out));
        }
      });
      path.down.arrive(now, [&](MonoTime at, const PeerAddress& from, Buffer bytes) {
        if (path.call && !path.call->done())
          path.call->receive(at, from, bytes.bytes(), far_out);
        else
          far.receive(at, path.id, from, std::move(bytes), far_out);
      });
      if (path.call && !path.call->done()) path.call->advance(now, far_out);
    }
    if (now >= near.next_deadline()) near.advance(now, near_out);
    if (now >= far.next_deadline()) far.advance(now, far_out);
    flush();
  }
  void flush() {
    received.take(now, near_out);
    at_sender.take(now, far_out);
    // The far side's datagrams leave over the path that their link belongs to: by its peer id.
    for (const Datagram& datagram : far_out.datagrams) path_of(datagram).up.send(now, datagram);
    for (const Datagram& datagram : near_out.datagrams)
      for (Path& path : paths)
        if (path.local == datagram.to) path.down.send(now, datagram);
    near_out.clear();
    far_out.clear();
  }
  // All links call one address: the sending socket is told by who put the datagram there.
  Path& path_of(const Datagram& datagram) {
    Bytes whole(datagram.head_bytes().begin(), datagram.head_bytes().end());
    whole.insert(whole.end(), datagram.payload.bytes().begin(), datagram.payload.bytes().end());
    const SocketId to = destination_of(whole);
    // A handshake carries its own socket id [draft 3.2.1].
    const SocketId own = to == 0 ? load_u32(whole.data() + 16 + 24) : sender_of[to];
    for (Path& path : paths)
      if (path.id == own) return path;
    throw std::logic_error("no path");
  }

  void run(nanoseconds time) {
    for (const MonoTime end = now + time; now < end;) step();
  }
  void connect() {
    for (int i = 0; i < 3000 && far.link_count() < paths.size(); ++i) step();
    run(milliseconds(200));
    ASSERT_EQ(near.link_count(), paths.size());
    ASSERT_EQ(far.link_count(), paths.size());
  }
  void send(std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      ASSERT_TRUE(far.send(now, numbered(next_number++)));
      step();
    }
  }

  milliseconds latency_;
  MonoTime start{seconds(1'000)};
  MonoTime now = start;
  Group far;
  Group near;
  Listener listener;
  LinkOptions listen_options;
  std::vector<Path> paths;
  std::vector<GroupClaim> claims;
  SocketId next_id = 901;
  std::map<SocketId, SocketId> sender_of;  // the far socket id of each near one
  Output near_out;
  Output far_out;
  Received received;
  Received at_sender;
  std::uint32_t next_number = 0;
};

TEST(SrtGroup, BroadcastMergesTwoLossyLinksWithoutLosingAByte) {
  Bond bond(GroupType::broadcast);
  bond.add_link({.loss = 0.05, .delay = milliseconds(20), .jitter = milliseconds(5)});
  bond.add_link({.loss = 0.05, .delay = milliseconds(120), .jitter = milliseconds(5)});
  bond.connect();
  ASSERT_EQ(bond.claims.size(), 2U);
  EXPECT_EQ(bond.claims[0].group_id, 7U | 0x4000'0000U);
  EXPECT_EQ(bond.claims[0].type, GroupType::broadcast);
  bond.send(10'000);
  bond.run(seconds(2));
  EXPECT_EQ(bond.received.numbers, counted(10'000));
  const GroupStats stats = bond.near.stats(bond.now);
  EXPECT_EQ(stats.packets_dropped, 0U);
  EXPECT_EQ(stats.packets_delivered, 10'000U);
  // The nearer link brings nearly all of it first, the other what that one lost.
  EXPECT_GT(stats.links[0].link.packets_contributed, 9'000U);
  EXPECT_GT(stats.links[1].link.packets_contributed, 0U);
  EXPECT_EQ(stats.links[0].link.packets_contributed + stats.links[1].link.packets_contributed,
            10'000U);
}

TEST(SrtGroup, BroadcastLosesNothingWhenALinkGoesDarkAndComesBack) {
  Bond bond(GroupType::broadcast);
  bond.add_link({.loss = 0.05, .delay = milliseconds(20)});
  bond.add_link({.loss = 0.05, .delay = milliseconds(40)});
  bond.connect();
  bond.send(2'000);
  bond.paths[0].up.dark = bond.paths[0].down.dark = true;
  bond.send(3'000);
  bond.paths[0].up.dark = bond.paths[0].down.dark = false;
  bond.send(3'000);
  bond.run(seconds(2));
  EXPECT_EQ(bond.received.numbers, counted(8'000));
  EXPECT_EQ(bond.near.link_count(), 2U);
}

TEST(SrtGroup, ADeadLinkIsBuriedAndTheStreamGoesOn) {
  Bond bond(GroupType::broadcast);
  bond.add_link({.loss = 0.02, .delay = milliseconds(20)});
  bond.add_link({.loss = 0.02, .delay = milliseconds(40)});
  bond.connect();
  bond.send(1'000);
  bond.paths[0].up.dark = bond.paths[0].down.dark = true;
  bond.send(6'000);
  EXPECT_EQ(bond.near.link_count(), 1U);
  ASSERT_TRUE(bond.received.closed);
  EXPECT_EQ(bond.received.closed->link, 901U);
  EXPECT_EQ(bond.received.closed->reason, CloseReason::peer_silent);
  // It comes back as a new link, in the middle of the stream.
  bond.add_link({.loss = 0.02, .delay = milliseconds(10)});
  bond.send(3'000);
  EXPECT_EQ(bond.near.link_count(), 2U);
  bond.run(seconds(2));
  EXPECT_EQ(bond.received.numbers, counted(10'000));
  EXPECT_EQ(bond.near.stats(bond.now).packets_dropped, 0U);
  EXPECT_GT(bond.near.stats(bond.now).links[1].link.packets_contributed, 1'000U);
}

TEST(SrtGroup, TheLastLinksEndEndsTheGroup) {
  Bond bond(GroupType::broadcast);
  bond.add_link({});
  bond.add_link({});
  bond.connect();
  bond.send(100);
  bond.far.shutdown(bond.now, bond.far_out);
  bond.flush();
  bond.run(milliseconds(100));
  ASSERT_TRUE(bond.received.closed);
  EXPECT_EQ(bond.received.closed->link, 0U);
  EXPECT_EQ(bond.received.closed->reason, CloseReason::peer_shutdown);
  // What was held came out first.
  EXPECT_EQ(bond.received.numbers, counted(100));
}

TEST(SrtGroup, HasNoMoreLinksThanItsLimit) {
  Bond bond(GroupType::broadcast);
  for (std::size_t i = 0; i < Group::kMaxLinks; ++i) bond.add_link({});
  bond.connect();
  Caller one_more(bond.now, Caller::Mode::caller,
                  {.peer = address(100, 9000),
                   .socket_id = 99,
                   .link = {},
                   .stream_id = {},
                   .group = &bond.far});
  ASSERT_TRUE(one_more.done());
  EXPECT_EQ(one_more.take(bond.now).error().code, Errc::limit);
}

TEST(SrtGroup, EncryptedLinksMergeThoughEachHasItsOwnKey) {
  Bond bond(GroupType::broadcast);
  bond.add_link({.loss = 0.05}, 0, "ten letters");
  bond.add_link({.loss = 0.05}, 0, "ten letters");
  bond.connect();
  bond.send(2'000);
  bond.run(seconds(2));
  EXPECT_EQ(bond.received.numbers, counted(2'000));
}

TEST(SrtGroup, BackupUsesTheHeaviestLinkAlone) {
  Bond bond(GroupType::backup);
  bond.add_link({.delay = milliseconds(20)}, 1);
  bond.add_link({.delay = milliseconds(20)}, 5);
  bond.connect();
  bond.send(3'000);
  bond.run(seconds(1));
  EXPECT_EQ(bond.received.numbers, counted(3'000));
  const GroupStats stats = bond.near.stats(bond.now);
  EXPECT_EQ(stats.links[0].link.packets_received, 0U);
  EXPECT_EQ(stats.links[1].link.packets_received, 3'000U);
  EXPECT_EQ(bond.far.stats(bond.now).links[1].state, LinkState::stable);
  EXPECT_EQ(bond.far.stats(bond.now).switches, 0U);
}

TEST(SrtGroup, BackupTakesOverWithoutAHoleAndGivesBack) {
  Bond bond(GroupType::backup, milliseconds(1'000));
  bond.add_link({.delay = milliseconds(20)}, 5);
  bond.add_link({.delay = milliseconds(30)}, 1);
  bond.connect();
  bond.send(3'000);
  bond.paths[0].up.dark = bond.paths[0].down.dark = true;
  bond.send(2'000);
  GroupStats stats = bond.far.stats(bond.now);
  EXPECT_EQ(stats.switches, 1U);
  EXPECT_TRUE(stats.links[1].state == LinkState::stable ||
              stats.links[1].state == LinkState::fresh);
  EXPECT_EQ(stats.links[0].state, LinkState::unstable);
  bond.paths[0].up.dark = bond.paths[0].down.dark = false;
  // Wary for four latencies, then the heavier link alone again.
  bond.send(10'000);
  bond.run(seconds(2));
  EXPECT_EQ(bond.received.numbers, counted(15'000));
  stats = bond.far.stats(bond.now);
  EXPECT_EQ(stats.links[0].state, LinkState::stable);
  EXPECT_EQ(stats.links[1].state, LinkState::idle);
}

TEST(SrtGroup, BackupSurvivesTheEndOfItsMainLink) {
  Bond bond(GroupType::backup, milliseconds(1'000));
  bond.add_link({.loss = 0.02, .delay = milliseconds(20)}, 5);
  bond.add_link({.loss = 0.02, .delay = milliseconds(30)}, 1);
  bond.connect();
  bond.send(2'000);
  bond.paths[0].up.dark = bond.paths[0].down.dark = true;
  bond.send(8'000);
  bond.run(seconds(2));
  EXPECT_EQ(bond.far.link_count(), 1U);
  EXPECT_EQ(bond.received.numbers, counted(10'000));
}

}  // namespace
}  // namespace kapok::srt
