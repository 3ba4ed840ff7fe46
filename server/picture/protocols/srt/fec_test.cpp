#include "server/picture/protocols/srt/fec.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace kapok::srt {
namespace {

constexpr std::size_t kMaxPayload = 1456;

FecConfig config(std::string_view text) {
  return *parse_fec_config(text);
}

// --- the configuration

TEST(FecConfig, IsReadWithDefaultsAndWritten) {
  EXPECT_EQ(to_string(config("fec,cols:10")), "fec,cols:10,rows:1,layout:staircase,arq:onreq");
  EXPECT_EQ(to_string(config("fec,rows:-5,arq:always,cols:4,layout:even")),
            "fec,cols:4,rows:-5,layout:even,arq:always");
  EXPECT_FALSE(config("fec,rows:-5,cols:4").row_parity);
}

TEST(FecConfig, WhatIsWrongIsRefused) {
  for (const auto* text :
       {"fec", "fec,", "fec,rows:5", "fec,cols:1", "fec,cols:0", "fec,cols:-3", "fec,cols:ten",
        "fec,cols:10x", "fec,cols", "fec,cols:10,rows:0", "fec,cols:10,rows:-1",
        "fec,cols:10,cols:10", "fec,cols:10,layout:odd", "fec,cols:10,arq:sometimes",
        "fec,cols:10,depth:2", "fec,cols: 10", "fec,cols:99999999999"})
    EXPECT_EQ(parse_fec_config(text).error().code, Errc::malformed) << text;
  EXPECT_EQ(parse_fec_config("xor,cols:10").error().code, Errc::unsupported);
  EXPECT_EQ(parse_fec_config("").error().code, Errc::unsupported);
  for (const auto* text :
       {"fec,cols:128", "fec,cols:10,rows:128", "fec,cols:100,rows:100",
        "fec,cols:4294967295,rows:2", "fec,cols:10,rows:-2147483648",
        "fec,cols:10,rows:5,layout:staircase,arq:onreq,xxxxxxxxxxxxxxxxxxxxxxxx"})
    EXPECT_EQ(parse_fec_config(text).error().code, Errc::limit) << text;
}

TEST(FecConfig, EachSideMaySayWhatTheOtherLeavesOpen) {
  EXPECT_EQ(negotiate_fec("", "fec,cols:5"), config("fec,cols:5"));
  EXPECT_EQ(negotiate_fec("fec", "fec,cols:5,rows:4"), config("fec,cols:5,rows:4"));
  EXPECT_EQ(negotiate_fec("fec,cols:5,arq:never", "fec,rows:4"),
            config("fec,cols:5,rows:4,arq:never"));
  EXPECT_EQ(negotiate_fec("fec,cols:5", "fec,cols:6").error().code, Errc::conflict);
  EXPECT_EQ(negotiate_fec("fec,layout:even", "fec,cols:6,layout:staircase").error().code,
            Errc::conflict);
  EXPECT_EQ(negotiate_fec("fec", "fec").error().code, Errc::malformed);
  EXPECT_EQ(negotiate_fec("", "").error().code, Errc::unsupported);
}

// --- a link in memory

struct Packet {
  Sequence sequence;
  std::uint32_t timestamp = 0;
  std::uint8_t key_flags = 0;
  Bytes payload;
  bool parity = false;
  std::int64_t number = 0;  // of the packet, or of the one before the parity

