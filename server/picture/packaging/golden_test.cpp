// The texts as players get them, compared with tests/golden/packaging. After an intended change:
// KAPOK_UPDATE_GOLDEN=1, then read the diff.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <fstream>

#include "server/picture/packaging/listing.hpp"
#include "server/picture/packaging/packaging_fixture_test.hpp"

namespace kapok::packaging {
namespace {

void compare(const std::string& name, std::string_view text) {
  const char* root = std::getenv("KAPOK_SOURCE_DIR");
  if (!root) GTEST_SKIP() << "KAPOK_SOURCE_DIR is not set (ctest sets it)";
  const std::filesystem::path path =
      std::filesystem::path(root) / "tests" / "golden" / "packaging" / name;
  if (std::getenv("KAPOK_UPDATE_GOLDEN")) std::ofstream(path, std::ios::binary) << text;
  std::ifstream in(path, std::ios::binary);
  const std::string golden((std::istreambuf_iterator<char>(in)), {});
  EXPECT_EQ(text, golden) << path;
}

TEST(Golden, PlaylistsAndManifestOfTwoErasWithAGap) {
  TemporaryFolder folder;
  PackagerOptions options;
  options.channel = "demo";
  options.directory = folder.path() / "demo";
  Station station(options);
  station->feed_live();
  SyntheticFeed feed;
  station->start_era(feed.start, feed.tracks());
  feed.push(*station, 15.3);
  SyntheticFeed other;
  other.start = feed.start + seconds(20);
  station->start_era(other.start, other.tracks());
  other.push(*station, 2.5);
  other.next_frame = 350;  // nothing from 2.5 s to 7 s
  other.next_sound = 7 * 48000 / 1024;
  other.push(*station, 9.7);
  station.settle();
  compare("source.m3u8", station.playlist("source"));
  compare("source-delta.m3u8", station.playlist("source", PlaylistForm::delta));
  compare("audio-zh.m3u8", station.playlist("audio-zh"));
  compare("master.m3u8", station.window().multivariant()->text.text());
  compare("manifest.mpd", station.window().manifest()->text.text());
  station.close();
}

RenditionListing listed(RenditionInfo info, media::Track track) {
  auto init = std::make_shared<InitSegment>();
  init->name = "init-" + info.id + ".mp4";
  info.kind = track.kind;
  info.language = track.language;
  info.timescale = track.timescale;
  info.target_duration_s = 2;
  info.part_target = milliseconds(200);
  info.average_bandwidth = info.bandwidth / 10 * 9;
  init->track = std::make_shared<const media::Track>(std::move(track));
  return {std::move(info), std::move(init)};
}

media::Track pictures(media::Codec codec, std::string codec_string, media::VideoFacts facts) {
  media::Track track;
  track.kind = media::TrackKind::video;
  track.codec = codec;
  track.timescale = 90000;
  track.codec_string = std::move(codec_string);
  track.facts = facts;
  return track;
}

// A 4K HLG source with 5.1 sound, rungs in HLG and SDR, in two codecs, one of half the frames.
TEST(Golden, ALadderOfTwoRangesAndTwoCodecs) {
  constexpr media::Colour kHlg{9, 18, 9, false};
  constexpr media::Colour kSdr{1, 1, 1, false};
  const auto video = [](std::uint32_t height, std::uint32_t rate, media::Colour colour) {
    media::VideoFacts facts;
    facts.height = height;
    facts.width = height * 16 / 9;
    facts.frame_rate = {rate, 1};
    facts.colour = colour;
    return facts;
  };
  const auto rung = [](const char* id, std::uint32_t bandwidth, microseconds delay) {
    RenditionInfo info;
    info.id = id;
    info.bandwidth = bandwidth;
    info.rung = true;
    info.delay = delay;
    return info;
  };
  RenditionInfo source;
  source.id = "source";
  source.bandwidth = 28'000'000;
  RenditionInfo surround;
  surround.id = "audio-zh";
  surround.bandwidth = 450'000;
  media::Track ac3 = *audio_track();
  ac3.codec = media::Codec::ac3;
  ac3.codec_string = "ac-3";
  ac3.facts = media::AudioFacts{48000, 6, 1536};

  using media::Codec;
  EraListing era;
  era.era = {.id = 3,
             .start_utc = UtcTime(seconds(1'790'000'000)),
             .base = 895'000'000,
             .segment_duration = seconds(2),
             .window = seconds(1800)};
  era.renditions = {
      listed(source, pictures(Codec::hevc, "hvc1.2.4.L153.B0", video(2160, 50, kHlg))),
      listed(surround, ac3),
      listed(rung("1080p-hdr", 6'000'000, milliseconds(1'250)),
             pictures(Codec::hevc, "hvc1.2.4.L123.B0", video(1080, 50, kHlg))),
      listed(rung("1080p", 6'600'000, milliseconds(500)),
             pictures(Codec::avc, "avc1.64002a", video(1080, 50, kSdr))),
      listed(rung("1080p-av1", 3'000'000, milliseconds(750)),
             pictures(Codec::av1, "av01.0.09M.08", video(1080, 50, kSdr))),
      listed(rung("432p", 900'000, milliseconds(500)),
             pictures(Codec::avc, "avc1.64001e", video(432, 25, kSdr))),
      listed(rung("stereo", 140'000, milliseconds(250)), *audio_track())};
  compare("ladder.m3u8", write_multivariant(era));
  compare("ladder.mpd", write_dash_manifest({era}, era.era.start_utc));
}

media::VideoFacts hdr10_plus() {
  media::VideoFacts facts;
  facts.width = 3840;
  facts.height = 2160;
  facts.bit_depth = 10;
  facts.frame_rate = {50, 1};
  facts.colour = {9, 16, 9, false};
  facts.hdr10_plus = true;
  return facts;
}

RenditionInfo rendition(const char* id, std::uint32_t bandwidth, bool rung) {
  RenditionInfo info;
  info.id = id;
  info.bandwidth = bandwidth;
  info.rung = rung;
  return info;
}

EraListing hdr_era() {
  EraListing era;
  era.era = {.id = 3,
             .start_utc = UtcTime(seconds(1'790'000'000)),
             .base = 895'000'000,
             .segment_duration = seconds(2),
             .window = seconds(1800)};
  return era;
}

auto hevc_pictures(const char* codec_string, const media::VideoFacts& of) {
  return pictures(media::Codec::hevc, codec_string, of);
}

// A source with HDR10+ and a rung of it, which the encoder made without.
TEST(Golden, DynamicMetadataOfTheSourceAlone) {
  media::VideoFacts facts = hdr10_plus();
  const RenditionInfo source = rendition("source", 28'000'000, false);
  const RenditionInfo rung = rendition("1080p-hdr", 6'000'000, true);
  RenditionInfo sound;
  sound.id = "audio-zh";
  sound.bandwidth = 140'000;
  EraListing era = hdr_era();
  era.renditions.push_back(listed(source, hevc_pictures("hvc1.2.4.L153.B0", facts)));
  facts.width = 1920;
  facts.height = 1080;
  facts.hdr10_plus = false;
  era.renditions.push_back(listed(rung, hevc_pictures("hvc1.2.4.L123.B0", facts)));
  era.renditions.push_back(listed(sound, *audio_track()));
  compare("hdr10-plus.m3u8", write_multivariant(era));
  compare("hdr10-plus.mpd", write_dash_manifest({era}, era.era.start_utc));
}

// Sources with Dolby Vision: over HDR10, with HDR10+ and a rung, and of profile 5 in a period of
// its own.
TEST(Golden, DolbyVisionOfTheSourceAlone) {
  media::VideoFacts facts = hdr10_plus();
  facts.dolby_vision = media::DolbyVision{8, 9, 1};
  const RenditionInfo source = rendition("source", 28'000'000, false);
  const RenditionInfo rung = rendition("1080p-hdr", 6'000'000, true);
  EraListing era = hdr_era();
  era.renditions.push_back(listed(source, hevc_pictures("hvc1.2.4.L153.B0", facts)));
  EraListing before = era;
  facts.width = 1920;
  facts.height = 1080;
  facts.hdr10_plus = false;
  facts.dolby_vision.reset();
  era.renditions.push_back(listed(rung, hevc_pictures("hvc1.2.4.L123.B0", facts)));
  compare("dolby-vision.m3u8", write_multivariant(era));
  facts.colour = {2, 2, 2, true};
  facts.dolby_vision = media::DolbyVision{5, 5, 0};
  before.era.id = 2;
  before.era.start_utc = UtcTime(seconds(1'789'999'000));
  before.era.base = 894'999'500;
  before.duration = seconds(1000);
  before.renditions = {listed(source, hevc_pictures("hvc1.2.4.L123.B0", facts))};
  compare("dolby-vision-5.m3u8", write_multivariant(before));
  compare("dolby-vision.mpd", write_dash_manifest({before, era}, era.era.start_utc));
}

// Surround in Chinese as it came, English in stereo; rungs of both at two rates, and of a third
// sound whose language nobody said.
TEST(Golden, SoundInSeveralLanguages) {
  const auto sound = [](const char* id, const char* language, std::uint32_t bandwidth,
                        media::Track track) {
    RenditionInfo info;
    info.id = id;
    info.bandwidth = bandwidth;
    info.rung = !std::string_view(id).starts_with("audio-");
    track.language = language;
    return listed(std::move(info), std::move(track));
  };
  media::Track eac3 = *audio_track();
  eac3.codec = media::Codec::eac3;
  eac3.codec_string = "ec-3";
  eac3.facts = media::AudioFacts{48000, 6, 1536};
  RenditionInfo source;
  source.id = "source";
  source.bandwidth = 28'000'000;
  media::VideoFacts facts;
  facts.width = 3840;
  facts.height = 2160;
  facts.frame_rate = {50, 1};
  EraListing era;
  era.era = {.id = 3,
             .start_utc = UtcTime(seconds(1'790'000'000)),
             .base = 895'000'000,
             .segment_duration = seconds(2),
             .window = seconds(1800)};
  era.renditions = {listed(source, pictures(media::Codec::hevc, "hvc1.2.4.L153.B0", facts)),
                    sound("audio-zh", "zh", 650'000, eac3),
                    sound("audio-en", "en", 140'000, *audio_track()),
                    sound("audio-zh-2", "zh", 140'000, *audio_track()),
                    sound("low", "zh", 70'000, *audio_track()),
                    sound("low-en", "en", 70'000, *audio_track()),
                    sound("stereo", "zh", 135'000, *audio_track()),
                    sound("stereo-4", "zh-x-2", 135'000, *audio_track()),
                    sound("stereo-3", "und-x-3", 135'000, *audio_track())};
  compare("languages.m3u8", write_multivariant(era));
  compare("languages.mpd", write_dash_manifest({era}, era.era.start_utc));
}

// Not a test: what a feed costs here. Run with --gtest_also_run_disabled_tests.
TEST(Cost, DISABLED_OfAFeedOf25MegabitsASecond) {
  TemporaryFolder folder;
  PackagerOptions options;
  options.channel = "demo";
  options.directory = folder.path() / "demo";
  options.window = seconds(15);
  Station station(options);
  SyntheticFeed feed;
  feed.frame_bytes = feed.sync_bytes = 62'500;
  station->feed_live();
  station->start_era(feed.start, feed.tracks());
  const auto cpu = [] {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  };
  feed.push(*station, 20);
  station.settle();
  const double before = cpu();
  for (int second = 21; second <= 140; ++second) {
    feed.push(*station, second);
    station.settle();
  }
  std::printf("%.2f %% of a core a feed\n", (cpu() - before) / 120 * 100);
  station.close();
}

}  // namespace
}  // namespace kapok::packaging
