#include "server/picture/protocols/srt/stream_id.hpp"

#include <gtest/gtest.h>

namespace kapok::srt {
namespace {

StreamId parsed(std::string_view text) {
  auto id = parse_stream_id(text);
  EXPECT_TRUE(id) << text << ": " << id.error().message;
  return id.value_or(StreamId{});
}
Errc error_of(std::string_view text) {
  const auto id = parse_stream_id(text);
  EXPECT_FALSE(id) << text;
  return id ? Errc::internal : id.error().code;
}

TEST(StreamId, StandardForm) {
  const StreamId id = parsed("#!::r=studio-1,m=publish,u=secret=with=signs,s=abc,h=kapok.example");
  EXPECT_EQ(id.mode, StreamMode::publish);
  EXPECT_EQ(id.channel, "studio-1");
  EXPECT_EQ(id.key, "secret=with=signs");
  EXPECT_EQ(id.session, "abc");
  EXPECT_EQ(id.host, "kapok.example");
}

TEST(StreamId, RequestIsTheDefault) {
  EXPECT_EQ(parsed("#!::r=news").mode, StreamMode::request);
  EXPECT_EQ(parsed("#!::u=key").channel, "");
}

TEST(StreamId, UnknownKeysAreIgnored) {
  const StreamId id =
      parsed("#!::x=1,kapok_note=hello world,r=live/news,t=stream,m=publish,bmd_uuid=a");
  EXPECT_EQ(id.channel, "news");
  EXPECT_EQ(id.mode, StreamMode::publish);
}

TEST(StreamId, PlainForms) {
  EXPECT_EQ(parsed("publish:news?key=k").key, "k");
  EXPECT_EQ(parsed("publish:live/news?key=a?b=c").key, "a?b=c");
  EXPECT_EQ(parsed("publish:news:k").key, "k");
  EXPECT_EQ(parsed("publish:news:somebody:k").key, "k");
  EXPECT_EQ(parsed("publish:/live/news:k").channel, "news");
  EXPECT_EQ(parsed("publish:news").key, "");
  for (const auto* text : {"request:news", "read:news", "play:live/news"}) {
    EXPECT_EQ(parsed(text).mode, StreamMode::request);
    EXPECT_EQ(parsed(text).channel, "news");
  }
}

TEST(StreamId, WhatIsNoStreamIdIsMalformed) {
  for (const auto* text : {"",
                           "news",
                           "#!",
                           "#!:",
                           "#!:r=news",
                           "#!::r",
                           "#!::=news",
                           "#!::,",
                           "#!::r=News",
                           "#!::r=a/b",
                           "#!::r=live/",
                           "#!::r=../x,m=publish",
                           "#!::m=delete",
                           "#!::r=a,r=b",
                           "#!::u=a,u=",
                           "publish:",
                           "publish:?key=k",
                           "publish:a b",
                           "publish:news?token=k",
                           "publish:news?key=k&x=1",
                           "subscribe:news",
                           "#!::r=news\n,m=publish",
                           "publish:news:\x7f"})
    EXPECT_EQ(error_of(text), Errc::malformed) << text;
  EXPECT_EQ(error_of(std::string_view("publish:news:a\0b", 16)), Errc::malformed);
}

TEST(StreamId, WhatIsNotOfferedIsUnsupported) {
  for (const auto* text : {"#!{r=news}", "#!:{r=news,m=publish}", "#!::m=bidirectional,r=news",
                           "#!::t=file,r=news,m=publish", "#!::t=auth"})
    EXPECT_EQ(error_of(text), Errc::unsupported) << text;
}

TEST(StreamId, AtMost512Bytes) {
  const std::string start = "#!::r=news,m=publish,u=";
  EXPECT_TRUE(parse_stream_id(start + std::string(512 - start.size(), 'k')));
  EXPECT_EQ(error_of(start + std::string(513 - start.size(), 'k')), Errc::limit);
}

TEST(StreamId, ErrorsRepeatNothingOfTheInput) {
  for (const auto* text : {"#!::r=SECRET,m=publish", "SECRET", "publish:news?SECRET", "SECRET:news",
                           "#!::u=SECRET,u=SECRET", "#!::m=SECRET"})
    EXPECT_FALSE(parse_stream_id(text).error().message.contains("SECRET"));
}

TEST(StreamId, IsWrittenInTheStandardForm) {
  const StreamId id{
      .mode = StreamMode::publish, .channel = "news", .key = "k", .session = {}, .host = {}};
  EXPECT_EQ(format_stream_id(id), "#!::r=news,m=publish,u=k");
  EXPECT_EQ(parsed(format_stream_id(id)).key, "k");
}

}  // namespace
}  // namespace kapok::srt
