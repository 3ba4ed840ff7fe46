#include "server/picture/channel/worker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <csignal>
#include <fstream>

#include "server/picture/channel/simulated_feed_test.hpp"
#include "server/picture/channel/worker_child_test.hpp"

namespace kapok::channel {
namespace {

using testing::HasSubstr;

struct LogLines final : LogSink {
  std::vector<std::string> lines;
  bool enabled(LogLevel) const override { return true; }
  void write(LogLevel, std::string_view event, std::span<const LogField>,
             std::span<const LogField> fields) override {
    std::string line(event);
    for (const LogField& field : fields)
      if (const auto* text = std::get_if<std::string>(&field.value.held()))
        line += " " + field.key + "=" + *text;
    lines.push_back(line);
  }
  std::ptrdiff_t count(std::string_view event) const {
    return std::ranges::count_if(lines, [&](const std::string& line) {
      return line == event || line.starts_with(std::string(event) + " ");
    });
  }
};

// Real processes, so real time; but every test waits for something to happen and none for a time to
// pass, save that nothing must happen for longer than a minute.
struct WorkerFixture : ::testing::Test, RungSink {
  boost::asio::io_context shard;
  SystemClock clock;
  NullMetrics metrics;
  std::shared_ptr<DeviceLoad> devices = std::make_shared<DeviceLoad>();
  std::shared_ptr<LogLines> log = std::make_shared<LogLines>();
  // A child that other tests starve is not hung.
  WorkerLimits limits{.start = seconds(50), .silence = seconds(50), .queue = {}};
  std::unique_ptr<Worker> worker;
  std::vector<std::string> tracks;
  std::vector<std::pair<std::string, media::Packet>> packets;
  std::vector<media::Image> images;
  int ends = 0;
  std::int64_t next_ms = 0;

  void rung_track(const std::string& rung, std::shared_ptr<const media::Track>) override {
    tracks.push_back(rung);
  }
  void rung_packet(const std::string& rung, media::Packet packet) override {
    packets.emplace_back(rung, std::move(packet));
  }
  void rung_shed(const std::string&, std::uint64_t) override {}
  void anomaly(const media::AnomalyEvent&) override {}
  void image(media::Image image) override { images.push_back(std::move(image)); }
  void worker_ended() override { ++ends; }

