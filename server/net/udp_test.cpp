#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <set>

#include "server/net/address_limits.hpp"
#include "server/net/udp_socket.hpp"

namespace kapok::net {
namespace {

namespace asio = boost::asio;
using Sockets = std::vector<std::unique_ptr<UdpSocket>>;

constexpr std::size_t kPlenty = std::size_t{64} * 1024 * 1024;

UdpOptions on_loopback() {
  UdpOptions options;
  options.listen = {"127.0.0.1", 0, "Test", "choose another"};
  return options;
}

UdpPath to(const UdpSocket& socket) {
  return {{asio::ip::address_v4::loopback(), socket.port()}, {}};
}

struct Group {
  explicit Group(std::size_t sockets, UdpOptions options = on_loopback(),
                 std::size_t memory = kPlenty)
      : slabs(memory) {
    std::vector<asio::any_io_executor> shards;
    for (std::size_t i = 0; i < sockets; ++i)
      shards.push_back(contexts.emplace_back(std::make_unique<asio::io_context>())->get_executor());
    auto made = UdpSocket::open(shards, options, slabs, Log());
    EXPECT_TRUE(made) << made.error().message;
    if (made) all = *std::move(made);
  }
  UdpSocket& operator[](std::size_t i) { return *all[i]; }
  // Everything that is or comes within a second, at least `wanted` of it.
  std::vector<ReceivedDatagram> read(std::size_t socket, std::size_t wanted) {
    std::vector<ReceivedDatagram> got;
    const auto task = [](UdpSocket* from, std::vector<ReceivedDatagram>* into,
                         std::size_t least) -> Task<> {
      while (into->size() < least) {
        const bool readable = co_await from->wait_readable();
        if (!readable) break;
        while (from->receive(*into)) {
        }
      }
    };
    asio::io_context& context = *contexts[socket];
    context.restart();
    asio::co_spawn(context, task(all[socket].get(), &got, wanted), asio::detached);
    context.run_for(std::chrono::seconds(20));
    return got;
  }

  std::vector<std::unique_ptr<asio::io_context>> contexts;
  UdpSlabs slabs;
  Sockets all;
};

TEST(UdpSocket, ABatchArrivesWithBothPiecesTheSendersPathAndNothingElse) {
  Group server(1);
  Group client(1);
  const UdpPath path = to(server[0]);
  std::vector<std::string> bodies;
  for (int i = 0; i < 100; ++i) bodies.push_back(fmt::format("body {}", i));
  std::vector<DatagramToSend> out;
  for (const std::string& body : bodies) out.push_back({&path, as_bytes("head "), as_bytes(body)});
  client[0].send(out);
  const auto got = server.read(0, 100);
  ASSERT_EQ(got.size(), 100U);
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].bytes.text(), "head " + bodies[i]);
    EXPECT_EQ(got[i].path.peer.port(), client[0].port());
  }
  EXPECT_EQ(client[0].counts().sent, 100U);
  EXPECT_EQ(server[0].counts().received, 100U);
}

TEST(UdpSocket, ASlabComesBackWithTheLastOfItsDatagrams) {
  Group server(1);
  Group client(1);
  const UdpPath path = to(server[0]);
  const std::vector<DatagramToSend> out(kSlotsPerSlab, {&path, as_bytes("x"), {}});
  client[0].send(out);
  auto got = server.read(0, kSlotsPerSlab);
  ASSERT_EQ(got.size(), kSlotsPerSlab);
  server[0].close();
  EXPECT_EQ(server.slabs.in_use_bytes(), sizeof(UdpSlab));
  Buffer kept = got[7].bytes;
  got.clear();
  EXPECT_EQ(server.slabs.in_use_bytes(), sizeof(UdpSlab));
  EXPECT_EQ(kept.text(), "x");
  kept = Buffer();
  EXPECT_EQ(server.slabs.in_use_bytes(), 0U);
}

