#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <filesystem>
#include <fstream>

#include "server/net/acceptor.hpp"
#include "server/net/address_limits.hpp"
#include "server/net/tls_context.hpp"
#include "server/net/watchdog.hpp"

namespace kapok::net {
namespace {

using boost::asio::ip::tcp;
namespace fs = std::filesystem;

class TlsFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "kapok-net-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    files_ = {folder_ / "cert.pem", folder_ / "key.pem"};
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_;
  TlsFiles files_;
};

// One handshake over loopback; what the client saw.
struct Seen {
  std::string subject;
  std::string alpn;
  std::string version;
  bool shook_hands = false;
};
Seen shake_hands(TlsContext& server, int max_version) {
  Seen seen;
  boost::asio::io_context shard;
  tcp::acceptor acceptor(shard, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  const auto held = server.current();
  boost::asio::ssl::context client(boost::asio::ssl::context::tls_client);
  ::SSL_CTX_set_max_proto_version(client.native_handle(), max_version);
  boost::asio::ssl::stream<tcp::socket> here(shard, *held);
  boost::asio::ssl::stream<tcp::socket> there(shard, client);
  ::SSL_set_alpn_protos(there.native_handle(),
                        reinterpret_cast<const unsigned char*>("\x02h2\x08http/1.1"), 12);
  there.next_layer().connect(acceptor.local_endpoint());
  acceptor.accept(here.next_layer());
  here.async_handshake(boost::asio::ssl::stream_base::server, [&](auto error) {
    if (error) here.next_layer().close();
  });
  there.async_handshake(boost::asio::ssl::stream_base::client,
                        [&](auto error) { seen.shook_hands = !error; });
  shard.run();
  if (X509* peer = ::SSL_get0_peer_certificate(there.native_handle())) {
    std::array<char, 200> name{};
    ::X509_NAME_get_text_by_NID(::X509_get_subject_name(peer), NID_commonName, name.data(),
                                static_cast<int>(name.size()));
    seen.subject = name.data();
  }
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  ::SSL_get0_alpn_selected(there.native_handle(), &chosen, &size);
  seen.alpn.assign(reinterpret_cast<const char*>(chosen), size);
  seen.version = ::SSL_get_version(there.native_handle());
  return seen;
}

TEST_F(TlsFilesTest, ASelfSignedCertificateServesTls13WithTheFirstAlpnInCommon) {
  ASSERT_TRUE(make_self_signed(files_, {"localhost", "127.0.0.1", "::1"}));
  EXPECT_EQ(fs::status(files_.key).permissions(), fs::perms(0600));
  const auto tls = TlsContext::load(files_, {"http/1.1"});
  ASSERT_TRUE(tls) << tls.error().message;
  const Seen seen = shake_hands(**tls, TLS1_3_VERSION);
  EXPECT_TRUE(seen.shook_hands);
  EXPECT_EQ(seen.subject, "localhost");
  EXPECT_EQ(seen.alpn, "http/1.1");
  EXPECT_EQ(seen.version, "TLSv1.3");
  EXPECT_TRUE(shake_hands(**tls, TLS1_2_VERSION).shook_hands);
}

TEST_F(TlsFilesTest, RefusesTls11) {
  ASSERT_TRUE(make_self_signed(files_, {"localhost"}));
  const auto tls = TlsContext::load(files_, {});
  ASSERT_TRUE(tls);
  EXPECT_FALSE(shake_hands(**tls, TLS1_1_VERSION).shook_hands);
}

TEST_F(TlsFilesTest, ReloadServesTheNewCertificateToNewConnections) {
  ASSERT_TRUE(make_self_signed(files_, {"old.example"}));
  const auto tls = TlsContext::load(files_, {});
  ASSERT_TRUE(tls);
  ASSERT_TRUE(make_self_signed(files_, {"new.example"}));
  EXPECT_EQ(shake_hands(**tls, TLS1_3_VERSION).subject, "old.example");
  ASSERT_TRUE((*tls)->reload());
  EXPECT_EQ(shake_hands(**tls, TLS1_3_VERSION).subject, "new.example");
}

TEST_F(TlsFilesTest, AFailedReloadKeepsTheOldCertificateAndNamesTheFile) {
  ASSERT_TRUE(make_self_signed(files_, {"old.example"}));
  const auto tls = TlsContext::load(files_, {});
  ASSERT_TRUE(tls);
  std::ofstream(files_.certificate) << "not a certificate";
  const auto reloaded = (*tls)->reload();
  ASSERT_FALSE(reloaded);
  EXPECT_EQ(reloaded.error().code, Errc::config);
  EXPECT_NE(reloaded.error().message.find(files_.certificate.string()), std::string::npos);
  EXPECT_EQ(shake_hands(**tls, TLS1_3_VERSION).subject, "old.example");
}

TEST_F(TlsFilesTest, RefusesTheKeyOfAnotherCertificate) {
  ASSERT_TRUE(make_self_signed(files_, {"a.example"}));
  ASSERT_TRUE(make_self_signed({folder_ / "other.pem", files_.key}, {"b.example"}));
  const auto tls = TlsContext::load(files_, {});
  ASSERT_FALSE(tls);
  EXPECT_NE(tls.error().message.find("key"), std::string::npos);
}

boost::asio::ip::address address(const char* text) {
  return boost::asio::ip::make_address(text);
}

TEST(AddressLimits, CountHalfOpenAndOpenConnectionsApart) {
  AddressLimits limits({.half_open = 2, .open = 3, .total = 100});
  auto first = limits.admit(address("192.0.2.1"));
  auto second = limits.admit(address("192.0.2.1"));
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(limits.admit(address("192.0.2.1")));
  EXPECT_FALSE(limits.admit(address("::ffff:192.0.2.1")));
  EXPECT_TRUE(limits.admit(address("192.0.2.2")));
  first->opened();
  auto third = limits.admit(address("192.0.2.1"));
  ASSERT_TRUE(third);
  second->opened();
  third->opened();
  EXPECT_FALSE(limits.admit(address("192.0.2.1")));
  second.reset();
  EXPECT_TRUE(limits.admit(address("192.0.2.1")));
}

TEST(AddressLimits, TakeAnIpv6NetworkAsOnePeer) {
  AddressLimits limits({.half_open = 1, .open = 1, .total = 100});
  const auto first = limits.admit(address("2001:db8:1:2::1"));
  EXPECT_TRUE(first);
  EXPECT_FALSE(limits.admit(address("2001:db8:1:2:ffff::9")));
  EXPECT_TRUE(limits.admit(address("2001:db8:1:3::1")));
}

TEST(AddressLimits, ForgetWhoeverLeft) {
  AddressLimits limits({.half_open = 5, .open = 5, .total = 2, .loopback = Loopback::exempt});
  {
    const auto first = limits.admit(address("127.0.0.1"));
    const auto second = limits.admit(address("198.51.100.7"));
    EXPECT_EQ(limits.connections(), 2U);
    EXPECT_FALSE(limits.admit(address("203.0.113.5")));
  }
  EXPECT_EQ(limits.connections(), 0U);
}

TEST(Watchdog, BitesOnceAtTheLastDeadlineArmed) {
  boost::asio::io_context shard;
  int bites = 0;
  Watchdog dog(shard.get_executor(), [&] { ++bites; });
  dog.arm(milliseconds(1));
  dog.arm(milliseconds(5));
  dog.arm(milliseconds(2));
  shard.run();
  EXPECT_EQ(bites, 1);
  EXPECT_TRUE(dog.has_bitten());
  dog.arm(seconds(60));
  EXPECT_FALSE(dog.has_bitten());
}

TEST(Watchdog, IsSilentOnceDisarmedOrDestroyed) {
  boost::asio::io_context shard;
  int bites = 0;
  {
    Watchdog gone(shard.get_executor(), [&] { ++bites; });
    gone.arm(milliseconds(1));
  }
  Watchdog disarmed(shard.get_executor(), [&] { ++bites; });
  disarmed.arm(milliseconds(1));
  disarmed.disarm();
  shard.run();
  EXPECT_EQ(bites, 0);
}

TEST(Acceptor, SaysWhoHoldsThePortAndWhatToDo) {
  boost::asio::io_context shard;
  ListenOptions options{.address = "127.0.0.1",
                        .port = 0,
                        .what = "HTTP",
                        .remedy = "choose another with --http-port"};
  const auto first = Acceptor::open({shard.get_executor(), shard.get_executor()}, options, Log());
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_EQ(first->size(), 2U);
  EXPECT_EQ(first->at(0)->port(), first->at(1)->port());
  options.port = first->at(0)->port();
  const auto second = Acceptor::open({shard.get_executor()}, options, Log());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::conflict);
  EXPECT_NE(second.error().message.find(fmt::format("(pid {})", ::getpid())), std::string::npos)
      << second.error().message;
  EXPECT_NE(second.error().message.find("--http-port"), std::string::npos);
}

TEST(Acceptor, SaysThatAnAddressIsNotThisMachines) {
  boost::asio::io_context shard;
  const ListenOptions options{
      .address = "203.0.113.7", .port = 0, .what = "HTTP", .remedy = "choose another"};  // RFC 5737
  const auto opened = Acceptor::open({shard.get_executor()}, options, Log());
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("no interface of this machine"), std::string::npos)
      << opened.error().message;
}

TEST(Acceptor, AcceptsUntilClosed) {
  boost::asio::io_context shard;
  auto opened =
      Acceptor::open({shard.get_executor()},
                     {.address = "127.0.0.1", .port = 0, .what = "test", .remedy = ""}, Log());
  ASSERT_TRUE(opened);
  Acceptor& acceptor = *opened->front();
  TaskGroup tasks(shard.get_executor());
  int accepted = 0;
  const auto serve = [](Acceptor& from, int& count) -> Task<> {
    while (true) {
      const auto socket = co_await from.accept();
      if (!socket) co_return;
      ++count;
      from.close();
    }
  };
  tasks.spawn(serve(acceptor, accepted));
  tcp::socket client(shard);
  client.connect(tcp::endpoint(boost::asio::ip::address_v4::loopback(), acceptor.port()));
  shard.run();
  EXPECT_EQ(accepted, 1);
  EXPECT_EQ(tasks.alive(), 0U);
}

}  // namespace
}  // namespace kapok::net
