#include "transcoder/app/outbox.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>

#include "server/picture/wire/reader.hpp"

namespace kapok::transcoder {
namespace {

class OutboxTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_), 0); }
  void TearDown() override {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  std::vector<wire::FromWorker> hear(std::size_t count) {
    std::vector<wire::FromWorker> heard;
    while (heard.size() < count) {
      const std::span<std::byte> room = reader_.room();
      const ssize_t got = ::recv(ends_[1], room.data(), room.size(), 0);
      if (got <= 0) break;
      EXPECT_TRUE(reader_.filled(static_cast<std::size_t>(got), heard));
    }
    return heard;
  }
  static Outbox::Beat no_beat() {
    return [] { return std::nullopt; };
  }
  static wire::RungPacket packet_of(std::size_t bytes) {
    media::Packet packet;
    packet.payload = Buffer(Bytes(bytes));
    return {"a", packet};
  }

  int ends_[2] = {-1, -1};
  wire::Reader<wire::FromWorker> reader_;
};

TEST_F(OutboxTest, TheHelloGoesFirstWhateverWasSaidBefore) {
  Outbox outbox(ends_[0], no_beat());
  outbox.say(wire::Notice{LogLevel::info, "early", ""});
  outbox.greet({});
  outbox.say(wire::Drained{});
  outbox.flush();
  const auto heard = hear(3);
  ASSERT_EQ(heard.size(), 3U);
  EXPECT_TRUE(std::holds_alternative<wire::WorkerHello>(heard[0]));
  EXPECT_TRUE(std::holds_alternative<wire::Notice>(heard[1]));
  EXPECT_TRUE(std::holds_alternative<wire::Drained>(heard[2]));
}

TEST_F(OutboxTest, BeatsWithoutBeingAsked) {
  Outbox outbox(ends_[0], [] {
    wire::Heartbeat beat;
    beat.decoded = 5;
    return beat;
  });
  outbox.greet({});
  const auto heard = hear(3);
  ASSERT_EQ(heard.size(), 3U);
  EXPECT_EQ(std::get<wire::Heartbeat>(heard[2]).decoded, 5U);
}

TEST_F(OutboxTest, WhoeverSpeaksWaitsWhileTooMuchIsUnwrittenAndNoLongerThanTheOutbox) {
  Outbox outbox(ends_[0], no_beat());
  outbox.greet({});
  // Nobody reads. The bytes of 40 such packets are more than it keeps.
  std::future<void> speaker = std::async(std::launch::async, [&] {
    for (int i = 0; i < 40; ++i) outbox.say(packet_of(Outbox::kMaxBytes / 30));
  });
  EXPECT_EQ(speaker.wait_for(milliseconds(50)), std::future_status::timeout);
  outbox.close();
  speaker.get();
}

TEST_F(OutboxTest, AMessageThatIsTooLargeBecomesANotice) {
  Outbox outbox(ends_[0], no_beat());
  outbox.greet({});
  outbox.say(packet_of(media::kMaxPacketBytes + 1));
  const auto heard = hear(2);
  ASSERT_EQ(heard.size(), 2U);
  EXPECT_EQ(std::get<wire::Notice>(heard[1]).event, "worker.message_dropped");
}

TEST_F(OutboxTest, APeerThatIsGoneHoldsNobody) {
  Outbox outbox(ends_[0], no_beat());
  ::shutdown(ends_[1], SHUT_RDWR);
  outbox.greet({});
  for (int i = 0; i < 100; ++i) outbox.say(packet_of(Outbox::kMaxBytes / 30));
  outbox.flush();
}

}  // namespace
}  // namespace kapok::transcoder
