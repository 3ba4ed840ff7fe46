#include "server/picture/vod/item_record.hpp"

#include <gtest/gtest.h>

namespace kapok::vod {
namespace {

ItemRecord record() {
  ItemRecord made;
  made.request.id = "film-1";
  made.request.title = "A film: \u6728\u68c9";
  made.request.file = "films/a.mxf";
  made.request.publish_source = false;
  made.request.ladder.name = "hall";
  media::VideoRung rung;
  rung.name = "720p";
  rung.height = 720;
  rung.bit_rate = 2'000'000;
  made.request.ladder.video.push_back(rung);
  made.created = UtcTime(microseconds(1'790'000'000'000'001));
  made.state = ItemState::failed;
  made.error = "the file is no film";
  made.identity = {123'456'789'012, 1'790'000'000'000'000'007};
  made.leading = "720p";
  made.source_left_out = "open GOPs";
  media::AudioRung sound;
  sound.name = "stereo-en";
  sound.bit_rate = 96'000;
  sound.source = 1;
  made.sounds.emplace().push_back(sound);
  return made;
}

TEST(ItemRecord, IsReadAsItWasWritten) {
  const auto read = parse_record(record_text(record()));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(record_text(*read), record_text(record()));
  EXPECT_EQ(read->request.ladder, record().request.ladder);
  EXPECT_EQ(read->identity, record().identity);
  EXPECT_EQ(read->state, ItemState::failed);
  EXPECT_EQ(read->sounds, record().sounds);
}

TEST(ItemRecord, KnowsAFileWithoutSoundFromOneThatNobodyHasLookedInto) {
  ItemRecord none = record();
  none.sounds.emplace();
  EXPECT_TRUE(parse_record(record_text(none))->sounds);
  EXPECT_TRUE(parse_record(record_text(none))->sounds->empty());
  none.sounds.reset();
  EXPECT_FALSE(parse_record(record_text(none))->sounds);
}

TEST(ItemRecord, WhatDoesNotFitIsRefused) {
  const std::string good = record_text(record());
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string bad = good;
    const auto at = bad.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return parse_record(bad.replace(at, from.size(), to)).has_value();
  };
  EXPECT_FALSE(with("film-1", "../film"));
  EXPECT_FALSE(with("films/a.mxf", "../../etc/passwd"));
  EXPECT_FALSE(with("\"failed\"", "\"gone\""));
  EXPECT_FALSE(with("\"version\":1", "\"version\":2"));
  EXPECT_FALSE(with("\"ladder_bytes\":\"", "\"ladder_bytes\":\"zz"));
  EXPECT_FALSE(with("\"sounds_bytes\":\"", "\"sounds_bytes\":\"zz"));
  EXPECT_FALSE(parse_record(""));
  EXPECT_FALSE(parse_record("[]"));
  EXPECT_FALSE(parse_record(good.substr(0, good.size() / 2)));
}

}  // namespace
}  // namespace kapok::vod