  static media::Ladder ladder(std::vector<std::string> names) {
    media::Ladder ladder;
    ladder.name = "test";
    for (std::string& name : names) {
      media::VideoRung rung;
      rung.name = std::move(name);
      rung.height = 360;
      rung.bit_rate = 500'000;
      ladder.video.push_back(rung);
    }
    return ladder;
  }
  void start(const std::string& how) {
    worker = std::make_unique<Worker>(
        worker_child(how), limits,
        WorkerServices{shard.get_executor(), clock, Log(log), metrics, "demo", nullptr, devices},
        *this);
    worker->make(ladder({"360p", "180p"}));
  }
  void TearDown() override {
    if (!worker) return;
    bool closed = false;
    boost::asio::co_spawn(shard, worker->close(), [&](std::exception_ptr) { closed = true; });
    until([&] { return closed; });
    worker.reset();
  }
  template <class Condition>
  void until(Condition&& condition) {
    const MonoTime limit = clock.mono() + seconds(60);
    shard.restart();
    while (!condition()) {
      ASSERT_LT(clock.mono(), limit) << "it never happened: " << testing::PrintToString(log->lines);
      shard.run_one_for(milliseconds(20));
      shard.restart();
    }
  }
  WorkerFacts facts() const {
    WorkerFacts out;
    worker->fill(out);
    return out;
  }
  void announce() {
    worker->track(std::make_shared<const media::Track>(video_track(1, 90'000, {50, 1})));
  }
  void give(SegmentStart start) {
    media::Packet packet;
    packet.track = 1;
    packet.dts = packet.pts = {next_ms * 90};
    packet.sync = start == SegmentStart::yes;
    packet.payload = Buffer(Bytes(100));
    packet.arrival = clock.mono();
    next_ms += 20;
    worker->packet(packet, start);
  }
  void until_running() {
    until([&] { return facts().state == WorkerState::running; });
  }
  void feed_until_rungs_come() {
    announce();
    const std::size_t before = packets.size();
    until([&] {
      give(SegmentStart::yes);
      return packets.size() > before;
    });
  }
};

TEST_F(WorkerFixture, RungsComeBackOverTheWire) {
  start("passthrough");
  feed_until_rungs_come();
  EXPECT_THAT(tracks, testing::IsSupersetOf({"360p", "180p"}));
  EXPECT_EQ(packets.front().first, "360p");
  EXPECT_TRUE(packets.front().second.sync);
  EXPECT_EQ(packets.front().second.payload.size(), 100U);
  EXPECT_EQ(facts().engine, "test");
  until([&] { return facts().frames_decoded > 0; });
}

TEST_F(WorkerFixture, TheDeviceOfItsHeartbeatsIsToldAndCountedUntilItEnds) {
  start("passthrough");
  until_running();
  EXPECT_EQ(facts().device, "passthrough") << "as the Hello has it";
  EXPECT_EQ(devices->enter().others(), "") << "what is no device counts as software";
  feed_until_rungs_come();
  until([&] { return facts().device == "nvidia:1"; });
  EXPECT_EQ(devices->enter().others(), "nvidia:1=1");
  worker->rest();
  until([&] { return facts().state == WorkerState::idle; });
  EXPECT_EQ(devices->enter().others(), "");
}

TEST_F(WorkerFixture, TheChildInheritsNothingButItsSocketAndTheLog) {
  const int leak = ::dup(STDERR_FILENO);  // without close-on-exec
  start("passthrough");
  until_running();
  std::vector<std::string> open;
  for (const auto& entry :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", facts().pid)))
    open.push_back(entry.path().filename().string());
  EXPECT_THAT(open, testing::UnorderedElementsAre("0", "1", "2", "3"));
  ::close(leak);
}

TEST_F(WorkerFixture, OneThatIsKilledIsStartedAgainAndGoesOn) {
  start("passthrough");
  feed_until_rungs_come();
  const auto first = facts().pid;
  ::kill(static_cast<pid_t>(first), SIGKILL);
  until([&] { return ends == 1; });
  EXPECT_THAT(facts().last_end, HasSubstr("signal 9"));
  until_running();
  EXPECT_NE(facts().pid, first);
  EXPECT_EQ(facts().restarts, 1U);
  tracks.clear();
  feed_until_rungs_come();
  EXPECT_FALSE(tracks.empty()) << "the new one is told the tracks again";
}

TEST_F(WorkerFixture, OneThatIsStoppedIsKilledAndReplaced) {
  limits.silence = milliseconds(800);
  start("passthrough");
  feed_until_rungs_come();
  ::kill(static_cast<pid_t>(facts().pid), SIGSTOP);
  until([&] { return ends == 1; });
  EXPECT_EQ(facts().hangs, 1U);
  EXPECT_EQ(log->count("worker.hung"), 1);
  feed_until_rungs_come();
}

TEST_F(WorkerFixture, SilenceAfterTheGreetingIsAHangToo) {
  limits.silence = milliseconds(200);
  start("silent");
  until([&] { return facts().hangs >= 1; });
  limits.silence = {};
}

TEST_F(WorkerFixture, OneThatNeverGreetsIsGivenUp) {
  limits.start = milliseconds(200);
  start("mute");
  until([&] { return facts().hangs >= 1; });
}

TEST_F(WorkerFixture, WhyOneCannotBeginIsPartOfHowItEnded) {
  start("unable");
  until([&] { return !facts().last_end.empty(); });
  EXPECT_EQ(facts().last_end, "exit status 1: device nvidia: no driver");
}

TEST_F(WorkerFixture, ACrashLoopWaitsLongerAndRaisesAnAlarm) {
  start("crash");
  announce();
  until([&] {
    give(SegmentStart::yes);
    return facts().crash_loop;
  });
  EXPECT_EQ(facts().last_end, "exit status 7");
  EXPECT_EQ(log->count("worker.crash_loop"), 1);
  EXPECT_EQ(facts().state, WorkerState::waiting);
}

TEST_F(WorkerFixture, AProgramThatIsNotThereIsSaidOnceAndTriedAgainLater) {
  worker = std::make_unique<Worker>(
      ChildProgram{"/nonexistent/kapok-transcoder", {}}, limits,
      WorkerServices{shard.get_executor(), clock, Log(log), metrics, "demo", nullptr, devices},
      *this);
  worker->make(ladder({"360p"}));
  until([&] { return facts().crash_loop; });
  EXPECT_THAT(facts().last_end, HasSubstr("No such file"));
}

TEST_F(WorkerFixture, GarbageEndsTheProcessNotUs) {
  start("garbage");
  until([&] { return ends >= 1; });
  EXPECT_EQ(log->count("worker.not_understood"), 1);
}

TEST_F(WorkerFixture, AFloodOfNoticesHoldsNobody) {
  limits.silence = milliseconds(500);  // a flood is no sign of life
  start("flood");
  until([&] { return facts().hangs >= 1; });
  EXPECT_GT(log->count("worker.notice"), 100);
}

TEST_F(WorkerFixture, OneThatReadsNothingCostsABoundedQueue) {
  limits.queue.bytes = 1'000'000;
  start("deaf");
  until_running();
  announce();
  for (int i = 0; i < 30'000; ++i) {
    give(i % 50 == 0 ? SegmentStart::yes : SegmentStart::no);
    shard.poll();
    shard.restart();
    ASSERT_LE(facts().queue_bytes, limits.queue.bytes);
  }
  EXPECT_GT(facts().dropped_packets, 0U);
  EXPECT_EQ(log->count("worker.behind"), 1);
}

TEST_F(WorkerFixture, ItDrainsWhatItHasAndEndsByItself) {
  start("passthrough");
  until_running();
  announce();
  for (int i = 0; i < 100; ++i) give(i == 0 ? SegmentStart::yes : SegmentStart::no);
  worker->rest();
  until([&] { return ends == 1; });
  EXPECT_EQ(packets.size(), 200U) << "two rungs of all that was given";
  EXPECT_EQ(facts().last_end, "exit status 0");
  until([&] { return facts().state == WorkerState::idle; });
}

TEST_F(WorkerFixture, OneThatDoesNotDrainIsCut) {
  limits.drain = milliseconds(300);
  start("stubborn");
  until_running();
  worker->rest();
  until([&] { return ends == 1; });
  EXPECT_EQ(log->count("worker.drain_cut"), 1);
  EXPECT_EQ(facts().hangs, 0U);
}

TEST_F(WorkerFixture, AnotherLadderIsAnotherProcess) {
  start("passthrough");
  feed_until_rungs_come();
  const auto first = facts().pid;
  worker->make(ladder({"90p"}));
  until([&] { return facts().state == WorkerState::running && facts().pid != first; });
  EXPECT_EQ(facts().restarts, 0U) << "it was asked to";
  packets.clear();
  feed_until_rungs_come();
  EXPECT_EQ(packets.back().first, "90p");
}

}  // namespace
}  // namespace kapok::channel
