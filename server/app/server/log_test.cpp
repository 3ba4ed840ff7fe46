#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>
#include <thread>

#include "server/app/server/line_log.hpp"
#include "server/app/server/log_text.hpp"
#include "server/app/server/repeat_filter.hpp"

namespace kapok::app {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string logfmt(std::string key, LogValue value) {
  const LogField field{std::move(key), std::move(value)};
  return logfmt_fields({}, std::span(&field, 1));
}
std::string json(std::string key, LogValue value) {
  const LogField field{std::move(key), std::move(value)};
  return json_fields({}, std::span(&field, 1));
}

TEST(LogText, QuotesOnlyWhatNeedsIt) {
  EXPECT_EQ(logfmt("a", "plain"), " a=plain");
  EXPECT_EQ(logfmt("a", "two words"), " a=\"two words\"");
  EXPECT_EQ(logfmt("a", ""), " a=\"\"");
  EXPECT_EQ(logfmt("a", "say \"x\"=\\"), " a=\"say \\\"x\\\"=\\\\\"");
  EXPECT_EQ(logfmt("a", -3), " a=-3");
  EXPECT_EQ(logfmt("a", true), " a=true");
  EXPECT_EQ(logfmt("a", 0.5), " a=0.5");
  EXPECT_EQ(logfmt("a", "粤"), " a=\"粤\"");
}

TEST(LogText, StaysOneLineWhateverAPeerSends) {
  EXPECT_EQ(logfmt("a", "x\nlevel=error"), " a=\"x\\nlevel=error\"");
  EXPECT_EQ(logfmt("a", std::string("\x1b[2J\0", 5)), " a=\"\\u001b[2J\\u0000\"");
  EXPECT_EQ(logfmt("a", "\xff"), " a=\"\\xff\"");
  EXPECT_EQ(logfmt("a", "\xc2\x9b"), " a=\"\\u009b\"");  // CSI as one character
  EXPECT_EQ(logfmt("a b\n", 1), " a_b_=1");
  EXPECT_EQ(json("a", "x\n\xff\""), ",\"a\":\"x\\n\\ufffd\\\"\"");
}

TEST(LogText, CutsLongValuesBetweenCharacters) {
  std::string text(kMaxLogValueBytes - 1, 'x');
  text += "粤粤";
  EXPECT_EQ(logfmt("a", text), " a=" + std::string(kMaxLogValueBytes - 1, 'x') + "...");
}

TEST(LogText, HidesSecretsByNameAndByShape) {
  EXPECT_EQ(logfmt("key", "abc"), " key=[hidden]");
  EXPECT_EQ(logfmt("publish_key", "abc"), " publish_key=[hidden]");
  EXPECT_EQ(logfmt("token", 42), " token=[hidden]");
  EXPECT_EQ(logfmt("monkey", "abc"), " monkey=abc");
  EXPECT_EQ(hide_secrets("rtmp://h/live/a?key=abc&x=1"), "rtmp://h/live/a?key=[hidden]&x=1");
  EXPECT_EQ(hide_secrets("/s/AbC-_/live/demo/master.m3u8"), "/s/[hidden]/live/demo/master.m3u8");
  EXPECT_EQ(hide_secrets("Authorization: Bearer abc.def"), "Authorization: Bearer [hidden]");
  EXPECT_EQ(hide_secrets("key=a key=b"), "key=[hidden] key=[hidden]");
}

TEST(RepeatFilter, LetsTheSameEventThroughOnceASecond) {
  RepeatFilter filter;
  const MonoTime start{seconds(10)};
  EXPECT_TRUE(filter.admit(start, LogLevel::warn, "a.b", " x=1"));
  EXPECT_FALSE(filter.admit(start + milliseconds(10), LogLevel::warn, "a.b", " x=1"));
  EXPECT_FALSE(filter.admit(start + milliseconds(20), LogLevel::warn, "a.b", " x=1"));
  EXPECT_TRUE(filter.admit(start + milliseconds(20), LogLevel::warn, "a.b", " x=2"));
  const auto summaries = filter.due(start + milliseconds(1100));
  ASSERT_EQ(summaries.size(), 1u);
  EXPECT_EQ(summaries[0].event, "a.b");
  EXPECT_EQ(summaries[0].fields, " x=1");
  EXPECT_EQ(summaries[0].repeated, 2u);
  EXPECT_TRUE(filter.admit(start + milliseconds(1100), LogLevel::warn, "a.b", " x=1"));
}

TEST(RepeatFilter, AFloodOfOneEventDoesNotHideOthers) {
  RepeatFilter filter;
  const MonoTime now{seconds(10)};
  std::uint32_t written = 0;
  for (int i = 0; i < 100'000; ++i)
    written += filter.admit(now, LogLevel::info, "session.closed", std::to_string(i)) ? 1 : 0;
  EXPECT_EQ(written, RepeatFilter::kMaxPerNamePerSecond);
  EXPECT_TRUE(filter.admit(now, LogLevel::error, "disk.full", ""));
  std::uint64_t held = 0;
  for (const auto& summary : filter.all()) held += summary.repeated;
  EXPECT_EQ(held, 100'000 - RepeatFilter::kMaxPerNamePerSecond);
}

struct Recorder {
  std::ostringstream text;
  std::shared_ptr<spdlog::logger> logger = std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text));
};

TEST(LineLog, WritesOneLinePerEventWithContextFirst) {
  Recorder recorder;
  FakeClock clock;
  const auto sink = std::make_shared<LineLog>(LineLogOptions{}, recorder.logger, clock);
  const Log log = Log(sink).with("channel", "demo");
  log.info("part.published", {{"rendition", "source"}, {"part", 3}});
  log.debug("not.shown");
  sink->flush();
  EXPECT_EQ(recorder.text.str(), "time=" + format_utc(clock.utc()) +
                                     " level=info event=part.published channel=demo "
                                     "rendition=source part=3\n");
}

TEST(LineLog, WritesJsonWhenAsked) {
  Recorder recorder;
  FakeClock clock;
  const auto sink = std::make_shared<LineLog>(LineLogOptions{LogLevel::debug, LogFormat::json},
                                              recorder.logger, clock);
  Log(sink).error("disk.full", {{"path", "/a b"}, {"bytes", 5}});
  EXPECT_EQ(recorder.text.str(), "{\"time\":\"" + format_utc(clock.utc()) +
                                     "\",\"level\":\"error\",\"event\":\"disk.full\",\"path\":"
                                     "\"/a b\",\"bytes\":5}\n");
}

TEST(LineLog, TellsHowOftenAnEventWasHeldBack) {
  Recorder recorder;
  FakeClock clock;
  const auto sink = std::make_shared<LineLog>(LineLogOptions{}, recorder.logger, clock);
  const Log log(sink);
  for (int i = 0; i < 5; ++i) log.warn("disk.slow", {{"spool", "a"}});
  clock.advance(seconds(2));
  sink->tick();
  EXPECT_THAT(recorder.text.str(), HasSubstr("event=disk.slow spool=a\n"));
  EXPECT_THAT(recorder.text.str(), HasSubstr("event=disk.slow spool=a repeated=4\n"));
}

TEST(LineLog, MayBeCalledFromManyThreads) {
  Recorder recorder;
  SystemClock clock;
  const auto sink = std::make_shared<LineLog>(LineLogOptions{}, recorder.logger, clock);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&sink, t] {
      for (int i = 0; i < 200; ++i) Log(sink).info("a.b", {{"thread", t}, {"i", i}});
      sink->set_level(LogLevel::info);
    });
  for (auto& thread : threads) thread.join();
  sink->flush();
  EXPECT_THAT(recorder.text.str(), HasSubstr("event=a.b"));
}

TEST(StderrLog, WritesEverythingBeforeItIsGone) {
  testing::internal::CaptureStderr();
  {
    SystemClock clock;
    const auto sink = make_stderr_log({}, clock);
    Log(sink).info("server.stopped", {{"reason", "test"}});
  }
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("event=server.stopped reason=test\n"));
}

}  // namespace
}  // namespace kapok::app
