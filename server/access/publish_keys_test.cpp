#include "server/access/publish_keys.hpp"

#include <gtest/gtest.h>

#include <set>

namespace kapok::access {
namespace {

const Bytes kPepper(32, std::byte{7});

PublishKeys table() {
  return *PublishKeys::create({{"news", "main", "news-main-key"},
                               {"news", "backup", hash_publish_key("news-backup-key", kPepper)},
                               {"sport", "main", "sport-main-key"}},
                              kPepper);
}

TEST(PublishKeys, PlainAndHashedKeysOpenTheirFeed) {
  EXPECT_EQ(table().authorise("news", "news-main-key").value(), "main");
  EXPECT_EQ(table().authorise("news", "news-backup-key").value(), "backup");
}

TEST(PublishKeys, KeyOfAnotherChannelIsDenied) {
  const auto result = table().authorise("sport", "news-main-key");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::denied);
}

TEST(PublishKeys, UnknownChannelAndWrongKeyLookTheSame) {
  const auto unknown = table().authorise("none", "news-main-key");
  const auto wrong = table().authorise("news", "wrong-key-here");
  ASSERT_FALSE(unknown);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(unknown.error().message, wrong.error().message);
}

TEST(PublishKeys, AnEmptyTableAndAnEmptyKeyAreDenied) {
  EXPECT_FALSE(PublishKeys::create({}, kPepper)->authorise("news", "anything"));
  EXPECT_FALSE(table().authorise("news", ""));
  EXPECT_FALSE(table().authorise("", ""));
  EXPECT_FALSE(table().authorise("news", std::string(kMaxPublishKeyLength + 1, 'k')));
}

TEST(PublishKeys, WithoutChannelTheKeyAloneFindsIt) {
  EXPECT_EQ(table().open("", "sport-main-key").value(), (PublishGrant{"sport", "main"}));
}

TEST(PublishKeys, TheHashItselfIsNotAKey) {
  EXPECT_FALSE(table().authorise("news", hash_publish_key("news-backup-key", kPepper)));
}

TEST(PublishKeys, BadHashesShortKeysAndSharedKeysAreConfigErrors) {
  EXPECT_EQ(PublishKeys::create({{"a", "b", "hmac-sha256:12"}}, kPepper).error().code,
            Errc::config);
  EXPECT_EQ(PublishKeys::create({{"a", "b", "short"}}, kPepper).error().code, Errc::config);
  EXPECT_EQ(PublishKeys::create({{"a", "b", "the-same-key"}, {"a", "d", "the-same-key"}}, kPepper)
                .error()
                .code,
            Errc::config);
}

TEST(PublishKeys, AKeyThatChannelsShareOpensNothingWithoutTheChannelsName) {
  const auto keys =
      PublishKeys::create({{"a", "b", "the-same-key"}, {"c", "d", "the-same-key"}}, kPepper);
  ASSERT_TRUE(keys);
  EXPECT_EQ(keys->authorise("a", "the-same-key").value(), "b");
  EXPECT_EQ(keys->authorise("c", "the-same-key").value(), "d");
  EXPECT_EQ(keys->open("", "the-same-key").error().code, Errc::denied);
}

TEST(PublishKeys, MadeKeysAreLongAndDiffer) {
  std::set<std::string> made;
  for (int i = 0; i < 100; ++i) made.insert(make_publish_key());
  EXPECT_EQ(made.size(), 100U);
  EXPECT_EQ(made.begin()->size(), 22U);  // 128 bits
}

}  // namespace
}  // namespace kapok::access
