// What real encoders put on the wire, byte for byte: FFmpeg 5.1 (legacy FLV) and FFmpeg 8.1
// (Enhanced RTMP, multitrack). The captures are the fuzzer's corpus too.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>

#include "server/media/feed.hpp"
#include "server/picture/containers/flv/demuxer.hpp"
#include "server/picture/protocols/rtmp/server_session.hpp"

namespace kapok::ingest {
namespace {

using media::Codec;
using media::TrackId;

Bytes capture(const std::string& name) {
  const char* root = std::getenv("KAPOK_SOURCE_DIR");
  std::ifstream in(
      std::string(root != nullptr ? root : ".") + "/tests/fuzz/corpus/rtmp_chunk/" + name,
      std::ios::binary);
  const std::string all((std::istreambuf_iterator<char>(in)), {});
  return to_bytes(all);
}

struct Parsed {
  Result<void> outcome;
  std::vector<std::string> notices;
  std::string encoder;
  std::map<TrackId, std::vector<std::shared_ptr<const media::Track>>> tracks;
  std::map<TrackId, std::vector<std::shared_ptr<const media::Packet>>> packets;
  int discontinuities = 0;
};

Result<void> feed(Parsed& parsed, ByteSpan bytes, std::size_t piece) {
  rtmp::RtmpServerSession session;
  flv::FlvDemuxer demuxer;
  flv::FlvDemuxer::Items items;
  std::vector<rtmp::ServerEvent> events;
  bool granted = false;
  while (!bytes.empty() || granted) {
    const ByteSpan next = bytes.first(std::min(piece, bytes.size()));
    bytes = bytes.subspan(next.size());
    KAPOK_TRY(granted ? session.received({}, 0) : session.receive({}, next));
    if (granted) {
      granted = false;
      KAPOK_TRY(session.receive({}, next));
    }
    session.take_events(events);
    for (const rtmp::ServerEvent& event : events) {
      if (std::holds_alternative<rtmp::PublishAsked>(event)) {
        session.grant_publish();
        granted = true;
      } else if (const auto* message = std::get_if<rtmp::MediaMessage>(&event)) {
        const auto at = message->timestamp;
        if (message->kind == rtmp::MediaKind::video)
          KAPOK_TRY(demuxer.video(at, message->body, MonoTime(milliseconds(at)), items));
        else if (message->kind == rtmp::MediaKind::audio)
          KAPOK_TRY(demuxer.audio(at, message->body, MonoTime(milliseconds(at)), items));
        else
          KAPOK_TRY(demuxer.script(message->body));
      }
    }
  }
  for (const media::FeedItem& item : items) {
    if (const auto* track = std::get_if<std::shared_ptr<const media::Track>>(&item))
      parsed.tracks[(*track)->id].push_back(*track);
    else if (const auto* packet = std::get_if<std::shared_ptr<const media::Packet>>(&item))
      parsed.packets[(*packet)->track].push_back(*packet);
    else
      ++parsed.discontinuities;
  }
  parsed.notices = demuxer.take_notices();
  parsed.encoder = demuxer.hints().encoder;
  return {};
}

Parsed parse(const std::string& name, std::size_t piece = 1400) {
  Parsed parsed;
  const Bytes bytes = capture(name);
  EXPECT_GT(bytes.size(), 5000u) << name;
  parsed.outcome = feed(parsed, bytes, piece);
  EXPECT_TRUE(parsed.outcome) << parsed.outcome.error().message;
  EXPECT_EQ(parsed.discontinuities, 0);
  for (const std::string& notice : parsed.notices) ADD_FAILURE() << notice;
  for (const auto& [id, packets] : parsed.packets) {
    for (std::size_t i = 1; i < packets.size(); ++i)
      EXPECT_GT(packets[i]->dts, packets[i - 1]->dts) << "track " << id << " packet " << i;
    EXPECT_TRUE(packets.front()->sync) << id;
  }
  return parsed;
}

constexpr TrackId kVideo = flv::kVideoTracks;
constexpr TrackId kAudio = flv::kAudioTracks;

std::vector<bool> syncs(const Parsed& parsed, TrackId id) {
  std::vector<bool> all;
  for (const auto& packet : parsed.packets.at(id)) all.push_back(packet->sync);
  return all;
}

// 15 frames with a key frame every ten.
std::vector<bool> every_tenth() {
  std::vector<bool> all(15);
  all[0] = all[10] = true;
  return all;
}

TEST(Captures, Ffmpeg5LegacyAvcAac) {
  for (const std::size_t piece : {1u, 1400u, 4000u}) {
    const Parsed parsed = parse("ffmpeg5_avc_aac.bin", piece);
    ASSERT_EQ(parsed.tracks.size(), 2u);
    EXPECT_EQ(parsed.tracks.at(kVideo).front()->codec, Codec::avc);
    EXPECT_EQ(parsed.tracks.at(kVideo).front()->video()->width, 128u);
    EXPECT_EQ(parsed.tracks.at(kAudio).front()->codec, Codec::aac);
    EXPECT_EQ(syncs(parsed, kVideo), every_tenth());
    EXPECT_TRUE(parsed.encoder.starts_with("Lavf")) << parsed.encoder;
  }
}

TEST(Captures, EnhancedHevcWithHdrAndOpus) {
  const Parsed parsed = parse("ffmpeg8_hevc_opus.bin");
  ASSERT_EQ(parsed.tracks.size(), 2u);
  const auto& video = *parsed.tracks.at(kVideo).back();
  EXPECT_EQ(video.codec, Codec::hevc);
  EXPECT_EQ(video.video()->bit_depth, 10);
  EXPECT_EQ(video.video()->colour.primaries, 9);
  EXPECT_EQ(video.video()->colour.transfer, 16);
  ASSERT_TRUE(video.video()->mastering);
  EXPECT_EQ(video.video()->mastering->max_luminance, 10'000'000u);
  EXPECT_EQ(video.video()->light->max_content, 1000);
  EXPECT_EQ(syncs(parsed, kVideo), every_tenth());
  const auto& audio = *parsed.tracks.at(kAudio).back();
  EXPECT_EQ(audio.codec, Codec::opus);
  const auto& packets = parsed.packets.at(kAudio);
  for (std::size_t i = 1; i < packets.size(); ++i)
    EXPECT_EQ((packets[i]->dts - packets[i - 1]->dts).count, 960) << i;
}

TEST(Captures, EnhancedAv1AndEac3) {
  const Parsed parsed = parse("ffmpeg8_av1_eac3.bin");
  ASSERT_EQ(parsed.tracks.size(), 2u);
  EXPECT_EQ(parsed.tracks.at(kVideo).back()->codec, Codec::av1);
  EXPECT_EQ(parsed.tracks.at(kVideo).back()->video()->colour.transfer, 16);
  EXPECT_EQ(syncs(parsed, kVideo), every_tenth());
  EXPECT_EQ(parsed.tracks.at(kAudio).back()->codec, Codec::eac3);
  const auto& packets = parsed.packets.at(kAudio);
  for (std::size_t i = 1; i < packets.size(); ++i)
    EXPECT_EQ((packets[i]->dts - packets[i - 1]->dts).count, 1536) << i;
}

TEST(Captures, EnhancedAvcAndFlac) {
  const Parsed parsed = parse("ffmpeg8_h264_flac.bin");
  ASSERT_EQ(parsed.tracks.size(), 2u);
  EXPECT_EQ(parsed.tracks.at(kVideo).back()->codec, Codec::avc);
  EXPECT_EQ(parsed.tracks.at(kAudio).back()->codec, Codec::flac);
}

TEST(Captures, MultitrackLegacyFirstAndEnhancedSecond) {
  const Parsed parsed = parse("ffmpeg8_multitrack.bin");
  ASSERT_EQ(parsed.tracks.size(), 4u);
  EXPECT_EQ(parsed.tracks.at(kVideo).back()->codec, Codec::avc);
  EXPECT_EQ(parsed.tracks.at(kVideo + 1).back()->codec, Codec::hevc);
  EXPECT_EQ(parsed.tracks.at(kAudio).back()->codec, Codec::aac);
  EXPECT_EQ(parsed.tracks.at(kAudio + 1).back()->codec, Codec::ac3);
  EXPECT_EQ(syncs(parsed, kVideo), every_tenth());
  EXPECT_EQ(syncs(parsed, kVideo + 1), every_tenth());
}

TEST(Captures, TwoTracksOfOneCodecKeepTheirOwnColour) {
  const Parsed parsed = parse("ffmpeg8_hevc2_ac3.bin");
  ASSERT_EQ(parsed.tracks.size(), 3u);
  for (const TrackId id : {kVideo, kVideo + 1})
    EXPECT_EQ(parsed.tracks.at(id).back()->video()->colour.transfer, 16) << id;
}

}  // namespace
}  // namespace kapok::ingest
