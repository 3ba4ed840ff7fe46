#include "server/picture/ingest/srt/url.hpp"

#include <gtest/gtest.h>

namespace kapok::ingest {
namespace {

TEST(SrtUrl, TakesWhatFieldEngineersWrite) {
  const auto url = parse_srt_url(
      "srt://truck.example.org:9000?mode=caller&streamid=#!::r=a,m=request,u=%6bey&passphrase="
      "0123456789&pbkeylen=32&latency=800&weight=7&packetfilter=fec,cols:10");
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(url->host, "truck.example.org");
  EXPECT_EQ(url->port, 9000);
  EXPECT_EQ(url->mode, SrtMode::caller);
  EXPECT_EQ(url->stream_id, "#!::r=a,m=request,u=key");
  EXPECT_EQ(url->passphrase, "0123456789");
  EXPECT_EQ(url->key_bytes, 32U);
  EXPECT_EQ(url->latency, milliseconds(800));
  EXPECT_EQ(url->weight, 7);
  EXPECT_EQ(url->filter, "fec,cols:10");
  EXPECT_EQ(url->place(), "truck.example.org:9000");
}

TEST(SrtUrl, TheCipherIsCounterModeUnlessGcmIsAskedFor) {
  const auto cipher = [](const std::string& query) {
    const auto url = parse_srt_url("srt://a:1?passphrase=0123456789" + query);
    return url ? std::optional(url->cipher) : std::nullopt;
  };
  for (const char* query : {"", "&cryptomode=0", "&cryptomode=1", "&cryptomode=ctr&pbkeylen=24"})
    EXPECT_EQ(cipher(query), srt::CipherMode::ctr) << query;
  for (const char* query : {"&cryptomode=2", "&cryptomode=gcm&pbkeylen=32"})
    EXPECT_EQ(cipher(query), srt::CipherMode::gcm) << query;
  for (const char* query : {"&cryptomode=3", "&cryptomode=gcm&pbkeylen=24"})
    EXPECT_EQ(cipher(query), std::nullopt) << query;
}

TEST(SrtUrl, AnIpv6AddressStandsInBrackets) {
  const auto url = parse_srt_url("srt://[2001:db8::1]:9000/?mode=rendezvous");
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(url->host, "2001:db8::1");
  EXPECT_EQ(url->mode, SrtMode::rendezvous);
  EXPECT_EQ(url->place(), "[2001:db8::1]:9000");
}

TEST(SrtUrl, WhatIsWrongIsToldWithoutTheSecretInIt) {
  for (const char* text :
       {"udp://a:1", "srt://a", "srt://a:0", "srt://a:65536", "srt://:9000", "srt://2001:db8::1:90",
        "srt://user:secret@a:1", "srt://a:1?latency=x&passphrase=secretsecret",
        "srt://a:1?passphrase=secret", "srt://a:1?pbkeylen=17", "srt://a:1?streamid=%4",
        "srt://a:1?nonsense=secret", "srt://a:1?mode=listener", "srt://a:1?weight=70000"}) {
    const auto url = parse_srt_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().code, Errc::config) << text;
    EXPECT_EQ(url.error().message.find("secret"), std::string::npos) << url.error().message;
  }
}

}  // namespace
}  // namespace kapok::ingest
