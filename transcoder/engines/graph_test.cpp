// Graphs of an operator's own, which only the engine on GStreamer takes.
#include "transcoder/engines/engines_test.hpp"

namespace kapok::engines {
namespace {

media::VideoRung own(std::string name, std::string bin) {
  auto made = ffmpeg::rung(std::move(name), Codec::avc, 180);
  made.bin = std::move(bin);
  return made;
}

void feed(const ffmpeg::Clip& clip, std::vector<media::VideoRung> rungs,
          ffmpeg::RecordingSink& sink) {
  const auto engine = make(Engine::gstreamer, ladder_of(std::move(rungs)),
                           {.pace = ladder::Pace::file, .threads = 2}, sink)
                          .value();
  ffmpeg::feed(*engine, clip);
  engine->drain();
}

TEST(OwnGraph, MakesARungWithTheSourcesTimesAndItsGopsAtSegmentStarts) {
  const auto clip = ffmpeg::make_clip({.frames = 40});
  ffmpeg::RecordingSink sink;
  feed(clip,
       {own("open",
            "videoscale ! video/x-raw,width=320,height=180 ! x264enc speed-preset=ultrafast "
            "key-int-max=1073741824 option-string=scenecut=0"),
        own("named",
            "x264enc name=out speed-preset=ultrafast key-int-max=1073741824 "
            "videoscale name=in ! video/x-raw,width=320,height=180 ! queue ! out.")},
       sink);
  for (const std::string name : {"open", "named"}) {
    SCOPED_TRACE(name + "\n" + sink.all_notices());
    ASSERT_TRUE(sink.has(name));
    EXPECT_EQ(ffmpeg::pts_of(sink[name].packets), ffmpeg::pts_of(clip.packets));
    EXPECT_EQ(ffmpeg::sync_pts_of(sink[name].packets), clip.segment_starts);
    EXPECT_EQ(sink[name].tracks.at(0)->video()->width, 320U);
  }
}

TEST(OwnGraph, WhatItCannotDoIsSaidWithTheRungAndTheCauseAndTheOthersLive) {
  const auto clip = ffmpeg::make_clip({.frames = 20});
  ffmpeg::RecordingSink sink;
  feed(clip,
       {ffmpeg::rung("good", Codec::avc, 180), own("none", "videoscale ! nosuchelement"),
        own("word", "x264enc speed-preset=nonsense"), own("pads", "fakesink"),
        own("height", "x264enc speed-preset=ultrafast"), own("codec", "videoscale ! x265enc")},
       sink);
  SCOPED_TRACE(sink.all_notices());
  EXPECT_EQ(sink["good"].packets.size(), clip.packets.size());
  for (const std::string name : {"none", "word", "pads", "height", "codec"}) {
    EXPECT_FALSE(sink.has(name));
    EXPECT_NE(sink.all_notices().find("rung.failed: " + name + ": "), std::string::npos) << name;
  }
  EXPECT_NE(sink.all_notices().find("none: bin: no element \"nosuchelement\""), std::string::npos);
  EXPECT_NE(sink.all_notices().find("height: 360 lines"), std::string::npos);
}

}  // namespace
}  // namespace kapok::engines