  FecPacket view() const { return {sequence, timestamp, key_flags, payload}; }
};

// `count` packets of differing length, with the parity between them.
std::vector<Packet> stream(const FecConfig& of, std::int64_t count,
                           Sequence first = Sequence(0x7FFF'FFF0)) {
  std::mt19937 random(7);
  FecSender sender(of, first);
  std::vector<Packet> all;
  for (std::int64_t i = 0; i < count; ++i) {
    Packet packet{.sequence = first + static_cast<std::uint32_t>(i),
                  .timestamp = static_cast<std::uint32_t>(0xFFFF'0000 + i * 1000),
                  .key_flags = static_cast<std::uint8_t>(i % 7 == 0 ? 2 : 1),
                  .payload = Bytes(1 + random() % 1316),
                  .number = i};
    for (auto& byte : packet.payload) byte = static_cast<std::byte>(random());
    sender.feed(packet.view());
    all.push_back(std::move(packet));
    while (auto parity = sender.take_parity())
      all.push_back({.sequence = parity->sequence,
                     .timestamp = parity->timestamp,
                     .payload = std::move(parity->payload),
                     .parity = true,
                     .number = i});
  }
  return all;
}

class Receiver {
 public:
  Receiver(const FecConfig& of, const std::vector<Packet>& sent)
      : sent_(sent), receiver_(of, sent.front().sequence, kMaxPayload) {}

  void take(const Packet& packet) {
    std::vector<RebuiltPacket> rebuilt;
    if (packet.parity)
      receiver_.receive_parity(packet.view(), rebuilt);
    else
      receiver_.receive(packet.view(), rebuilt);
    for (const auto& one : rebuilt) {
      const auto original = std::ranges::find_if(sent_, [&](const Packet& candidate) {
        return !candidate.parity && candidate.sequence == one.sequence;
      });
      ASSERT_NE(original, sent_.end());
      EXPECT_EQ(one.payload, original->payload) << original->number;
      EXPECT_EQ(one.timestamp, original->timestamp) << original->number;
      EXPECT_EQ(one.key_flags, original->key_flags) << original->number;
      EXPECT_TRUE(rebuilt_.insert(original->number).second) << "twice: " << original->number;
    }
    for (const auto& range : receiver_.take_irrecoverable())
      for (std::uint32_t i = 0; i < range.count(); ++i)
        EXPECT_TRUE(lost_.insert((range.first + i).ahead_of(sent_.front().sequence)).second);
  }
  // All but the data packets of these numbers (parity is not lost).
  void take_without(const std::set<std::int64_t>& missing) {
    for (const Packet& packet : sent_)
      if (packet.parity || !missing.contains(packet.number)) take(packet);
  }

  const std::set<std::int64_t>& rebuilt() const { return rebuilt_; }
  const std::set<std::int64_t>& lost() const { return lost_; }
  std::size_t memory_bytes() const { return receiver_.memory_bytes(); }

 private:
  const std::vector<Packet>& sent_;
  FecReceiver receiver_;
  std::set<std::int64_t> rebuilt_;
  std::set<std::int64_t> lost_;
};

using Numbers = std::set<std::int64_t>;

// --- what libsrt sends

struct Sent {
  std::int64_t after;
  std::int8_t index;
  std::uint32_t timestamp;
};

// Payloads of 188 bytes, a TS null packet with a count, as they were given to libsrt 1.5.1; of what
// it sent here are its timestamps and its parity packets.
void matches_libsrt(std::string_view text, std::span<const std::uint32_t> timestamps,
                    std::span<const Sent> parity) {
  FecSender sender(config(text), Sequence(0x2D78DFEC));
  std::vector<Bytes> payloads;
  std::size_t at = 0;
  for (std::size_t i = 0; i < timestamps.size(); ++i) {
    Bytes payload(188, std::byte{0xFF});
    const std::uint8_t start[] = {0x47, 0x1F, 0xFF, static_cast<std::uint8_t>(0x10 | (i & 15)),
                                  0,    0,    0,    static_cast<std::uint8_t>(i)};
    std::ranges::copy(std::as_bytes(std::span(start)), payload.begin());
    sender.feed({.sequence = Sequence(0x2D78DFEC) + static_cast<std::uint32_t>(i),
                 .timestamp = timestamps[i],
                 .payload = payload});
    payloads.push_back(payload);
    while (const auto made = sender.take_parity()) {
      ASSERT_LT(at, parity.size());
      EXPECT_EQ(parity[at].after, std::int64_t(i));
      EXPECT_EQ(made->sequence, Sequence(0x2D78DFEC) + static_cast<std::uint32_t>(i));
      EXPECT_EQ(made->payload[0], static_cast<std::byte>(parity[at].index)) << i;
      EXPECT_EQ(made->timestamp, parity[at].timestamp) << i;
      EXPECT_EQ(made->payload.size(), 192U);
      ++at;
    }
  }
  EXPECT_EQ(at, parity.size());
}

TEST(Fec, ParityOfAStaircaseIsLibsrts) {
  static constexpr std::uint32_t kTimestamps[] = {
      692467, 692480, 692481,  692482,  692489,  692491,  692500,  692500,  692501,
      692503, 856635, 856646,  856655,  856655,  856656,  856658,  856658,  856659,
      856662, 856662, 1060591, 1060602, 1060603, 1060609, 1060610, 1060611, 1060613};
  static constexpr Sent kParity[] = {
      {3, -1, 496},     {7, -1, 2},    {8, 0, 692463},  {11, 3, 856656}, {11, -1, 127},
      {13, 1, 856659},  {15, -1, 2},   {18, 2, 856637}, {19, -1, 1},     {20, 0, 1060594},
      {23, 3, 1060613}, {23, -1, 495}, {25, 1, 857002}};
  matches_libsrt("fec,cols:4,rows:3,arq:onreq", kTimestamps, kParity);
}

TEST(Fec, ParityOfEvenColumnsAloneIsLibsrts) {
  static constexpr std::uint32_t kTimestamps[] = {
      655621, 655633, 655634, 655635, 655641, 655641, 655643, 655644, 655644, 655647,
      839891, 839905, 839911, 839912, 839912, 839914, 839915, 839915, 839918};
  static constexpr Sent kParity[] = {
      {8, 0, 655616}, {9, 1, 655639}, {10, 2, 839898}, {11, 3, 839918}};
  matches_libsrt("fec,cols:4,rows:-3,layout:even", kTimestamps, kParity);
}

// The bytes of libsrt's parity packet over packets 1, 5 and 9 of the staircase (its column 0 ends
// with 8): index 0, no key, 188 bytes.
TEST(Fec, RebuildsFromLibsrtsOwnParity) {
  Bytes parity = {std::byte{0}, std::byte{0}, std::byte{0}, std::byte{188}};
  parity.resize(192, std::byte{0xFF});
  const std::uint8_t clip[] = {0x47, 0x1F, 0xFF, 0x1C, 0, 0, 0, 0x0C};
  std::ranges::copy(std::as_bytes(std::span(clip)), parity.begin() + 4);
  const auto packet = [](std::uint8_t i) {
    Bytes payload(188, std::byte{0xFF});
    const std::uint8_t start[] = {0x47, 0x1F, 0xFF, static_cast<std::uint8_t>(0x10 | i),
                                  0,    0,    0,    i};
    std::ranges::copy(std::as_bytes(std::span(start)), payload.begin());
    return payload;
  };
  const Sequence first(0x2D78DFEC);
  FecReceiver receiver(config("fec,cols:4,rows:3,arq:onreq"), first, kMaxPayload);
  std::vector<RebuiltPacket> rebuilt;
  const Bytes zero = packet(0);
  const Bytes eight = packet(8);
  receiver.receive({.sequence = first, .timestamp = 692467, .payload = zero}, rebuilt);
  receiver.receive({.sequence = first + 8, .timestamp = 692501, .payload = eight}, rebuilt);
  receiver.receive_parity({.sequence = first + 8, .timestamp = 692463, .payload = parity}, rebuilt);
  ASSERT_EQ(rebuilt.size(), 1U);
  EXPECT_EQ(rebuilt[0].sequence, first + 4);
  EXPECT_EQ(rebuilt[0].timestamp, 692489U);
  EXPECT_EQ(rebuilt[0].payload, packet(4));
}

// --- mending

TEST(Fec, ARowMendsOneLoss) {
  const auto of = config("fec,cols:5");
  const auto sent = stream(of, 50);
  Receiver receiver(of, sent);
  receiver.take_without({0, 7, 14, 22, 31});
  EXPECT_EQ(receiver.rebuilt(), (Numbers{0, 7, 14, 22, 31}));
  EXPECT_EQ(receiver.lost(), Numbers{});
}

TEST(Fec, TwoLossesInARowAreReportedOnce) {
  const auto of = config("fec,cols:5");
  const auto sent = stream(of, 50);
  Receiver receiver(of, sent);
  receiver.take_without({10, 11, 14, 30});
  EXPECT_EQ(receiver.rebuilt(), (Numbers{30}));
  EXPECT_EQ(receiver.lost(), (Numbers{10, 11, 14}));
}

TEST(Fec, NothingIsReportedUnlessAsked) {
  for (const auto* text : {"fec,cols:5,arq:never", "fec,cols:5,arq:always"}) {
    const auto sent = stream(config(text), 50);
    Receiver receiver(config(text), sent);
    receiver.take_without({10, 11});
    EXPECT_EQ(receiver.lost(), Numbers{});
  }
}

TEST(Fec, AColumnMendsABurst) {
  const auto of = config("fec,cols:5,rows:4,layout:even");
  const auto sent = stream(of, 60);
  Receiver receiver(of, sent);
  receiver.take_without({25, 26, 27, 28, 29});
  EXPECT_EQ(receiver.rebuilt(), (Numbers{25, 26, 27, 28, 29}));
  EXPECT_EQ(receiver.lost(), Numbers{});
}

TEST(Fec, RowsAndColumnsMendInChains) {
  const auto of = config("fec,cols:4,rows:4,layout:even");
  const auto sent = stream(of, 64);
  Receiver receiver(of, sent);
  // A staircase of losses: only the first has a row of its own, each of the others needs the one
  // before it.  . x . .   /  x x . .   /  x . x .  /  . . x .
  receiver.take_without({17, 20, 21, 24, 26, 30});
  EXPECT_EQ(receiver.rebuilt(), (Numbers{17, 20, 21, 24, 26, 30}));
}

TEST(Fec, ARectangleOfLossesCannotBeMended) {
  const auto of = config("fec,cols:4,rows:4,layout:even");
  const auto sent = stream(of, 64);
  Receiver receiver(of, sent);
  receiver.take_without({17, 18, 21, 22, 31});
  EXPECT_EQ(receiver.rebuilt(), (Numbers{31}));
  EXPECT_EQ(receiver.lost(), (Numbers{17, 18, 21, 22}));
}

TEST(Fec, ARetransmissionMayCompleteAGroup) {
  const auto of = config("fec,cols:5");
  const auto sent = stream(of, 30);
  Receiver receiver(of, sent);
  receiver.take_without({11, 13});
  EXPECT_EQ(receiver.rebuilt(), Numbers{});
  for (const Packet& packet : sent)
    if (!packet.parity && packet.number == 13) receiver.take(packet);
  EXPECT_EQ(receiver.rebuilt(), (Numbers{11}));
}

TEST(Fec, ReorderedAndDoubledPacketsChangeNothing) {
  for (const auto* text : {"fec,cols:5", "fec,cols:4,rows:3", "fec,cols:4,rows:-3"}) {
    const auto of = config(text);
    const auto sent = stream(of, 240);
    auto arriving = sent;
    std::erase_if(arriving, [](const Packet& p) { return !p.parity && p.number % 13 == 6; });
    std::mt19937 random(3);
    for (std::size_t i = 0; i + 4 < arriving.size(); i += 2)
      std::swap(arriving[i], arriving[i + random() % 4]);
    Receiver receiver(of, sent);
    for (const Packet& packet : arriving) {
      receiver.take(packet);
      receiver.take(packet);
    }
    Numbers missing;
    // 6 lies above the stair on which its column begins.
    for (std::int64_t i = 19; i < 240 - 24; i += 13) missing.insert(i);
    for (const auto number : missing)
      EXPECT_TRUE(receiver.rebuilt().contains(number)) << text << number;
  }
}

// Random loss on every layout, against what must hold whatever was lost: what is rebuilt is right
// (checked in take), and every loss far enough back is mended or reported (a crossing group may
// still mend it after the report).
TEST(Fec, EveryLossIsEitherMendedOrReported) {
  std::mt19937 random(11);
  for (const auto* text :
       {"fec,cols:6", "fec,cols:6,rows:5", "fec,cols:6,rows:-5", "fec,cols:6,rows:5,layout:even",
        "fec,cols:3,rows:7", "fec,cols:6,rows:-5,layout:even"})
    for (const unsigned percent : {2U, 10U, 40U}) {
      const auto of = config(text);
      const auto sent = stream(of, 600);
      Numbers missing;
      Receiver receiver(of, sent);
      for (const Packet& packet : sent) {
        if (random() % 100 < percent) {
          if (!packet.parity) missing.insert(packet.number);
          continue;
        }
        receiver.take(packet);
      }
      for (const auto number : missing) {
        const bool mended = receiver.rebuilt().contains(number);
        if (number < 500)
          EXPECT_TRUE(mended || receiver.lost().contains(number)) << text << " " << number;
      }
      for (const auto number : receiver.lost()) EXPECT_TRUE(missing.contains(number));
      if (percent == 2) EXPECT_GT(receiver.rebuilt().size() * 2, missing.size()) << text;
    }
}

TEST(Fec, AJumpAheadCostsNothingAndIsSurvived) {
  const auto of = config("fec,cols:5,rows:4");
  FecReceiver receiver(of, Sequence(0), kMaxPayload);
  std::vector<RebuiltPacket> rebuilt;
  const Bytes payload(1456, std::byte{1});
  Sequence at(0);
  for (int i = 0; i < 1000; ++i) {
    receiver.receive({.sequence = at, .payload = payload}, rebuilt);
    at = at + 0x3FFF'FFFF;
  }
  // The very old, the empty, the too long.
  receiver.receive({.sequence = at - 100'000, .payload = payload}, rebuilt);
  receiver.receive({.sequence = at + 1, .payload = {}}, rebuilt);
  const Bytes long_payload(1457);
  receiver.receive({.sequence = at + 1, .payload = long_payload}, rebuilt);
  EXPECT_TRUE(rebuilt.empty());
  EXPECT_LE(receiver.take_irrecoverable().size(), 60U);
  EXPECT_LT(receiver.memory_bytes(), 100'000U);
}

TEST(Fec, ParityThatDoesNotFitIsIgnored) {
  const auto of = config("fec,cols:5");
  const auto sent = stream(of, 5, Sequence(100));
  const Packet& parity = sent.back();
  ASSERT_TRUE(parity.parity);
  const auto rebuilt_with = [&](Bytes payload) {
    FecReceiver receiver(of, Sequence(100), kMaxPayload);
    std::vector<RebuiltPacket> rebuilt;
    for (std::size_t i = 0; i < 4; ++i) receiver.receive(sent[i].view(), rebuilt);
    receiver.receive_parity(
        {.sequence = parity.sequence, .timestamp = parity.timestamp, .payload = payload}, rebuilt);
    return rebuilt.size();
  };
  EXPECT_EQ(rebuilt_with(parity.payload), 1U);
  Bytes changed = parity.payload;
  changed[0] = std::byte{4};  // a column, where there are only rows
  EXPECT_EQ(rebuilt_with(changed), 0U);
  changed = parity.payload;
  changed[2] ^= std::byte{0x80};  // a length of more than 32 kB
  EXPECT_EQ(rebuilt_with(changed), 0U);
  EXPECT_EQ(rebuilt_with(Bytes(3)), 0U);
  EXPECT_EQ(rebuilt_with(Bytes(kMaxPayload + 5)), 0U);
}

}  // namespace
}  // namespace kapok::srt
