#include "server/app/server/config_load.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "server/app/server/config_print.hpp"

namespace kapok::app {
namespace {

using testing::HasSubstr;

LoadedConfig load(std::string text, std::vector<std::string> overrides = {},
                  std::uint32_t mode = 0600) {
  return load_config({"kapok.toml", std::move(text), mode}, overrides);
}

// The one error of a configuration that must have exactly one.
ConfigProblem error_of(const LoadedConfig& loaded) {
  std::string all;
  for (const auto& problem : loaded.errors) all += format_problem(problem, "error");
  EXPECT_EQ(loaded.errors.size(), 1u) << all;
  return loaded.errors.empty() ? ConfigProblem{} : loaded.errors.front();
}

struct Wrong {
  std::string text;
  std::uint32_t line;
  std::uint32_t column;
  std::string key;
  std::string cause;   // a part of it
  std::string remedy;  // a part of it
};

class WrongConfig : public testing::TestWithParam<Wrong> {};

TEST_P(WrongConfig, IsReportedWithPlaceCauseAndRemedy) {
  const Wrong& wrong = GetParam();
  const ConfigProblem problem = error_of(load(wrong.text));
  EXPECT_EQ(problem.place.source, "kapok.toml");
  EXPECT_EQ(problem.place.line, wrong.line);
  EXPECT_EQ(problem.place.column, wrong.column);
  EXPECT_EQ(problem.key, wrong.key);
  EXPECT_THAT(problem.cause, HasSubstr(wrong.cause));
  EXPECT_THAT(problem.remedy, HasSubstr(wrong.remedy));
}

const std::string kChannel = "[[channel]]\nid = \"a\"\nkey = \"long enough\"\n";

INSTANTIATE_TEST_SUITE_P(
    EveryKind, WrongConfig,
    testing::Values(
        Wrong{"[rtmp\nport = 1", 1, 6, "", "", "syntax"},
        Wrong{"[http]\nport = 70000\n", 2, 8, "http.port", "70000 is out of range", "1 to 65535"},
        Wrong{"[http]\nport = -1\n", 2, 8, "http.port", "-1 is out of range", "1 to 65535"},
        Wrong{"[http]\nport = \"on\"\n", 2, 8, "http.port", "'on' is not a port", "\"off\""},
        Wrong{"[http]\nport = 1.5\n", 2, 8, "http.port", "this is a decimal number", ""},
        Wrong{"http.prot = 1\n", 1, 6, "http.prot", "no such key", "did you mean http.port?"},
        Wrong{"port = 1\n", 1, 1, "port", "no such key", "did you mean rtmp.port?"},
        Wrong{"[widgets]\nx = 1\n", 1, 2, "widgets", "no such key", "configuration.md"},
        Wrong{"http = 8080\n", 1, 1, "http", "a group of keys", "[http]"},
        Wrong{"[window]\ntime = 30\n", 2, 8, "window.time", "with its unit", "10s to 14d"},
        Wrong{"[window]\ntime = \"30\"\n", 2, 8, "window.time", "no unit", "10s to 14d"},
        Wrong{"[window]\ntime = \"3 years\"\n", 2, 8, "window.time", "unknown unit", "10s"},
        Wrong{"[window]\ntime = \"20d\"\n", 2, 8, "window.time", "out of range", "10s to 14d"},
        Wrong{"[window]\nbytes = \"120%\"\n", 2, 9, "window.bytes", "1% to 95%", "1% to 95%"},
        Wrong{"[window]\nbytes = \"1MB\"\n", 2, 9, "window.bytes", "out of range", "64MiB"},
        Wrong{"[window]\ntime = \"10s\"\n[segment]\ntarget = \"4s\"\n", 2, 8, "window.time",
              "less than four segments", "longer"},
        Wrong{"[part]\ntarget = \"2s\"\n", 2, 10, "part.target", "does not fit twice", "half"},
        Wrong{"[log]\nlevel = \"loud\"\n", 2, 9, "log.level", "'loud'", "debug, info, warn"},
        Wrong{"[tls]\nself_signed = 1\n", 2, 15, "tls.self_signed", "true or false expected", ""},
        Wrong{"[tls]\ncertificate = \"/a\"\n", 2, 15, "tls.certificate", "without its key", "both"},
        Wrong{"[rtmp]\naddress = \"localhost\"\n", 2, 11, "rtmp.address", "not an IP address",
              "127.0.0.1"},
        Wrong{"[http]\nport = 1935\n", 2, 8, "http.port", "both 1935", "\"off\""},
        Wrong{"[ledger]\norigin = \"a b\"\n", 2, 10, "ledger.origin", "cannot name a log", "host"},
        Wrong{"[server]\nshards = 1000\n", 2, 10, "server.shards", "out of range", "0 to 256"},
        Wrong{"[data]\ndir = 5\n", 2, 7, "data.dir", "text in quotes expected", "path"},
        Wrong{"[channel]\nid = \"a\"\n", 1, 2, "channel", "it is a list", "[[channel]]"},
        Wrong{"[[channel]]\ntitle = \"x\"\n", 1, 1, "channel[0].id", "missing", "add id"},
        Wrong{"[[channel]]\nid = \"Upper\"\n", 2, 6, "channel[0].id", "not a valid name", "a-z"},
        Wrong{kChannel + kChannel, 5, 6, "channel[1].id", "'a' is already used in line 2", "name"},
        Wrong{"[[channel]]\nid = \"a\"\nkey = \"short\"\n", 3, 7, "channel[0].key", "5 characters",
              "openssl rand"},
        Wrong{"[[channel]]\nid = \"a\"\nkey_hash = \"abc\"\n", 3, 12, "channel[0].key_hash",
              "not a hash", "64 hex"},
        Wrong{kChannel + "idd = 1\n", 4, 1, "channel[0].idd", "no such key", "did you mean id?"},
        Wrong{kChannel + "key_hash = "
                         "\"hmac-sha256:"
                         "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f\"\n",
              4, 12, "channel[0].key_hash", "both key", "one"},
        Wrong{kChannel + "[[channel.feed]]\nname = \"main\"\nkey = \"also long enough\"\n", 5, 8,
              "channel[0].feed[0].name", "'main' is already used in line 1", "name"},
        Wrong{kChannel + "[[channel.feed]]\nname = \"b\"\nurl = \"srt://x\"\n", 6, 7,
              "channel[0].feed[0].url", "no port", "srt://host:port"},
        Wrong{kChannel + "[[channel.feed]]\nname = \"b\"\nurls = [\"srt://x:1\", \"udp://x:1\"]\n",
              6, 8, "channel[0].feed[0].urls", "begin with srt://", "srt://host:port"},
        Wrong{kChannel + "srt_passphrase = \"short\"\n", 4, 18, "channel[0].srt_passphrase",
              "5 characters", "openssl rand"},
        Wrong{kChannel + "srt_passphrase_file = \"/nowhere\"\n", 4, 23,
              "channel[0].srt_passphrase_file", "/nowhere: cannot be read", "0600"},
        Wrong{kChannel + "[[channel.feed]]\nname = \"b\"\nkey = \"also long enough\"\nkey_hash = "
                         "\"hmac-sha256:"
                         "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f\"\n",
              4, 1, "channel[0].feed[0]", "more than one of", "keep one"},
        Wrong{kChannel + "[channel.feed]\nname = \"b\"\n", 4, 1, "channel[0].feed", "a list",
              "[[channel.feed]]"},
        Wrong{kChannel + "[[enterprise]]\nid = \"e\"\nname = \"\"\n", 6, 8, "enterprise[0].name",
              "empty", "name"},
        Wrong{kChannel + "[[enterprise]]\nid = \"e\"\nname = \"E\"\n[[programme]]\nid = \"p\"\n"
                         "channel = \"b\"\nenterprise = \"e\"\n",
              9, 11, "programme[0].channel", "no channel 'b'", "[[channel]]"},
        Wrong{kChannel + "[[enterprise]]\nid = \"e\"\nname = \"E\"\n[[programme]]\nid = \"p\"\n"
                         "channel = \"a\"\nenterprise = \"e\"\nstart = 2026-01-01T00:00:00\n",
              11, 9, "programme[0].start", "no offset", "+08:00"},
        Wrong{kChannel + "[[enterprise]]\nid = \"e\"\nname = \"E\"\n[[programme]]\nid = \"p\"\n"
                         "channel = \"a\"\nenterprise = \"e\"\n"
                         "start = \"2026-13-01T00:00:00Z\"\n",
              11, 9, "programme[0].start", "is not a time", "+08:00"},
        Wrong{kChannel + "[[enterprise]]\nid = \"e\"\nname = \"E\"\n[[programme]]\nid = \"p\"\n"
                         "channel = \"a\"\nenterprise = \"e\"\nstart = 2026-01-01T00:00:00Z\n"
                         "end = 2026-01-01T01:00:00+08:00\n",
              12, 7, "programme[0].end", "ends before it starts", "correct"}));

TEST(Config, WithoutAFileTheDefaultsHoldAndNobodyCanPublish) {
  const LoadedConfig loaded = load_config_file(std::nullopt, {});
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded.config.rtmp.port.number, 1935);
  EXPECT_EQ(loaded.config.rtmps.port.number, 1936);
  EXPECT_EQ(loaded.config.http.port.number, 8080);
  EXPECT_EQ(loaded.config.https.port.number, 8443);
  EXPECT_FALSE(loaded.config.https_on());  // no certificate
  EXPECT_EQ(loaded.config.spool(), "/var/lib/kapok/spool");
  ASSERT_EQ(loaded.warnings.size(), 1u);
  EXPECT_THAT(loaded.warnings[0].cause, HasSubstr("no channel exists"));
}

TEST(Config, EveryProblemIsReportedAtOnce) {
  const LoadedConfig loaded = load("http.port = 0x1ffff\nrtmp.prot = 1\n[[channel]]\nid = \"A\"\n");
  ASSERT_EQ(loaded.errors.size(), 3u);
  std::vector<std::uint32_t> lines;
  for (const auto& problem : loaded.errors) lines.push_back(problem.place.line);
  std::ranges::sort(lines);
  EXPECT_THAT(lines, testing::ElementsAre(1, 2, 4));
}

TEST(Config, AKeyInAFileThatOthersReadIsRefused) {
  const ConfigProblem problem = error_of(load(kChannel, {}, 0640));
  EXPECT_EQ(problem.place.line, 3u);
  EXPECT_THAT(problem.cause, HasSubstr("0640"));
  EXPECT_EQ(problem.remedy, "chmod 600 kapok.toml");
  EXPECT_TRUE(load(kChannel, {}, 0400).ok());
  EXPECT_TRUE(load("[http]\nport = 80\n", {}, 0644).ok());
}

TEST(Config, ChannelKeyIsShorthandForOneFeed) {
  const LoadedConfig loaded = load(kChannel);
  ASSERT_TRUE(loaded.ok());
  ASSERT_EQ(loaded.config.channels.at(0).feeds.size(), 1u);
  EXPECT_EQ(loaded.config.channels[0].feeds[0].name, "main");
  EXPECT_EQ(loaded.config.channels[0].feeds[0].key.text, "long enough");
}

TEST(Config, DottedKeysAndTablesMeanTheSame) {
  EXPECT_EQ(load("rtmp.port = 2000").config.rtmp.port.number, 2000);
  EXPECT_EQ(load("[rtmp]\nport = 2000").config.rtmp.port.number, 2000);
  EXPECT_FALSE(load("[rtmp]\nport = \"off\"").config.rtmp.port.on());
}

TEST(Config, TimesAreTakenWithTheirOffset) {
  const std::string head = kChannel +
                           "[[enterprise]]\nid = \"e\"\nname = \"E\"\n[[programme]]\nid = \"p\"\n"
                           "channel = \"a\"\nenterprise = \"e\"\n";
  const auto native = load(head + "start = 2026-11-23T20:00:00+08:00\n");
  const auto text = load(head + "start = \"2026-11-23T12:00:00.000Z\"\n");
  ASSERT_TRUE(native.ok());
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(format_utc(*native.config.programmes[0].start), "2026-11-23T12:00:00.000Z");
  EXPECT_EQ(native.config.programmes[0].start, text.config.programmes[0].start);
}

TEST(Overrides, WinOverTheFileAndMayBeBareText) {
  const LoadedConfig loaded =
      load("http.port = 1\n", {"http.port=8081", "window.time=10m", "log.level=\"debug\"",
                               "data.dir=/tmp/a b", "https.port=off", "tls.self_signed=true"});
  ASSERT_TRUE(loaded.ok()) << format_problem(loaded.errors[0], "error");
  EXPECT_EQ(loaded.config.http.port.number, 8081);
  EXPECT_EQ(loaded.config.window.time, std::chrono::minutes(10));
  EXPECT_EQ(loaded.config.log_level, LogLevel::debug);
  EXPECT_EQ(loaded.config.data_dir, "/tmp/a b");
  EXPECT_FALSE(loaded.config.https.port.on());
  EXPECT_TRUE(loaded.config.rtmps_on());
}

TEST(Overrides, ThatAreWrongSayWhichOne) {
  ConfigProblem problem = error_of(load("", {"http.port=99999"}));
  EXPECT_EQ(problem.place.source, "--set http.port=99999");
  EXPECT_THAT(problem.cause, HasSubstr("out of range"));
  problem = error_of(load("", {"http.prot=1"}));
  EXPECT_EQ(problem.remedy, "did you mean http.port?");
  problem = error_of(load("", {"nonsense"}));
  EXPECT_THAT(problem.cause, HasSubstr("key=value"));
  // A value that breaks out of its line must not set something else.
  EXPECT_FALSE(load("", {"http.port=1\nrtmp.port=2"}).ok());
}

TEST(Overrides, NeverRepeatWhatMayBeASecret) {
  const ConfigProblem problem = error_of(load("", {"channel.demo.key=hunter2"}));
  EXPECT_THAT(format_problem(problem, "error"), testing::Not(HasSubstr("hunter2")));
}

TEST(ConfigFile, AMissingOneSaysWhereToLook) {
  const ConfigProblem problem = error_of(load_config_file("/nonexistent/kapok.toml", {}));
  EXPECT_EQ(problem.place.source, "/nonexistent/kapok.toml");
  EXPECT_THAT(problem.remedy, HasSubstr("--config"));
  EXPECT_THAT(error_of(load_config_file("/tmp", {})).remedy, HasSubstr("the file in that folder"));
}

TEST(ConfigFile, TheShippedOnesAreRight) {
  const char* source = std::getenv("KAPOK_SOURCE_DIR");
  if (source == nullptr) GTEST_SKIP() << "KAPOK_SOURCE_DIR is not set";
  for (const char* name : {"kapok.toml", "demo.toml"}) {
    std::ifstream in(std::filesystem::path(source) / "config" / name);
    std::string text((std::istreambuf_iterator<char>(in)), {});
    ASSERT_FALSE(text.empty());
    // scripts/run puts a random key there.
    if (const auto at = text.find("@KEY@"); at != std::string::npos)
      text.replace(at, 5, "0123456789abcdef");
    const LoadedConfig loaded = load(text);
    EXPECT_TRUE(loaded.ok()) << name << "\n"
                             << (loaded.ok() ? "" : format_problem(loaded.errors[0], "error"));
  }
}

TEST(Ladders, TheShippedOnesAreRight) {
  for (const char* name : {"8k-hdr-event", "4k50-hdr-event", "4k-sdr-museum", "vr-equirectangular",
                           "audio-only-radio", "low-power"}) {
    const LoadedConfig loaded = load(kChannel + "ladder = \"" + name + "\"\n");
    ASSERT_TRUE(loaded.ok()) << name << format_problem(loaded.errors[0], "error");
    ASSERT_TRUE(loaded.config.channels[0].rungs);
    const media::Ladder& ladder = *loaded.config.channels[0].rungs;
    EXPECT_EQ(ladder.name, name);
    EXPECT_GE(ladder.video.size() + ladder.audio.size(), 2u);
  }
}

TEST(Ladders, OneThatIsNotThereNamesThePresets) {
  const ConfigProblem problem = error_of(load(kChannel + "ladder = \"4k-sdr-musem\"\n"));
  EXPECT_EQ(problem.key, "channel[0].ladder");
  EXPECT_EQ(problem.place.line, 4u);
  EXPECT_THAT(problem.remedy, HasSubstr("4k-sdr-museum, 4k50-hdr-event"));
}

// Every mistake in a ladder's file is told with that file's line and column.
struct WrongLadder {
  std::string text;
  std::uint32_t line;
  std::uint32_t column;
  std::string cause;
};
class WrongLadders : public testing::TestWithParam<WrongLadder> {};

TEST_P(WrongLadders, AreReportedWithTheirPlace) {
  media::Ladder ladder;
  ladder.name = "own";
  const LoadedConfig loaded = load_ladder({"own.toml", GetParam().text, 0644}, ladder);
  const ConfigProblem problem = error_of(loaded);
  EXPECT_EQ(problem.place.source, "own.toml");
  EXPECT_EQ(problem.place.line, GetParam().line);
  EXPECT_EQ(problem.place.column, GetParam().column);
  EXPECT_THAT(problem.cause, HasSubstr(GetParam().cause));
  EXPECT_FALSE(problem.remedy.empty());
}

const std::string kRung = "[[video]]\nname = \"a\"\nheight = 720\nbit_rate = 1_000_000\n";

INSTANTIATE_TEST_SUITE_P(
    EveryKind, WrongLadders,
    testing::Values(WrongLadder{"[[video]\n", 1, 9, ""}, WrongLadder{"", 1, 1, "no rung"},
                    WrongLadder{kRung + "codec = \"vp9\"\n", 5, 9, "vp9"},
                    WrongLadder{kRung + "codec = \"aac\"\n", 5, 9, "none of avc, hevc, av1"},
                    WrongLadder{kRung + "bit_depth = 10\n", 5, 13, "plays nowhere"},
                    WrongLadder{kRung + "bit_depth = 300\n", 5, 13, "out of range"},
                    WrongLadder{kRung + "heigth = 3\n", 5, 1, "no such key"},
                    WrongLadder{
                        "[[video]]\nname = \"source\"\nheight = 720\nbit_rate = 1_000_000\n", 2, 8,
                        "source's own"},
                    WrongLadder{"[[video]]\nname = \"a\"\nbit_rate = 1_000_000\n", 1, 1, "height"},
                    WrongLadder{kRung + kRung, 1, 1, "two rungs are called a"},
                    WrongLadder{kRung + "[detect]\nblck = \"1s\"\n", 6, 1, "no such key"},
                    WrongLadder{kRung + "[detect]\nblack = \"1h\"\n", 6, 9, "out of range"},
                    WrongLadder{kRung + "[detect]\nblack = \"1ms\"\n", 1, 1, "detect.black"},
                    WrongLadder{kRung + "[detect]\nblack = 1\n", 6, 9, "duration"},
                    WrongLadder{kRung + "[detector]\nblack = \"1s\"\n", 5, 2, "no such key"},
                    WrongLadder{"engine = \"magic\"\n" + kRung, 1, 1, "magic"},
                    WrongLadder{"[poster]\nintervall = \"5s\"\n" + kRung, 2, 1, "no such key"},
                    WrongLadder{"[poster]\ninterval = \"5ms\"\n" + kRung, 2, 12, "out of range"},
                    WrongLadder{"thumbnails = true\n" + kRung, 1, 1, "group of keys"},
                    WrongLadder{"[[video]]\nname = \"thumbnails\"\nheight = 720\nbit_rate = "
                                "1_000_000\n",
                                2, 8, "source's own"}));

TEST(Ladders, StillPicturesAreOnUnlessSaidOtherwise) {
  media::Ladder ladder;
  ladder.name = "own";
  ASSERT_TRUE(load_ladder({"own.toml", kRung, 0644}, ladder).ok());
  EXPECT_TRUE(ladder.poster.enabled);
  EXPECT_TRUE(ladder.thumbnails.enabled);
  media::Ladder other;
  other.name = "own";
  const auto loaded = load_ladder({"own.toml",
                                   "thumbnails.enabled = false\n[poster]\ninterval = \"30s\"\n"
                                   "side = 640\n" +
                                       kRung,
                                   0644},
                                  other);
  ASSERT_TRUE(loaded.ok()) << format_problem(loaded.errors[0], "error");
  EXPECT_FALSE(other.thumbnails.enabled);
  EXPECT_EQ(other.poster, (media::PosterWish{true, seconds(30), 640}));
}

TEST(Ladder, WhatIsLookedForInThePicturesIsInItsFile) {
  media::Ladder ladder;
  ladder.name = "own";
  const std::string text = kRung + "[detect]\nblack = \"2s\"\nfrozen = \"0s\"\nfrozen_noise = 4\n";
  ASSERT_TRUE(load_ladder({"own.toml", text, 0644}, ladder).ok());
  EXPECT_EQ(ladder.detect.black, seconds(2));
  EXPECT_EQ(ladder.detect.frozen, seconds(0));
  EXPECT_EQ(ladder.detect.frozen_noise, 4U);
  EXPECT_EQ(ladder.detect.silence, seconds(5)) << "what the file does not say stays as it is";
}

TEST(ConfigFile, WhatIsPrintedLoadsAgainToTheSame) {
  const LoadedConfig first = load(
      "[http]\nport = \"off\"\n[window]\nbytes = \"3GB\"\n[[channel]]\nid = \"a\"\ntitle = "
      "\"x \\\"y\\\" \\\\ 粤\"\nkey_hash = "
      "\"hmac-sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f\"\n");
  ASSERT_TRUE(first.ok());
  const std::string printed = print_config(first.config);
  const LoadedConfig second = load(printed);
  ASSERT_TRUE(second.ok()) << printed << format_problem(second.errors[0], "error");
  EXPECT_EQ(print_config(second.config), printed);
  EXPECT_TRUE(config_changes(first.config, second.config).empty());
}

TEST(ConfigProblem, ReadsAsCompilersWriteThem) {
  EXPECT_EQ(format_problem({{"a.toml", 3, 7}, "http.port", "wrong", "right it"}, "error"),
            "a.toml:3:7: error: http.port: wrong\n    remedy: right it\n");
}

TEST(Config, ReadsTheListOfEdges) {
  const auto loaded =
      load_config({"f", "[delivery]\nedges = [\"192.0.2.0/24\", \"2001:db8::7\"]\n", 0600}, {});
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded.config.edges, (std::vector<std::string>{"192.0.2.0/24", "2001:db8::7"}));
  const auto set = load_config({"f", "", 0600}, {"delivery.edges=[\"198.51.100.7\"]"});
  ASSERT_TRUE(set.ok());
  EXPECT_EQ(set.config.edges, std::vector<std::string>{"198.51.100.7"});
}

TEST(Config, AnEdgeThatIsNoAddressIsRefused) {
  const auto loaded =
      load_config({"f", "[delivery]\nedges = [\"192.0.2.0/24\", \"cache.example\"]\n", 0600}, {});
  ASSERT_EQ(loaded.errors.size(), 1U);
  EXPECT_EQ(loaded.errors[0].key, "delivery.edges");
  EXPECT_EQ(loaded.errors[0].place.line, 2U);
  EXPECT_FALSE(load_config({"f", "[delivery]\nedges = \"192.0.2.7\"\n", 0600}, {}).ok());
  EXPECT_FALSE(load_config({"f", "[delivery]\nedges = [7]\n", 0600}, {}).ok());
}

}  // namespace
}  // namespace kapok::app