TEST(UdpSocket, WithItsMemoryInUseItDropsAndCountsAndGoesOnAfterwards) {
  Group server(1, on_loopback(), sizeof(UdpSlab));
  Group client(1);
  const UdpPath path = to(server[0]);
  const std::vector<DatagramToSend> out(kSlotsPerSlab, {&path, as_bytes("held"), {}});
  client[0].send(out);
  auto held = server.read(0, kSlotsPerSlab);
  ASSERT_EQ(held.size(), kSlotsPerSlab);
  client[0].send(std::span(out).first(3));
  std::vector<ReceivedDatagram> none;
  while (server[0].counts().no_memory < 3) server[0].receive(none);
  EXPECT_TRUE(none.empty());
  held.clear();
  client[0].send(std::span(out).first(2));
  EXPECT_EQ(server.read(0, 2).size(), 2U);
}

TEST(UdpSocket, ADatagramLongerThanASlotIsNotHandedOn) {
  Group server(1);
  Group client(1);
  const UdpPath path = to(server[0]);
  const std::string longer(kDatagramSlot + 1, 'l');
  const std::string longest(kDatagramSlot, 'e');
  const DatagramToSend out[] = {{&path, as_bytes(longer), {}}, {&path, as_bytes(longest), {}}};
  client[0].send(out);
  const auto got = server.read(0, 1);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].bytes.text(), longest);
  EXPECT_EQ(server[0].counts().too_long, 1U);
}

TEST(UdpSocket, SocketsOfAPortAreChosenByTheSteeringByteAndShortDatagramsGoToTheFirst) {
  UdpOptions options = on_loopback();
  options.steering_byte = 15;
  Group server(3, options);
  Group client(1);
  const UdpPath path = to(server[0]);
  std::vector<std::string> texts;
  for (char shard = 0; shard < 3; ++shard)
    for (int i = 0; i < 20; ++i) texts.push_back("fifteen bytes.." + std::string(1, shard));
  texts.emplace_back("short");
  std::vector<DatagramToSend> out;
  for (const std::string& text : texts) out.push_back({&path, as_bytes(text), {}});
  client[0].send(out);
  EXPECT_EQ(server.read(0, 21).size(), 21U);
  EXPECT_EQ(server.read(1, 20).size(), 20U);
  for (const auto& datagram : server.read(2, 20)) EXPECT_EQ(datagram.bytes.text().back(), 2);
}

TEST(UdpSocket, AnAnswerLeavesFromTheAddressThatWasCalled) {
  UdpOptions everywhere;
  everywhere.listen = {"", 0, "Test", "choose another"};
  Group server(1, everywhere);
  Group client(1);
  // All of 127/8 is this machine; routing alone would answer from 127.0.0.1.
  const UdpPath second{{asio::ip::make_address("127.0.0.2"), server[0].port()}, {}};
  const DatagramToSend question[] = {{&second, as_bytes("?"), {}}};
  client[0].send(question);
  const auto asked = server.read(0, 1);
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(plain_address(asked[0].path.local).to_string(), "127.0.0.2");
  const DatagramToSend answer[] = {{&asked[0].path, as_bytes("!"), {}}};
  server[0].send(answer);
  const auto answered = client.read(0, 1);
  ASSERT_EQ(answered.size(), 1U);
  EXPECT_EQ(answered[0].path.peer.address().to_string(), "127.0.0.2");
}

TEST(UdpSocket, APeerThatIsNotThereDisturbsNobody) {
  Group server(1);
  Group client(1);
  UdpPath nobody = to(server[0]);
  {
    Group gone(1);
    nobody = to(gone[0]);
  }
  const UdpPath path = to(client[0]);
  const DatagramToSend out[] = {{&nobody, as_bytes("a"), {}},
                                {&path, as_bytes("b"), {}},
                                {&nobody, as_bytes("c"), {}},
                                {&path, as_bytes("d"), {}}};
  server[0].send(out);
  EXPECT_EQ(client.read(0, 2).size(), 2U);
}

TEST(UdpSocket, APortInUseIsNamedWithTheRemedy) {
  Group server(1);
  asio::io_context shard;
  UdpOptions options = on_loopback();
  options.listen.port = server[0].port();
  UdpSlabs slabs(kPlenty);
  const auto second = UdpSocket::open({shard.get_executor()}, options, slabs, Log());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::conflict);
  EXPECT_NE(second.error().message.find("choose another"), std::string::npos);
}

}  // namespace
}  // namespace kapok::net
