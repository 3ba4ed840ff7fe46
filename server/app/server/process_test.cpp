// The small parts around the process: metrics, signals, supervisor, data folder lock, units,
// command line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <csignal>
#include <cstring>
#include <thread>

#include "server/app/server/command_line.hpp"
#include "server/app/server/instance_lock.hpp"
#include "server/app/server/process_facts.hpp"
#include "server/app/server/prometheus_metrics.hpp"
#include "server/app/server/signals.hpp"
#include "server/app/server/supervisor.hpp"
#include "server/app/server/units.hpp"

namespace kapok::app {
namespace {

using testing::HasSubstr;

TEST(PrometheusMetrics, TheSameNameAndLabelsAreTheSameSeries) {
  PrometheusMetrics metrics;
  Counter& a = metrics.counter("kapok_feeds_total", "Feeds", {{"channel", "demo"}});
  EXPECT_EQ(&a, &metrics.counter("kapok_feeds_total", "Feeds", {{"channel", "demo"}}));
  EXPECT_NE(&a, &metrics.counter("kapok_feeds_total", "Feeds", {{"channel", "b"}}));
  a.add(2);
  metrics.gauge("kapok_viewers", "Viewers", {}).set(7);
  const std::string text = metrics.render();
  EXPECT_THAT(text, HasSubstr("# TYPE kapok_feeds_total counter\n"));
  EXPECT_THAT(text, HasSubstr("kapok_feeds_total{channel=\"demo\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("kapok_viewers 7\n"));
  EXPECT_THAT(text, HasSubstr("process_open_fds "));
  EXPECT_THAT(text, HasSubstr("kapok_build_info{version=\""));
}

TEST(PrometheusMetrics, StopsGrowingWhenLabelsRunWild) {
  PrometheusMetrics metrics;
  for (std::size_t i = 0; i < PrometheusMetrics::kMaxSeries + 10; ++i)
    metrics.counter("kapok_wild_total", "Wild", {{"i", std::to_string(i)}}).increment();
  EXPECT_THAT(metrics.render(), HasSubstr("kapok_metrics_refused_total 10\n"));
}

TEST(PrometheusMetrics, MayBeUsedFromManyThreads) {
  PrometheusMetrics metrics;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&metrics] {
      for (int i = 0; i < 500; ++i) metrics.counter("kapok_a_total", "A", {}).increment();
      (void)metrics.render();
    });
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(metrics.render(), HasSubstr("kapok_a_total 2000\n"));
}

TEST(ProcessFacts, AreThoseOfThisProcess) {
  const ProcessFacts facts = read_process_facts();
  EXPECT_GT(facts.resident_bytes, 1'000'000u);
  EXPECT_GT(facts.open_files, 2u);
  EXPECT_GT(facts.max_open_files, facts.open_files);
  EXPECT_GT(facts.start_time_s, 1.6e9);
  EXPECT_GE(facts.threads, 1u);
}

TEST(SignalPolicy, TheFirstInterruptDrainsAndTheSecondEnds) {
  SignalPolicy policy;
  EXPECT_EQ(policy.on_signal(SIGHUP), SignalAction::reload);
  EXPECT_EQ(policy.on_signal(SIGINT), SignalAction::drain);
  EXPECT_EQ(policy.on_signal(SIGHUP), SignalAction::none);
  EXPECT_EQ(policy.on_signal(SIGTERM), SignalAction::none);
  EXPECT_EQ(policy.on_signal(SIGINT), SignalAction::end_now);
}

TEST(SignalWatch, CallsItsHandlersOnItsShard) {
  boost::asio::io_context shard;
  TaskGroup tasks(shard.get_executor());
  std::string seen;
  SignalWatch* running = nullptr;
  SignalWatch watch(shard.get_executor(), {[&] {
                                             seen += "drain ";
                                             running->stop();
                                           },
                                           [&] {
                                             seen += "reload ";
                                             std::raise(SIGTERM);
                                           },
                                           [&] { seen += "end "; }});
  running = &watch;
  tasks.spawn(watch.run());
  std::raise(SIGHUP);
  shard.run();
  EXPECT_EQ(seen, "reload drain ");
}

TEST(Supervisor, SendsOneDatagramToItsSocket) {
  const std::string name = "@kapok-test-" + std::to_string(::getpid());
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ASSERT_GE(fd, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data() + 1, name.size() - 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())),
            0);
  const Supervisor supervisor(name, seconds(30));
  ASSERT_TRUE(supervisor.ready("listening"));
  char text[128] = {};
  const auto size = ::recv(fd, text, sizeof text, MSG_DONTWAIT);
  ::close(fd);
  ASSERT_GT(size, 0);
  EXPECT_EQ(std::string(text, static_cast<std::size_t>(size)), "READY=1\nSTATUS=listening\n");
  EXPECT_EQ(supervisor.alive_interval(), seconds(15));
  EXPECT_FALSE(supervisor.alive());  // nobody listens any more: an error, not a crash
}

TEST(Supervisor, WithoutOneNothingIsSent) {
  const Supervisor nobody("", std::nullopt);
  EXPECT_TRUE(nobody.ready("x"));
  EXPECT_EQ(nobody.alive_interval(), std::nullopt);
}

