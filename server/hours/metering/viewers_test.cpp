// Simulated viewers with ground truth: what a session is credited is what was watched, within a
// second, and nothing for those who cheat.
#include <gtest/gtest.h>

#include <numeric>

#include "server/hours/metering/session_book.hpp"

namespace kapok::metering {
namespace {

using ledger::Leaf;
using ledger::LeafKind;
using ledger::Reason;

const UtcTime kStart{seconds(1'790'000'000)};
constexpr std::int64_t kStartMs = 1'790'000'000'000;
constexpr std::int64_t kSegmentMs = 2'000;
constexpr std::int64_t kBeaconMs = 10'000;

std::shared_ptr<const catalogue::Catalogue> schedule() {
  catalogue::CatalogueConfig config;
  config.enterprises = {{"gdtv", "GDTV", catalogue::EnterpriseKind::broadcaster}};
  catalogue::Programme all{"all", "work", "All day", "demo", "gdtv", std::nullopt, std::nullopt};
  config.programmes = {all};
  return std::make_shared<catalogue::Catalogue>(catalogue::Catalogue::create(config).value());
}

evidence::PictureFacts uhd() {
  evidence::PictureFacts picture;
  picture.codec = media::Codec::hevc;
  picture.width = 3840;
  picture.height = 2160;
  picture.bit_depth = 10;
  picture.frame_rate = {50, 1};
  return picture;
}

// A server with its live edge, in simulated time.
class World {
 public:
  explicit World(std::shared_ptr<const catalogue::Catalogue> catalogue = schedule())
      : book_({}, rules::RuleSet(), std::move(catalogue)) {}

  Moment now() const {
    return {MonoTime(milliseconds(1'000'000 + at_ms_)), kStart + milliseconds(at_ms_)};
  }
  std::int64_t at_ms() const { return at_ms_; }
  std::int64_t edge() const { return kStartMs + at_ms_ / kSegmentMs * kSegmentMs; }
  void pass(std::int64_t ms) {
    for (const std::int64_t end = at_ms_ + ms; at_ms_ < end;) {
      const std::int64_t step = std::min<std::int64_t>(500, end - at_ms_);
      at_ms_ += step;
      for (; published_ms_ + kSegmentMs <= kStartMs + at_ms_; published_ms_ += kSegmentMs) {
        evidence::Published segment;
        segment.channel = "demo";
        segment.rendition = "source";
        segment.interval = {from_ms(published_ms_), from_ms(published_ms_ + kSegmentMs)};
        segment.picture = uhd();
        book_.take_fact(segment, now());
      }
      tell();
      book_.tick(now());
    }
  }
  SessionBook& book() { return book_; }
  // Such pictures from..to, channel time, as a transcoder that is two seconds behind tells of them.
  void show(evidence::PictureEventKind kind, std::int64_t from, std::int64_t to) {
    shown_.push_back({kind, {from, to}, 0});
  }
  std::vector<Leaf> finish() {
    pass(700'000);
    book_.close_all(now());
    const std::vector<Leaf> all = book_.take();
    std::vector<Leaf> views;
    for (const Leaf& leaf : all)
      if (leaf.kind == LeafKind::view) views.push_back(leaf);
    for (const Leaf& leaf : views) {
      EXPECT_LE(leaf.credit_ms, leaf.wall_ms);
      EXPECT_LE(leaf.closed_ms - leaf.opened_ms, 300'000);
      EXPECT_TRUE(ledger::decode_leaf(encode(leaf)));
    }
    return views;
  }

 private:
  struct Shown {
    evidence::PictureEventKind kind;
    rules::Span span;
    std::int64_t told_to;
  };
  void tell() {
    for (Shown& shown : shown_) {
      const std::int64_t seen = std::min(kStartMs + at_ms_ - 2'000, shown.span.to);
      const std::int64_t step = shown.told_to == 0 ? 1'000 : 5'000;
      const std::int64_t begin = shown.told_to == 0 ? shown.span.from : shown.told_to;
      const bool over = seen == shown.span.to && shown.told_to != seen;
      if (seen - begin < step && !over) continue;
      shown.told_to = seen;
      book_.take_fact(
          evidence::PictureEvent{"demo", {from_ms(shown.span.from), from_ms(seen)}, shown.kind},
          now());
    }
  }

  std::vector<Shown> shown_;
  SessionBook book_;
  std::int64_t at_ms_ = 0;
  std::int64_t published_ms_ = kStartMs;
};

// A player: fetches ahead of its playhead, plays, reports.
class Viewer {
 public:
  explicit Viewer(World& world, std::uint8_t id = 1) : world_(world) {
    token_.session.fill(static_cast<std::byte>(id));
    token_.channel = "demo";
    token_.region = 440100;
    token_.expires = kStart + std::chrono::hours(6);
    world_.book().opened(token_, world_.now());
  }

  void fetch(std::int64_t from, std::int64_t to) {
    for (std::int64_t at = from / kSegmentMs * kSegmentMs; at < to; at += kSegmentMs) {
      evidence::Delivered delivered;
      delivered.session = token_.session;
      delivered.channel = "demo";
      delivered.rendition = "source";
      delivered.video = true;
      delivered.interval = {from_ms(at), from_ms(at + kSegmentMs)};
      delivered.bytes = 6'000'000;
      world_.book().take_fact(delivered, world_.now());
    }
    fetched_ = to;
  }
  void tune(std::int64_t position) { playhead_ = position; }
  // Plays for `wall` ms at the rate, fetching as it goes and reporting every ten seconds.
  void play(std::int64_t wall, std::uint32_t rate_milli = 1000,
            Visibility visibility = Visibility::visible) {
    for (std::int64_t left = wall; left > 0;) {
      const std::int64_t step = std::min<std::int64_t>({left, 500, kBeaconMs - since_beacon_});
      const std::int64_t to = playhead_ + step * rate_milli / 1000;
      if (to + 4000 > fetched_) fetch(std::max(fetched_, playhead_), to + 6000);
      world_.pass(step);
      note(playhead_, to);
      playhead_ = to;
      since_beacon_ += step;
      left -= step;
      if (since_beacon_ >= kBeaconMs) beacon(rate_milli, visibility);
    }
    watched_ += wall;
    beacon(rate_milli, visibility);  // a change of state is reported at once
  }
  void pause(std::int64_t wall) {
    for (; wall > 0; wall -= kBeaconMs) {
      world_.pass(std::min(wall, kBeaconMs));
      beacon(1000, Visibility::visible, PlayState::paused);
    }
  }
  void beacon(std::uint32_t rate_milli = 1000, Visibility visibility = Visibility::visible,
              PlayState state = PlayState::playing) {
    BeaconReport report;
    report.sequence = ++sequence_;
    report.sent_ms = kStartMs + world_.at_ms() + clock_error_ms_;
    report.rate_milli = rate_milli;
    report.visibility = visibility;
    report.state = state;
    report.played = std::exchange(played_, {});
    since_beacon_ = 0;
    sent_.push_back(report);
    if (online_) deliver_report(report);
  }
  void deliver_report(const BeaconReport& report) {
    world_.book().reported(token_, report, world_.now());
  }
  void go_offline() {
    online_ = false;
    held_from_ = sent_.size();
  }
  void go_online() {
    online_ = true;
    for (std::size_t i = held_from_; i < sent_.size(); ++i) deliver_report(sent_[i]);
  }
  void claim(std::int64_t from, std::int64_t to) { note(from, to); }

  access::SessionToken token_;
  std::vector<BeaconReport> sent_;
  std::int64_t playhead_ = 0;
  std::int64_t fetched_ = 0;
  std::int64_t watched_ = 0;  // the truth
  std::int64_t clock_error_ms_ = 0;

 private:
  void note(std::int64_t from, std::int64_t to) {
    if (!played_.empty() && played_.back().to == from)
      played_.back().to = to;
    else
      played_.push_back({from, to});
  }
  World& world_;
  std::vector<rules::Span> played_;
  std::uint64_t sequence_ = 0;
  std::int64_t since_beacon_ = 0;
  std::size_t held_from_ = 0;
  bool online_ = true;
};

std::int64_t credited(const std::vector<Leaf>& leaves) {
  std::int64_t sum = 0;
  for (const Leaf& leaf : leaves)
    if (leaf.kind == LeafKind::view) sum += leaf.credit_ms;
  return sum;
}
std::int64_t claimed(const std::vector<Leaf>& leaves, Reason reason) {
  std::int64_t sum = 0;
  for (const Leaf& leaf : leaves)
    if (leaf.reason == reason) sum += leaf.claimed_ms;
  return sum;
}

std::int64_t credited(const std::vector<Leaf>& leaves, ledger::UhdClass uhd) {
  std::int64_t sum = 0;
  for (const Leaf& leaf : leaves)
    if (leaf.uhd == uhd) sum += leaf.credit_ms;
  return sum;
}

#define EXPECT_WITHIN_A_SECOND(credit, truth) EXPECT_LE(std::abs((credit) - (truth)), 1000)

TEST(Viewers, AMinuteWatchedIsAMinuteCredited) {
  World world;
  world.pass(20'000);
  Viewer viewer(world);
  viewer.tune(world.edge() - 3000);
  viewer.play(60'000);
  const auto leaves = world.finish();
  EXPECT_EQ(credited(leaves), 60'000);
  for (const Leaf& leaf : leaves)
    if (leaf.reason == Reason::none) {
      EXPECT_EQ(leaf.uhd, ledger::UhdClass::strict);
      EXPECT_EQ(leaf.programme, ledger::number64_of("all"));
      EXPECT_EQ(leaf.region, 440100U);
      EXPECT_TRUE((leaf.flags & ledger::kLeafFree) != 0);
    }
}

TEST(Viewers, AnHourBecomesLeavesOfAtMostFiveMinutes) {
  World world;
  world.pass(20'000);
  Viewer viewer(world);
  viewer.tune(world.edge() - 3000);
  viewer.play(3'600'000);
  const auto leaves = world.finish();
  EXPECT_WITHIN_A_SECOND(credited(leaves), 3'600'000);
  EXPECT_GE(leaves.size(), 50U);
}

TEST(Viewers, PausedTimeEarnsNothing) {
  World world;
  world.pass(20'000);
  Viewer viewer(world);
  viewer.tune(world.edge() - 3000);
  viewer.play(33'000);
  viewer.pause(120'000);
  viewer.play(27'000);
  EXPECT_WITHIN_A_SECOND(credited(world.finish()), 60'000);
}

TEST(Viewers, ALongSilentPauseLosesNothingBeforeOrAfter) {
  World world;
  world.pass(20'000);
  Viewer viewer(world);
  viewer.tune(world.edge() - 3000);
  viewer.play(33'000);
  world.pass(200'000);  // no reports at all
  viewer.play(27'000);
  EXPECT_WITHIN_A_SECOND(credited(world.finish()), 60'000);
}

TEST(Viewers, SeekingBackAndForthCountsWhatWasPlayed) {
  World world;
  world.pass(600'000);
  Viewer viewer(world);
  const std::int64_t first = world.edge() - 300'000;
  viewer.tune(first);
  viewer.play(20'000);
  viewer.tune(world.edge() - 200'000);
  viewer.fetch(viewer.playhead_, viewer.playhead_ + 6000);
  viewer.play(20'000);
  viewer.tune(first);  // again: watched again
  viewer.play(20'000);
  EXPECT_WITHIN_A_SECOND(credited(world.finish()), viewer.watched_);
}

TEST(Viewers, DoubleSpeedEarnsTheWallClock) {
  World world;
  world.pass(600'000);
  Viewer viewer(world);
  viewer.tune(world.edge() - 500'000);
  viewer.play(60'000, 2000);
  EXPECT_WITHIN_A_SECOND(credited(world.finish()), 60'000);
}

TEST(Viewers, TripleSpeedEarnsNothing) {
  World world;
  world.pass(600'000);
  Viewer viewer(world);
  viewer.tune(world.edge() - 500'000);
  viewer.play(60'000, 3000);
  const auto leaves = world.finish();
  EXPECT_EQ(credited(leaves), 0);
  EXPECT_EQ(claimed(leaves, Reason::too_fast), 180'000);
}

TEST(Viewers, BackgroundEarnsNothing) {
  World world;
  world.pass(20'000);
  Viewer viewer(world);
  viewer.tune(world.edge() - 3000);
  viewer.play(30'000);
  viewer.play(30'000, 1000, Visibility::hidden);
  const auto leaves = world.finish();
  EXPECT_WITHIN_A_SECOND(credited(leaves), 30'000);
  EXPECT_EQ(claimed(leaves, Reason::background), 30'000);
}

TEST(Viewers, PreloadWithoutPlayEarnsNothingAndIsKept) {
  World world;
  world.pass(100'000);
  Viewer viewer(world);
  viewer.fetch(world.edge() - 60'000, world.edge());
  const auto leaves = world.finish();
  EXPECT_EQ(credited(leaves), 0);
  ASSERT_EQ(leaves.size(), 1U);
  EXPECT_EQ(leaves[0].reason, Reason::not_reported);
  EXPECT_EQ(leaves[0].delivered_ms, 60'000U);
}

TEST(Viewers, ThreeSecondsAreNoPlayFourAre) {
  World world;
  world.pass(20'000);
  Viewer zapper(world, 1);
  zapper.tune(world.edge() - 3000);
  zapper.play(3'000);
  Viewer stayer(world, 2);
  stayer.tune(world.edge() - 3000);
  stayer.play(4'000);
  const auto leaves = world.finish();
  EXPECT_EQ(credited(leaves), 4'000);
  EXPECT_EQ(claimed(leaves, Reason::short_play), 3'000);
}

TEST(Viewers, LongBlackEarnsNothingThoughItIsToldOfLater) {
  World world;
  world.pass(20'000);
  Viewer viewer(world);
  viewer.tune(world.edge() - 500);  // as near to the live edge as players get
  const std::int64_t begin = viewer.playhead_;
  world.show(evidence::PictureEventKind::black, begin + 7'300, begin + 27'300);
  viewer.play(60'000);
  const auto leaves = world.finish();
  EXPECT_EQ(credited(leaves), 40'000);
  EXPECT_EQ(credited(leaves, ledger::UhdClass::strict), 40'000);
  EXPECT_EQ(claimed(leaves, Reason::black), 20'000);
}

TEST(Viewers, ShortBlackIsTakenOutByTheStrictReadingAlone) {
  World world;
  world.pass(20'000);
  Viewer viewer(world);
  viewer.tune(world.edge() - 500);
  const std::int64_t begin = viewer.playhead_;
  world.show(evidence::PictureEventKind::black, begin + 7'300, begin + 12'300);
  world.show(evidence::PictureEventKind::silence, begin, begin + 60'000);
  viewer.play(60'000);
  const auto leaves = world.finish();
  EXPECT_EQ(credited(leaves), 60'000);
  EXPECT_EQ(credited(leaves, ledger::UhdClass::strict), 55'000);
  EXPECT_EQ(credited(leaves, ledger::UhdClass::loose), 5'000);
  EXPECT_EQ(claimed(leaves, Reason::black) + claimed(leaves, Reason::silence), 0);
}

// The end is acknowledged once it is in the log, so it does not wait for what may be told later.
TEST(Viewers, WhoLeavesIsJudgedByWhatWasToldBefore) {
  World world;
  world.pass(20'000);
  Viewer viewer(world);
  viewer.tune(world.edge() - 500);
  const std::int64_t begin = viewer.playhead_;
  viewer.play(24'000);
  viewer.beacon(1000, Visibility::visible, PlayState::ended);
  world.pass(1'000);
  world.show(evidence::PictureEventKind::frozen, begin + 20'000, begin + 50'000);
  EXPECT_EQ(credited(world.finish()), 24'000);
}

TEST(Viewers, ATestPatternWatchedAtDoubleSpeedUsesUpItsTime) {
  World world;
  world.pass(600'000);
  const std::int64_t from = world.edge() - 500'000;
  world.show(evidence::PictureEventKind::bars, from + 20'000, from + 60'000);
  world.pass(1'000);
  Viewer viewer(world);
  viewer.tune(from);
  viewer.play(60'000, 2000);
  EXPECT_WITHIN_A_SECOND(credited(world.finish()), 40'000);
}

TEST(Viewers, ACrashedPlayerKeepsWhatItReported) {
  World world;
  world.pass(20'000);
  Viewer viewer(world);
  viewer.tune(world.edge() - 3000);
  viewer.play(30'000);
  // and no more is heard
  EXPECT_EQ(credited(world.finish()), 30'000);
}

TEST(Viewers, ReportsHeldWhileTheApiWasAwayCountInFull) {
  World world;
  world.pass(20'000);
  Viewer viewer(world);
  viewer.tune(world.edge() - 3000);
  viewer.play(20'000);
  viewer.go_offline();
  viewer.play(300'000);
  viewer.go_online();
  viewer.play(20'000);
  EXPECT_WITHIN_A_SECOND(credited(world.finish()), 340'000);
}

TEST(Viewers, AWrongClockInThePlayerChangesNothing) {
  for (const std::int64_t error : {-86'400'000LL, 86'400'000LL}) {
    World world;
    world.pass(20'000);
    Viewer viewer(world);
    viewer.clock_error_ms_ = error;
    viewer.tune(world.edge() - 3000);
    viewer.play(30'000);
    viewer.clock_error_ms_ = error / 2;  // set right in the middle
    viewer.play(30'000);
    EXPECT_WITHIN_A_SECOND(credited(world.finish()), 60'000);
  }
}

TEST(Viewers, RepeatedReportsChangeNothing) {
  World world;
  world.pass(20'000);
  Viewer viewer(world);
  viewer.tune(world.edge() - 3000);
  viewer.play(60'000);
  for (int again = 0; again < 3; ++again)
    for (const BeaconReport& report : viewer.sent_) viewer.deliver_report(report);
  EXPECT_EQ(credited(world.finish()), 60'000);
  EXPECT_GT(world.book().counts().repeated, 0U);
}

TEST(Viewers, AClaimOfWhatWasNeverDeliveredEarnsNothing) {
  World world;
  world.pass(600'000);
  Viewer liar(world);
  world.pass(60'000);
  liar.claim(world.edge() - 60'000, world.edge());
  liar.beacon();
  const auto leaves = world.finish();
  EXPECT_EQ(credited(leaves), 0);
  EXPECT_EQ(claimed(leaves, Reason::not_delivered), 60'000);
}

TEST(Viewers, ADownloadedHourClaimedAtOnceEarnsOnlyTheClock) {
  World world;
  world.pass(3'700'000);
  Viewer cheat(world);
  const std::int64_t from = world.edge() - 3'600'000;
  cheat.fetch(from, from + 600'000);
  world.pass(5'000);
  cheat.claim(from, from + 600'000);
  cheat.beacon();
  const auto leaves = world.finish();
  EXPECT_LE(credited(leaves), 5'000);
  EXPECT_GE(claimed(leaves, Reason::faster_than_clock), 595'000);
}

TEST(Viewers, ManyReportsWithRisingNumbersDoNotBeatTheClock) {
  World world;
  world.pass(600'000);
  Viewer cheat(world);
  const std::int64_t from = world.edge() - 60'000;
  cheat.fetch(from, from + 60'000);
  for (int i = 0; i < 60; ++i) {
    world.pass(1'000);
    for (int again = 0; again < 10; ++again) {
      cheat.claim(from, from + 10'000);
      cheat.beacon();
    }
  }
  EXPECT_LE(credited(world.finish()), 60'000);
}

TEST(Viewers, TwoDevicesOnOneTokenEarnAtMostTheClock) {
  World world;
  world.pass(20'000);
  Viewer first(world, 1);
  first.tune(world.edge() - 3000);
  first.play(30'000);
  for (int i = 0; i < 30; ++i) first.claim(first.playhead_ - 30'000, first.playhead_);
  first.beacon();
  EXPECT_WITHIN_A_SECOND(credited(world.finish()), 30'000);
}

TEST(Viewers, TwoTokensAreTwoDevices) {
  World world;
  world.pass(20'000);
  Viewer first(world, 1);
  Viewer second(world, 2);
  first.tune(world.edge() - 3000);
  second.tune(world.edge() - 3000);
  first.play(30'000);
  second.play(30'000);
  EXPECT_WITHIN_A_SECOND(credited(world.finish()), 60'000);
}

TEST(Viewers, TheEndIsSettledAtOnceWhenThePlayerSaysSo) {
  World world;
  world.pass(20'000);
  Viewer viewer(world);
  viewer.tune(world.edge() - 3000);
  viewer.play(30'000);
  viewer.beacon(1000, Visibility::visible, PlayState::ended);
  world.pass(1'000);
  EXPECT_EQ(credited(world.book().take()), 30'000);
}

TEST(Viewers, ViewingIsSplitAtTheSchedule) {
  catalogue::CatalogueConfig config;
  config.enterprises = {{"gdtv", "GDTV", catalogue::EnterpriseKind::broadcaster}};
  catalogue::Programme film{"film", "film", "Film", "demo", "gdtv", kStart, kStart + seconds(50)};
  catalogue::Programme paid{"paid",      "paid", "Paid", "demo", "gdtv", kStart + seconds(60),
                            std::nullopt};
  paid.free = false;
  config.programmes = {film, paid};
  World world(std::make_shared<catalogue::Catalogue>(catalogue::Catalogue::create(config).value()));
  world.pass(24'000);
  Viewer viewer(world);
  viewer.tune(kStartMs + 20'000);
  viewer.play(60'000);
  std::map<std::uint64_t, std::int64_t> by_programme;
  std::int64_t unscheduled = 0;
  for (const Leaf& leaf : world.finish()) {
    by_programme[leaf.programme] += leaf.credit_ms;
    if (leaf.reason == Reason::no_programme) unscheduled += leaf.claimed_ms;
  }
  EXPECT_EQ(by_programme[ledger::number64_of("film")], 30'000);
  EXPECT_EQ(by_programme[ledger::number64_of("paid")], 20'000);
  EXPECT_EQ(unscheduled, 10'000);
}

TEST(Viewers, ASessionKnownOnlyByItsDeliveriesIsCreditedOnceItsTokenComes) {
  World world;
  world.pass(20'000);
  Viewer viewer(world);
  SessionBook fresh({}, rules::RuleSet(), schedule());  // the server came back
  evidence::Delivered delivered;
  delivered.session = viewer.token_.session;
  delivered.channel = "demo";
  delivered.rendition = "source";
  delivered.video = true;
  delivered.interval = {from_ms(kStartMs), from_ms(kStartMs + 10'000)};
  fresh.take_fact(delivered, world.now());
  world.pass(10'000);
  BeaconReport report;
  report.sequence = 7;
  report.visibility = Visibility::visible;
  report.played = {{kStartMs, kStartMs + 10'000}};
  fresh.reported(viewer.token_, report, world.now());
  fresh.close_all(world.now());
  EXPECT_EQ(credited(fresh.take()), 10'000);
}

}  // namespace
}  // namespace kapok::metering
