#include "server/picture/delivery/http/live_store.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "server/picture/delivery/http/test_channel.hpp"

namespace kapok::delivery {
namespace {

using testing::TestChannel;

class LiveStoreTest : public ::testing::Test {
 protected:
  void TearDown() override {
    live_.stop();
    shard_.restart();
    shard_.run();
  }
  void wait_for(Wish wish, nanoseconds patience = seconds(6)) {
    const auto wait = [](LiveStoreTest& test, Wish what, MonoTime give_up) -> Task<> {
      Waiter waiter;
      waiter.wish = what;
      waiter.give_up = give_up;
      co_await test.live_.wait(waiter, "demo", "source");
      (waiter.woken == Woken::gave_up ? test.gave_up_ : test.answerable_)++;
    };
    tasks_.spawn(wait(*this, wish, clock_.mono() + patience));
    turn();
  }
  // Everything that can run now.
  void turn() {
    shard_.restart();
    shard_.poll();
  }
  void reload(std::uint64_t msn, std::optional<std::uint64_t> part = std::nullopt) {
    wait_for({.what = Wish::What::playlist, .number = msn, .part = part, .bytes = 0});
  }

  FakeClock clock_;
  boost::asio::io_context shard_{1};
  LiveStore live_{shard_.get_executor(), clock_};
  TaskGroup tasks_{shard_.get_executor()};
  TestChannel demo_{"demo", [this](auto event) { live_.apply(event); }};
  int answerable_ = 0;
  int gave_up_ = 0;
};

TEST_F(LiveStoreTest, WakesOnlyThoseWhoseWishCameTrue) {
  demo_.open();
  demo_.add_segments(2);
  for (int i = 0; i < 1000; ++i) reload(1002, 0);
  for (int i = 0; i < 10; ++i) reload(1002, 1);
  reload(1002);
  EXPECT_EQ(live_.waiting(), 1011U);
  demo_.add_part();
  turn();
  EXPECT_EQ(answerable_, 1000);
  demo_.add_part();
  turn();
  EXPECT_EQ(answerable_, 1010);
  for (int i = 2; i < 10; ++i) demo_.add_part();
  turn();
  EXPECT_EQ(answerable_, 1011);
  EXPECT_EQ(live_.waiting(), 0U);
}

TEST_F(LiveStoreTest, LetsOthersHaveTurnsWhileThousandsAreWoken) {
  demo_.open();
  demo_.add_segments(2);
  for (int i = 0; i < 1000; ++i) reload(1002, 0);
  demo_.add_part();
  boost::asio::post(shard_, [this] { EXPECT_LT(answerable_, 1000); });
  turn();
  EXPECT_EQ(answerable_, 1000);
}

TEST_F(LiveStoreTest, GivesUpWhenTheTimeHasCome) {
  demo_.open();
  demo_.add_segments(2);
  reload(1002);
  clock_.advance(seconds(5));
  live_.sweep();
  turn();
  EXPECT_EQ(gave_up_, 0);
  clock_.advance(seconds(1));
  live_.sweep();
  turn();
  EXPECT_EQ(gave_up_, 1);
}

TEST_F(LiveStoreTest, HoldsReloadsOfAnIdleChannelButNotItsParts) {
  demo_.open();
  demo_.add_segments(2);
  demo_.go_idle();
  reload(1002);
  EXPECT_EQ(live_.waiting(), 1U);
  wait_for({.what = Wish::What::part, .number = 20, .part = std::nullopt, .bytes = 0});
  EXPECT_EQ(answerable_, 1);
}

TEST_F(LiveStoreTest, AnswersUnknownChannelsAtOnce) {
  reload(1);
  EXPECT_EQ(answerable_, 1);
  EXPECT_FALSE(
      live_.playlist("demo", "source", packaging::PlaylistForm::full, LiveStore::Coding::identity));
}

TEST_F(LiveStoreTest, ZipsATextOnceForAll) {
  demo_.open();
  demo_.add_segments(20);
  const auto text = [&](LiveStore::Coding coding) {
    return *live_.playlist("demo", "source", packaging::PlaylistForm::full, coding);
  };
  const auto first = text(LiveStore::Coding::gzip);
  EXPECT_TRUE(first.gzipped);
  EXPECT_EQ(text(LiveStore::Coding::gzip).bytes.data(), first.bytes.data());
  EXPECT_EQ(text(LiveStore::Coding::identity).bytes.data(),
            text(LiveStore::Coding::identity).bytes.data());
  demo_.add_part();
  EXPECT_NE(text(LiveStore::Coding::gzip).bytes.text(), first.bytes.text());
}

}  // namespace
}  // namespace kapok::delivery
