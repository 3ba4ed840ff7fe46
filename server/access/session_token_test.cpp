#include "server/access/session_token.hpp"

#include <gtest/gtest.h>

#include "server/base/crypto.hpp"

namespace kapok::access {
namespace {

TokenKey key(std::uint8_t id) {
  return {id, Bytes(32, static_cast<std::byte>(id + 1))};
}
const UtcTime kNow{seconds(1'790'000'000)};

SessionToken sample() {
  SessionToken token;
  token.session.fill(std::byte{0x11});
  token.household.fill(std::byte{0x22});
  token.channel = "demo";
  token.region = 440100;
  token.issued = kNow;
  token.expires = kNow + std::chrono::hours(6);
  return token;
}

TEST(SessionToken, ComesBackAsItWasIssued) {
  const TokenSigner signer({key(1)});
  const std::string text = signer.issue(sample());
  const Result<SessionToken> opened = signer.open(text, kNow);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->session, sample().session);
  EXPECT_EQ(opened->household, sample().household);
  EXPECT_EQ(opened->channel, "demo");
  EXPECT_EQ(opened->region, 440100U);
  EXPECT_EQ(opened->issued, sample().issued);
  EXPECT_EQ(opened->expires, sample().expires);
}

TEST(SessionToken, StaysWithinTheLengthForTheLongestChannelName) {
  SessionToken token = sample();
  token.channel.assign(64, 'c');
  EXPECT_LE(TokenSigner({key(1)}).issue(token).size(), kMaxTokenLength);
}

TEST(SessionToken, EveryChangedCharacterIsNoticed) {
  const TokenSigner signer({key(1)});
  const std::string text = signer.issue(sample());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(signer.open(changed, kNow)) << i;
  }
}

TEST(SessionToken, EveryTruncationIsRefused) {
  const TokenSigner signer({key(1)});
  const std::string text = signer.issue(sample());
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(signer.open(text.substr(0, size), kNow)) << size;
}

TEST(SessionToken, IsRefusedFromItsExpiryOn) {
  const TokenSigner signer({key(1)});
  const std::string text = signer.issue(sample());
  EXPECT_TRUE(signer.open(text, sample().expires - microseconds(1)));
  const Result<SessionToken> late = signer.open(text, sample().expires);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Errc::timeout);
}

TEST(SessionToken, SecondLiveKeyStillVerifiesAndAnUnknownOneDoesNot) {
  const std::string old = TokenSigner({key(1)}).issue(sample());
  EXPECT_TRUE(TokenSigner({key(2), key(1)}).open(old, kNow));
  const Result<SessionToken> unknown = TokenSigner({key(2)}).open(old, kNow);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Errc::denied);
}

TEST(SessionToken, SameKeyIdWithAnotherSecretIsDenied) {
  const std::string text = TokenSigner({{1, Bytes(32, std::byte{9})}}).issue(sample());
  const Result<SessionToken> opened = TokenSigner({key(1)}).open(text, kNow);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::denied);
}

}  // namespace
}  // namespace kapok::access
