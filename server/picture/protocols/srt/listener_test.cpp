#include "server/picture/protocols/srt/listener.hpp"

#include <gtest/gtest.h>

#include "server/picture/protocols/srt/handshake.hpp"
#include "server/picture/protocols/srt/reject_reason.hpp"
#include "server/picture/protocols/srt/simulated_network_test.hpp"

namespace kapok::srt {
namespace {

constexpr MonoTime kStart{seconds(1'000)};

struct Door : ::testing::Test {
  Bytes say(HandshakeType type, std::uint32_t cookie, SocketId id = 77) {
    Handshake handshake;
    handshake.version = type == HandshakeType::induction ? kInductionVersion : kHandshakeVersion;
    handshake.type = static_cast<std::uint32_t>(type);
    handshake.window_packets = 8'192;
    handshake.socket_id = id;
    handshake.cookie = cookie;
    handshake.segment_bytes = segment_bytes;
    Extensions blocks;
    if (type == HandshakeType::conclusion) {
      blocks = extensions;
      handshake.extension = extension_flags(blocks);
    }
    return handshake_datagram({{}, 0, 1'000}, handshake, blocks);
  }
  std::optional<Asked> hand_in(ByteSpan datagram, PeerAddress from = address(1, 5000)) {
    out.clear();
    auto asked = listener.receive(now, from, datagram, out);
    for (const Datagram& answer : out.datagrams) EXPECT_LE(answer.size(), datagram.size());
    return asked;
  }
  Handshake answer() {
    EXPECT_EQ(out.datagrams.size(), 1U);
    return parse_handshake(out.datagrams.at(0).payload.bytes().subspan(kHeaderBytes)).value();
  }
  std::uint32_t cookie(PeerAddress from = address(1, 5000)) {
    hand_in(say(HandshakeType::induction, 0), from);
    return answer().cookie;
  }
  std::uint32_t refusal() { return answer().type - kFirstRefusal; }

  MonoTime now = kStart;
  Listener listener{CookieSecret{}};
  Output out;
  std::uint32_t segment_bytes = kDefaultSegmentBytes;
  Extensions extensions{.request = HandshakeExtension{.receive_latency = milliseconds(200),
                                                      .send_latency = milliseconds(50)},
                        .response = {},
                        .key_request = {},
                        .key_response = {},
                        .stream_id = "publish:x",
                        .congestion = {},
                        .filter = {},
                        .group = {}};
};

TEST_F(Door, InductionIsAnsweredWithACookieAndNothingKept) {
  hand_in(say(HandshakeType::induction, 0));
  EXPECT_EQ(answer().extension, kMagic);
  EXPECT_EQ(answer().version, kHandshakeVersion);
  EXPECT_EQ(out.datagrams[0].payload.size(), 64U);
  EXPECT_EQ(load_u32(out.datagrams[0].payload.data() + 12), 77U);
}

TEST_F(Door, AConclusionWithItsCookieAsksOnce) {
  const Bytes conclusion = say(HandshakeType::conclusion, cookie());
  const auto asked = hand_in(conclusion);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->stream_id, "publish:x");
  EXPECT_EQ(asked->latency, milliseconds(200));
  EXPECT_TRUE(out.datagrams.empty());
  EXPECT_FALSE(hand_in(conclusion));
  ASSERT_TRUE(listener.accept(now, asked->id, {.socket_id = 9, .link = {}}, out));
  ASSERT_EQ(out.datagrams.size(), 1U);
  const Buffer first = out.datagrams[0].payload;
  // Its answer may have been lost: the same again.
  EXPECT_FALSE(hand_in(conclusion));
  ASSERT_EQ(out.datagrams.size(), 1U);
  EXPECT_TRUE(std::ranges::equal(out.datagrams[0].payload.bytes(), first.bytes()));
  EXPECT_FALSE(listener.accept(now, asked->id, {.socket_id = 10, .link = {}}, out));
}

TEST_F(Door, ACookieOfAnotherAddressOrTimeIsIgnored) {
  const std::uint32_t mine = cookie();
  EXPECT_FALSE(hand_in(say(HandshakeType::conclusion, mine), address(1, 5001)));
  EXPECT_TRUE(out.datagrams.empty());
  EXPECT_FALSE(hand_in(say(HandshakeType::conclusion, mine + 1)));
  now += CookieJar::kPeriod;
  EXPECT_TRUE(hand_in(say(HandshakeType::conclusion, mine, 78)));
  now += CookieJar::kPeriod;
  EXPECT_FALSE(hand_in(say(HandshakeType::conclusion, mine, 79)));
  EXPECT_TRUE(out.datagrams.empty());
  EXPECT_EQ(listener.counters().bad_cookies, 3U);
}

TEST_F(Door, RefusalsCarryTheirReason) {
  const auto refused = [&] {
    EXPECT_FALSE(hand_in(say(HandshakeType::conclusion, cookie())));
    return refusal();
  };
  segment_bytes = 75;
  EXPECT_EQ(refused(), code_of(RejectReason::rogue));
  segment_bytes = 1'500;
  extensions.request->version = 0x01'02'09;
  EXPECT_EQ(refused(), code_of(RejectReason::version));
  extensions.request->version = kMinSrtVersion;
  extensions.request->flags |= handshake_flag::kStream;
  EXPECT_EQ(refused(), code_of(RejectReason::message_api));
  extensions.request->flags = handshake_flag::kOurs;
  extensions.congestion = "file";
  EXPECT_EQ(refused(), code_of(RejectReason::congestion));
  extensions.congestion.clear();
  extensions.group = GroupExtension{.group_id = 5, .type = 3};
  EXPECT_EQ(refused(), code_of(RejectReason::group));
  extensions.group.reset();
  extensions.request.reset();
  EXPECT_EQ(refused(), code_of(RejectReason::rogue));
}

TEST_F(Door, TheOwnersRefusalIsRepeated) {
  const Bytes conclusion = say(HandshakeType::conclusion, cookie());
  const auto asked = hand_in(conclusion);
  listener.reject(now, asked->id, 1'401, out);
  EXPECT_EQ(refusal(), 1'401U);
  hand_in(conclusion);
  EXPECT_EQ(refusal(), 1'401U);
}

TEST_F(Door, AnEntryLivesThreeSeconds) {
  const std::uint32_t mine = cookie();
  const auto asked = hand_in(say(HandshakeType::conclusion, mine));
  now += kHandshakeTimeout;
  listener.advance(now);
  EXPECT_EQ(listener.accept(now, asked->id, {.socket_id = 9, .link = {}}, out).error().code,
            Errc::not_found);
  EXPECT_TRUE(hand_in(say(HandshakeType::conclusion, mine)));
}

TEST_F(Door, TheTableIsBoundedAndHalfOfItIsForOneHost) {
  const std::uint32_t mine = cookie();
  for (SocketId id = 1; id <= Listener::kMaxPending / 2; ++id)
    ASSERT_TRUE(hand_in(say(HandshakeType::conclusion, mine, id)));
  EXPECT_FALSE(hand_in(say(HandshakeType::conclusion, mine, 60'000)));
  EXPECT_EQ(refusal(), code_of(RejectReason::backlog));
  for (SocketId id = 1; id <= Listener::kMaxPending / 2; ++id)
    ASSERT_TRUE(hand_in(say(HandshakeType::conclusion, cookie(address(2, 1)), id), address(2, 1)));
  EXPECT_FALSE(hand_in(say(HandshakeType::conclusion, cookie(address(3, 1))), address(3, 1)));
  EXPECT_EQ(refusal(), code_of(RejectReason::backlog));
  EXPECT_EQ(listener.counters().table_full, 2U);
  now += kHandshakeTimeout;
  EXPECT_TRUE(hand_in(say(HandshakeType::conclusion, cookie(address(3, 1))), address(3, 1)));
}

TEST_F(Door, ExtensionsMustFitExactlyAndUnknownOnesAreSkipped) {
  Bytes conclusion = say(HandshakeType::conclusion, cookie());
  Bytes longer = conclusion;
  ByteWriter(longer).u32(0x0063'0001);  // type 99, one word
  EXPECT_FALSE(hand_in(longer));
  EXPECT_EQ(refusal(), code_of(RejectReason::rogue));
  ByteWriter(longer).u32(0);
  EXPECT_TRUE(hand_in(longer));
}

TEST_F(Door, APassphraseOnOneSideOnlyOrAnotherIsRefused) {
  const auto refused_with = [&](std::string ours) {
    const auto asked = hand_in(say(HandshakeType::conclusion, cookie()));
    AcceptOptions options{.socket_id = 9, .link = {}};
    options.link.encryption.passphrase = std::move(ours);
    EXPECT_EQ(listener.accept(now, asked->id, options, out).error().code, Errc::denied);
    now += kHandshakeTimeout;
    return refusal();
  };
  EXPECT_EQ(refused_with("ten letters"), code_of(RejectReason::unsecure));
  EncryptionOptions theirs;
  theirs.passphrase = "other letters";
  const auto encryption = Encryption::initiate(theirs).value();
  extensions.key_request = encryption->key_message();
  EXPECT_EQ(refused_with("ten letters"), code_of(RejectReason::bad_secret));
  EXPECT_EQ(refused_with(""), code_of(RejectReason::unsecure));
}

}  // namespace
}  // namespace kapok::srt
