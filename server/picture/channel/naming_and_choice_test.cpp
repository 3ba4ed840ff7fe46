#include <gtest/gtest.h>

#include <algorithm>

#include "server/base/ids.hpp"
#include "server/picture/channel/feed_choice.hpp"
#include "server/picture/channel/rendition_names.hpp"
#include "server/picture/channel/simulated_feed_test.hpp"

namespace kapok::channel {
namespace {

media::Track audio(media::TrackId id, std::string language) {
  media::Track track = audio_track(id, 1000, 48'000);
  track.language = std::move(language);
  return track;
}

TEST(RenditionNames, AreTheOnesThatOthersScriptAgainst) {
  RenditionNames names;
  EXPECT_EQ(names.name(video_track(1, 1000, {})), "source");
  EXPECT_EQ(names.name(video_track(5, 1000, {})), "source-2");
  EXPECT_EQ(names.name(audio(2, "zh-Hans")), "audio-zh-hans");
  EXPECT_EQ(names.name(audio(3, "")), "audio-2");
  EXPECT_EQ(names.name(audio(4, "zh-Hans")), "audio-zh-hans-2");
  EXPECT_EQ(names.name(audio(2, "en")), "audio-zh-hans") << "a track keeps its name";
}

// The number of the feed's own rendition of the sound, so that a player finds both.
TEST(ToldApart, SoundsOfOneLanguageAreNotRatesOfOneSound) {
  const std::vector<std::string> languages{"zh", "", "zh-Hans",    "ZH",
                                           "en", "", "en-x-stage", "en-x-stage"};
  std::vector<media::AudioRung> made(languages.size());
  RenditionNames names;
  const auto told = [&](std::size_t source) {
    made[source].name = "stereo-" + std::to_string(source);
    made[source].source = static_cast<std::uint8_t>(source);
    const auto track = std::make_shared<const media::Track>(audio(1, languages[source]));
    return told_apart(made, languages, made[source].name, track)->language;
  };
  EXPECT_EQ(told(0), "zh");
  EXPECT_EQ(told(1), "und-x-2");
  EXPECT_EQ(told(2), "zh-Hans");
  EXPECT_EQ(told(3), "ZH-x-2");
  EXPECT_EQ(told(4), "en");
  EXPECT_EQ(told(5), "und-x-6");
  EXPECT_EQ(told(6), "en-x-stage");
  EXPECT_EQ(told(7), "en-x-stage-2");
  media::TrackId id = 1;
  std::vector<std::string> own;
  for (const std::string& language : languages) own.push_back(names.name(audio(id++, language)));
  EXPECT_EQ(own[1], "audio-2");
  EXPECT_EQ(own[3], "audio-zh-2");
  EXPECT_EQ(own[5], "audio-6");
}

TEST(RenditionNames, AreValidAndUniqueWhateverTheLanguageSays) {
  RenditionNames names;
  std::vector<std::string> seen;
  media::TrackId id = 0;
  for (const char* language :
       {"", "und", "../etc", "1", "2", "x/y", "a b", "zh", "ZH", "zh-2",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    const std::string name = names.name(audio(id++, language));
    EXPECT_TRUE(is_valid_id(name)) << name;
    EXPECT_EQ(std::ranges::count(seen, name), 0) << name;
    seen.push_back(name);
  }
}

TEST(FeedChoice, PrefersTheLiveFeedOfHighestPriority) {
  const FeedChoice choice;
  const MonoTime now{seconds(100)};
  const FeedStanding live{.priority = 1, .connected = true, .last_packet = now};
  FeedStanding better = live;
  better.priority = 2;
  FeedStanding silent = better;
  silent.last_packet = now - milliseconds(2'001);
  const FeedStanding fresh{.priority = 9, .connected = true, .last_packet = {}};
  const FeedStanding absent{.priority = 99, .connected = false, .last_packet = {}};
  using Feeds = std::vector<FeedStanding>;
  EXPECT_EQ(choice.choose(Feeds{absent}, std::nullopt, now), std::nullopt);
  EXPECT_EQ(choice.choose(Feeds{absent, live, better}, 1, now), 2U);
  EXPECT_EQ(choice.choose(Feeds{absent, live, silent}, 2, now), 1U);
  EXPECT_EQ(choice.choose(Feeds{live, fresh}, 0, now), 0U) << "nothing seen of it yet";
  EXPECT_EQ(choice.choose(Feeds{live, live}, 1, now), 1U) << "no change without a reason";
  EXPECT_EQ(choice.choose(Feeds{live, live}, std::nullopt, now), 0U);
  EXPECT_EQ(choice.choose(Feeds{silent, fresh}, 0, now), 0U);
}

}  // namespace
}  // namespace kapok::channel
