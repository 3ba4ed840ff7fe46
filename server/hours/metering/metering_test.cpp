#include "server/hours/metering/metering.hpp"

#include <gtest/gtest.h>

#include <condition_variable>

namespace kapok::metering {
namespace {

const UtcTime kStart{seconds(1'790'000'000)};

// A ledger that remembers, and that can be told to refuse.
class RecordingLedger final : public ledger::LeafSink {
 public:
  Result<void> append(std::vector<ledger::Leaf> leaves, ledger::OnDurable on_durable) override {
    Result<std::uint64_t> answer = 0;
    {
      const std::lock_guard lock(mutex_);
      if (refuse_next_ > 0) {
        --refuse_next_;
        answer = fail(Errc::full, "disk full");
      } else {
        answer = leaves_.size();
        leaves_.insert(leaves_.end(), leaves.begin(), leaves.end());
      }
    }
    on_durable(answer);
    return {};
  }
  void refuse_next(int batches) {
    const std::lock_guard lock(mutex_);
    refuse_next_ = batches;
  }
  std::vector<ledger::Leaf> leaves() const {
    const std::lock_guard lock(mutex_);
    return leaves_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<ledger::Leaf> leaves_;
  int refuse_next_ = 0;
};

class MeteringTest : public testing::Test {
 protected:
  MeteringTest() {
    MeteringConfig config;
    config.tick = milliseconds(5);
    catalogue::CatalogueConfig catalogue;
    catalogue.enterprises = {{"e", "E", catalogue::EnterpriseKind::iptv}};
    catalogue.programmes = {{"p", "w", "P", "demo", "e", std::nullopt, std::nullopt}};
    metering_ = std::make_unique<Metering>(
        config, rules::RuleSet(),
        std::make_shared<catalogue::Catalogue>(catalogue::Catalogue::create(catalogue).value()),
        std::make_shared<access::TokenSigner>(
            std::vector<access::TokenKey>{{1, Bytes(32, std::byte{5})}}),
        ledger_, clock_, Log(), metrics_);
  }
  void deliver(const SessionOffer& offer, std::int64_t from, std::int64_t to) {
    evidence::Delivered fact;
    const Bytes id = from_hex(offer.session).value();
    std::copy(id.begin(), id.end(), fact.session.begin());
    fact.channel = "demo";
    fact.rendition = "source";
    fact.video = true;
    fact.interval = {from_ms(from), from_ms(to)};
    metering_->report(fact);
  }
  static BeaconReport played(const SessionOffer& offer, std::int64_t from, std::int64_t to) {
    BeaconReport report;
    report.token = offer.token;
    report.sequence = 1;
    report.played = {{from, to}};
    return report;
  }
  static std::int64_t credited(const std::vector<ledger::Leaf>& leaves) {
    std::int64_t sum = 0;
    for (const auto& leaf : leaves) sum += leaf.credit_ms;
    return sum;
  }

  FakeClock clock_;
  NullMetrics metrics_;
  RecordingLedger ledger_;
  std::unique_ptr<Metering> metering_;
};

TEST_F(MeteringTest, DrainWritesWhatWasWatched) {
  const SessionOffer offer = metering_->open_session({"demo", {}, 440300}).value();
  EXPECT_EQ(offer.base, "/s/" + offer.token + "/");
  const std::int64_t at = to_ms(kStart);
  deliver(offer, at, at + 20'000);
  metering_->settle();
  clock_.advance(seconds(20));
  ASSERT_TRUE(metering_->beacon(played(offer, at, at + 20'000)));
  EXPECT_TRUE(metering_->drain(seconds(10)));
  const auto leaves = ledger_.leaves();
  EXPECT_EQ(credited(leaves), 20'000);
  EXPECT_EQ(leaves.at(0).region, 440300U);
  EXPECT_EQ(metering_->open_session({"demo", {}, 0}).error().code, Errc::closed);
}

TEST_F(MeteringTest, LeavesThatTheLedgerRefusedAreOfferedAgain) {
  const SessionOffer offer = metering_->open_session({"demo", {}, 0}).value();
  const std::int64_t at = to_ms(kStart);
  deliver(offer, at, at + 20'000);
  metering_->settle();
  clock_.advance(seconds(20));
  ASSERT_TRUE(metering_->beacon(played(offer, at, at + 20'000)));
  ledger_.refuse_next(3);
  EXPECT_TRUE(metering_->drain(seconds(10)));
  EXPECT_EQ(credited(ledger_.leaves()), 20'000);
}

TEST_F(MeteringTest, ReportsAreRefusedUntilTheLedgerTakesLeavesAgain) {
  ledger_.refuse_next(1'000'000);
  const SessionOffer left = metering_->open_session({"demo", {}, 0}).value();
  deliver(left, 0, 20'000);
  clock_.advance(std::chrono::hours(1));  // silent for so long: its leaf is written
  metering_->settle();
  metering_->settle();
  const SessionOffer offer = metering_->open_session({"demo", {}, 0}).value();
  EXPECT_EQ(metering_->beacon(played(offer, 0, 1000)).error().code, Errc::full);
  ledger_.refuse_next(0);
  metering_->settle();
  metering_->settle();
  EXPECT_TRUE(metering_->beacon(played(offer, 0, 1000)));
}

TEST_F(MeteringTest, ALedgerThatNeverTakesThemIsReported) {
  const SessionOffer offer = metering_->open_session({"demo", {}, 0}).value();
  deliver(offer, 0, 20'000);
  ledger_.refuse_next(1'000'000);
  EXPECT_FALSE(metering_->drain(milliseconds(20)));
  ledger_.refuse_next(0);
}

TEST_F(MeteringTest, ForgedAndExpiredTokensAreRefused) {
  const SessionOffer offer = metering_->open_session({"demo", {}, 0}).value();
  BeaconReport report = played(offer, 0, 1000);
  report.token[20] = report.token[20] == 'A' ? 'B' : 'A';
  EXPECT_EQ(metering_->beacon(report).error().code, Errc::denied);
  clock_.advance(std::chrono::hours(7));
  EXPECT_EQ(metering_->beacon(played(offer, 0, 1000)).error().code, Errc::timeout);
  EXPECT_EQ(metering_->open_session({"../etc", {}, 0}).error().code, Errc::malformed);
}

TEST_F(MeteringTest, FactsFromManyThreadsAreAllTaken) {
  const SessionOffer offer = metering_->open_session({"demo", {}, 0}).value();
  std::vector<std::thread> threads;
  for (std::int64_t thread = 0; thread < 4; ++thread)
    threads.emplace_back([&, thread] {
      for (std::int64_t i = 0; i < 500; ++i)
        deliver(offer, (thread * 500 + i) * 200, (thread * 500 + i + 1) * 200);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(metering_->drain(seconds(10)));
  std::int64_t delivered = 0;
  for (const auto& leaf : ledger_.leaves()) delivered += leaf.delivered_ms;
  EXPECT_EQ(delivered, 4 * 500 * 200);
}

TEST(Beacon, IsReadAsThePlayerWritesIt) {
  const auto report = parse_beacon(
      R"({"token":"abc","seq":3,"sent_ms":1790000000123,"state":"paused","rate":1.5,)"
      R"("played":[{"from_ms":1000,"to_ms":2000.0}],"wall_ms":10000,"visible":false})");
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->token, "abc");
  EXPECT_EQ(report->sequence, 3U);
  EXPECT_EQ(report->sent_ms, 1'790'000'000'123);
  EXPECT_EQ(report->state, PlayState::paused);
  EXPECT_EQ(report->rate_milli, 1500U);
  EXPECT_EQ(report->visibility, Visibility::hidden);
  EXPECT_EQ(report->played, (std::vector<rules::Span>{{1000, 2000}}));
}

TEST(Beacon, BrokenOnesAreRefused) {
  for (const char* text :
       {"", "[]", "{}", R"({"token":"a"})", R"({"token":"a","seq":0})", R"({"token":"a","seq":-1})",
        R"({"token":1,"seq":1})", R"({"token":"a","seq":1e300})",
        R"({"token":"a","seq":1,"played":5})", R"({"token":"a","seq":1,"played":[5]})",
        R"({"token":"a","seq":1,"played":[{"from_ms":5,"to_ms":4}]})",
        R"({"token":"a","seq":1,"played":[{"from_ms":0,"to_ms":1e12}]})",
        R"({"token":"a","seq":1,"rate":"fast"})"})
    EXPECT_FALSE(parse_beacon(text)) << text;
  EXPECT_EQ(parse_beacon(std::string(kMaxBeaconBytes + 1, ' ')).error().code, Errc::limit);
}

}  // namespace
}  // namespace kapok::metering