TEST(InstanceLock, LetsOneServerIntoADataFolder) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("kapok-lock-" + std::to_string(::getpid()));
  {
    auto first = InstanceLock::take(folder / "data");
    ASSERT_TRUE(first) << first.error().message;
    const auto second = InstanceLock::take(folder / "data");
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::conflict);
    EXPECT_THAT(second.error().message, HasSubstr(std::to_string(::getpid())));
  }
  EXPECT_TRUE(InstanceLock::take(folder / "data"));
  std::filesystem::remove_all(folder);
}

TEST(InstanceLock, SaysWhatToDoAboutAFolderItMayNotWrite) {
  const auto lock = InstanceLock::take("/proc/kapok");
  ASSERT_FALSE(lock);
  EXPECT_THAT(lock.error().message, HasSubstr("remedy: set data.dir"));
}

TEST(Units, ReadAndWriteTheSame) {
  for (const char* text : {"1us", "200ms", "2s", "30m", "6h", "14d"})
    EXPECT_EQ(format_duration(parse_duration(text).value()), text);
  EXPECT_EQ(format_duration(parse_duration("120s").value()), "2m");
  for (const char* text : {"1B", "64KiB", "40GiB", "3GB", "5kB"})
    EXPECT_EQ(format_bytes(parse_bytes(text).value()), text);
  EXPECT_EQ(format_budget(parse_budget("25%").value()), "25%");
}

TEST(Units, RefuseWhatIsAmbiguousOrOverflows) {
  for (const char* text :
       {"", "s", "5", "-5s", "1.5s", "5 x", "5ss", "99999999999999999999s", "9223372036854775807s"})
    EXPECT_FALSE(parse_duration(text)) << text;
  for (const char* text : {"5gb", "5K", "18446744073709551615TiB", "%"})
    EXPECT_FALSE(parse_budget(text)) << text;
  for (const char* text : {"0%", "96%", "25 %", "-1%", "2x%"})
    EXPECT_FALSE(parse_budget(text)) << text;
}

TEST(Units, TimesNeedADateSecondsAndAnOffset) {
  EXPECT_EQ(format_utc(parse_rfc3339("2026-11-23T20:00:00.25+08:00").value()),
            "2026-11-23T12:00:00.250Z");
  EXPECT_EQ(format_utc(parse_rfc3339("2024-02-29t00:00:00z").value()), "2024-02-29T00:00:00.000Z");
  for (const char* text : {"2026-11-23", "2026-11-23T20:00:00", "2026-11-23T20:00Z",
                           "2026-02-30T00:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T20:00:00Zx",
                           "2026-11-23T20:00:00.Z", "2026-11-23T20:00:00+8:00", "", "x"})
    EXPECT_FALSE(parse_rfc3339(text)) << text;
}

std::variant<CommandLine, Answer> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "kapok-server");
  return parse_command_line(static_cast<int>(words.size()), words.data());
}

TEST(CommandLine, TakesAFileAndSeveralOverrides) {
  const auto parsed = parse({"--config", "a.toml", "--set", "a=1", "--set", "b=2", "--check"});
  const auto* line = std::get_if<CommandLine>(&parsed);
  ASSERT_NE(line, nullptr);
  EXPECT_EQ(line->config, "a.toml");
  EXPECT_THAT(line->overrides, testing::ElementsAre("a=1", "b=2"));
  EXPECT_EQ(line->action, Action::check);
}

TEST(CommandLine, AnswersHelpAndVersionItself) {
  const auto help = std::get<Answer>(parse({"--help"}));
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.out, HasSubstr("Examples:"));
  EXPECT_THAT(std::get<Answer>(parse({"--version"})).out, HasSubstr("kapok-server "));
  EXPECT_THAT(std::get<Answer>(parse({"--config-reference"})).out, HasSubstr("# Configuration"));
}

TEST(CommandLine, WrongUsageExitsWithTwo) {
  for (const char* word : {"--nonsense", "stray", "--set"}) {
    const auto answer = std::get<Answer>(parse({word}));
    EXPECT_EQ(answer.status, 2) << word;
    EXPECT_FALSE(answer.err.empty());
  }
}

TEST(CommandLine, CheckAnswersAndRunLoads) {
  const auto checked = load_for({std::nullopt, {}, Action::check});
  EXPECT_EQ(std::get<Answer>(checked).status, 0);
  EXPECT_THAT(std::get<Answer>(checked).err, HasSubstr("warning: no channel exists"));
  const auto wrong = load_for({std::nullopt, {"http.port=x"}, Action::run});
  EXPECT_EQ(std::get<Answer>(wrong).status, 1);
  EXPECT_THAT(std::get<Answer>(wrong).err, HasSubstr("1 error; nothing was started"));
  EXPECT_THAT(std::get<Answer>(wrong).err, testing::Not(HasSubstr("warning")));
  EXPECT_TRUE(std::holds_alternative<LoadedConfig>(load_for({std::nullopt, {}, Action::run})));
}

}  // namespace
}  // namespace kapok::app
