#include <gtest/gtest.h>

#include <cstring>

#include "server/picture/wire/reader.hpp"
#include "server/picture/wire/writer.hpp"

namespace kapok::wire {
namespace {

Bytes bytes_of(const Encoded& encoded) {
  Bytes bytes(encoded.head.bytes().begin(), encoded.head.bytes().end());
  bytes.insert(bytes.end(), encoded.payload.bytes().begin(), encoded.payload.bytes().end());
  return bytes;
}

template <class Message>
Bytes written(std::initializer_list<Message> messages) {
  Bytes all;
  for (const Message& message : messages) {
    const Result<Encoded> encoded = encode(message);
    EXPECT_TRUE(encoded) << encoded.error().message;
    const Bytes one = bytes_of(*encoded);
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

template <class Message>
Result<std::vector<Message>> read(ByteSpan bytes, std::size_t step = SIZE_MAX) {
  Reader<Message> reader;
  std::vector<Message> out;
  while (!bytes.empty()) {
    const std::span<std::byte> room = reader.room();
    const std::size_t count = std::min({step, room.size(), bytes.size()});
    std::memcpy(room.data(), bytes.data(), count);
    KAPOK_TRY(reader.filled(count, out));
    bytes = bytes.subspan(count);
  }
  return out;
}

std::shared_ptr<const media::Track> hdr_track() {
  media::VideoFacts facts;
  facts.width = 3840;
  facts.height = 2160;
  facts.bit_depth = 10;
  facts.frame_rate = {50, 1};
  facts.colour = {9, 16, 9, false};
  facts.mastering = media::MasteringDisplay{
      {13250, 7500, 34000}, {34500, 3000, 16000}, 15635, 16450, 10'000'000, 50};
  facts.light = media::ContentLight{1000, 400};
  facts.hdr_vivid = true;
  facts.hdr10_plus = true;
  facts.dolby_vision = media::DolbyVision{8, 9, std::nullopt};
  media::Track track;
  track.id = 1;
  track.kind = media::TrackKind::video;
  track.codec = media::Codec::hevc;
  track.timescale = 90'000;
  track.config = Buffer::copy_of("a configuration record");
  track.codec_string = "hvc1.2.4.L153.B0";
  track.language = "zh-Hans";
  track.facts = facts;
  return std::make_shared<const media::Track>(track);
}

std::shared_ptr<const media::Track> sound_track() {
  media::Track track;
  track.id = 2;
  track.kind = media::TrackKind::audio;
  track.codec = media::Codec::aac;
  track.timescale = 48'000;
  track.codec_string = "mp4a.40.2";
  track.facts = media::AudioFacts{48'000, 2, 1024};
  return std::make_shared<const media::Track>(track);
}

media::Packet packet_of(std::size_t bytes) {
  media::Packet packet;
  packet.track = 1;
  packet.dts = {160'000'000'000'000};
  packet.pts = {160'000'000'003'600};
  packet.duration = {1800};
  packet.sync = true;
  packet.payload = Buffer(Bytes(bytes, std::byte{7}));
  packet.arrival = MonoTime(nanoseconds(123'456'789));
  return packet;
}

media::Ladder ladder() {
  media::Ladder ladder;
  ladder.name = "hall";
  media::VideoRung video;
  video.name = "720p";
  video.height = 720;
  video.bit_rate = 3'000'000;
  video.rate = media::RungRate::half;
  video.preset = "veryfast";
  ladder.video.push_back(video);
  video.name = "own";
  video.bin = "videoscale ! video/x-raw,height=720 ! x264enc bitrate=3000";
  ladder.engine = "gstreamer";
  ladder.video.push_back(video);
  media::AudioRung audio;
  audio.name = "stereo";
  audio.bit_rate = 128'000;
  audio.loudness = -23;
  audio.source = 3;
  ladder.audio.push_back(audio);
  ladder.detect.frozen = microseconds(0);
  ladder.detect.black = milliseconds(1500);
  ladder.detect.frozen_noise = 7;
  return ladder;
}

void expect_same(const media::Track& read, const media::Track& sent) {
  EXPECT_EQ(read.id, sent.id);
  EXPECT_EQ(read.kind, sent.kind);
  EXPECT_EQ(read.codec, sent.codec);
  EXPECT_EQ(read.timescale, sent.timescale);
  EXPECT_EQ(read.config.text(), sent.config.text());
  EXPECT_EQ(read.codec_string, sent.codec_string);
  EXPECT_EQ(read.language, sent.language);
  EXPECT_EQ(read.facts, sent.facts);
}

void expect_same(const media::Packet& read, const media::Packet& sent) {
  EXPECT_EQ(read.track, sent.track);
  EXPECT_EQ(read.dts, sent.dts);
  EXPECT_EQ(read.pts, sent.pts);
  EXPECT_EQ(read.duration, sent.duration);
  EXPECT_EQ(read.sync, sent.sync);
  EXPECT_EQ(read.arrival, sent.arrival);
  EXPECT_EQ(read.payload.text(), sent.payload.text());
}

TEST(Wire, WhatIsSentToAWorkerArrivesAsItWasHoweverItIsCut) {
  const Bytes sent = written<ToWorker>(
      {Hello{}, ladder(), SourceTrack{hdr_track()}, SourceTrack{sound_track()},
       SourcePacket{packet_of(300), true}, SourcePacket{packet_of(200'000), false},
       SourcePacket{packet_of(0), false}, Discontinuity{}, Drain{}});
  for (const std::size_t step : {std::size_t{1}, std::size_t{13}, std::size_t{70'000}, SIZE_MAX}) {
    const auto got = read<ToWorker>(sent, step);
    ASSERT_TRUE(got) << got.error().message;
    ASSERT_EQ(got->size(), 9U);
    EXPECT_EQ(std::get<Hello>((*got)[0]), Hello{});
    EXPECT_EQ(std::get<media::Ladder>((*got)[1]), ladder());
    expect_same(*std::get<SourceTrack>((*got)[2]).track, *hdr_track());
    expect_same(*std::get<SourceTrack>((*got)[3]).track, *sound_track());
    expect_same(std::get<SourcePacket>((*got)[4]).packet, packet_of(300));
    EXPECT_TRUE(std::get<SourcePacket>((*got)[4]).segment_start);
    expect_same(std::get<SourcePacket>((*got)[5]).packet, packet_of(200'000));
    EXPECT_FALSE(std::get<SourcePacket>((*got)[5]).segment_start);
    expect_same(std::get<SourcePacket>((*got)[6]).packet, packet_of(0));
    EXPECT_TRUE(std::holds_alternative<Discontinuity>((*got)[7]));
    EXPECT_TRUE(std::holds_alternative<Drain>((*got)[8]));
  }
}

media::AnomalyEvent frozen() {
  return {media::Anomaly::frozen, media::AnomalyState::goes_on, seconds(1'790'000'000),
          seconds(1'790'000'007)};
}

TEST(Wire, WhatAWorkerSaysArrivesAsItWas) {
  const WorkerHello hello{kVersion, "ffmpeg", "software"};
  const Heartbeat beat{
      100, 1, 2, 340, 5600, 700'000'000, {{"720p", 98, 3}, {"stereo", 55, 0}}, "nvidia:1"};
  const Notice notice{LogLevel::warn, "rung.left_out", "2160p: above the source"};
  const Bytes sent = written<FromWorker>({hello, RungTrack{"720p", hdr_track()},
                                          RungPacket{"720p", packet_of(80'000)}, beat, notice,
                                          Drained{}, frozen()});
  for (const std::size_t step : {std::size_t{1}, SIZE_MAX}) {
    const auto got = read<FromWorker>(sent, step);
    ASSERT_TRUE(got) << got.error().message;
    ASSERT_EQ(got->size(), 7U);
    EXPECT_EQ(std::get<WorkerHello>((*got)[0]), hello);
    EXPECT_EQ(std::get<RungTrack>((*got)[1]).rung, "720p");
    expect_same(*std::get<RungTrack>((*got)[1]).track, *hdr_track());
    EXPECT_EQ(std::get<RungPacket>((*got)[2]).rung, "720p");
    expect_same(std::get<RungPacket>((*got)[2]).packet, packet_of(80'000));
    EXPECT_EQ(std::get<Heartbeat>((*got)[3]), beat);
    EXPECT_EQ(std::get<Notice>((*got)[4]), notice);
    EXPECT_TRUE(std::holds_alternative<Drained>((*got)[5]));
    EXPECT_EQ(std::get<media::AnomalyEvent>((*got)[6]), frozen());
  }
}

TEST(Wire, WhatIsSaidOfAFileArrivesAsItWas) {
  const FileStart start{seconds(14), milliseconds(4000), milliseconds(12'000), false};
  const auto to = read<ToWorker>(written<ToWorker>({Hello{}, ladder(), start}));
  ASSERT_TRUE(to) << to.error().message;
  EXPECT_EQ(std::get<FileStart>((*to)[2]), start);

  media::Track foreign = *hdr_track();
  foreign.codec = media::Codec::unknown;
  foreign.codec_string = "prores";
  const FileOpened opened{"mxf", seconds(5400)};
  const FileRefused refused{FileRefused::Why::source_unfit, "open GOPs"};
  const auto from = read<FromWorker>(
      written<FromWorker>({WorkerHello{}, opened, FileTrack{hdr_track(), true},
                           FileTrack{std::make_shared<const media::Track>(foreign), false},
                           FileSegment{seconds(14)}, FilePacket{packet_of(300)}, refused}));
  ASSERT_TRUE(from) << from.error().message;
  ASSERT_EQ(from->size(), 7U);
  EXPECT_EQ(std::get<FileOpened>((*from)[1]), opened);
  EXPECT_TRUE(std::get<FileTrack>((*from)[2]).published);
  expect_same(*std::get<FileTrack>((*from)[2]).track, *hdr_track());
  const FileTrack& other = std::get<FileTrack>((*from)[3]);
  EXPECT_FALSE(other.published);
  EXPECT_EQ(other.track->kind, media::TrackKind::video);
  EXPECT_EQ(other.track->facts, foreign.facts);
  EXPECT_EQ(std::get<FileSegment>((*from)[4]).at, seconds(14));
  expect_same(std::get<FilePacket>((*from)[5]).packet, packet_of(300));
  EXPECT_EQ(std::get<FileRefused>((*from)[6]), refused);
}

TEST(Wire, APayloadIsNotCopiedOnTheWayOut) {
  const media::Packet packet = packet_of(50'000);
  const Result<Encoded> encoded = encode(SourcePacket{packet, false});
  ASSERT_TRUE(encoded);
  EXPECT_EQ(encoded->payload.data(), packet.payload.data());
  EXPECT_EQ(encoded->head.size(), kHeaderBytes + kPacketHeadBytes);
}

TEST(Wire, ALargeBodyIsReadStraightIntoItsOwnMemory) {
  const Bytes sent = written<ToWorker>({Hello{}, SourcePacket{packet_of(1'000'000), false}});
  FrameReader reader;
  std::vector<Frame> out;
  std::memcpy(reader.room().data(), sent.data(), 100);
  ASSERT_TRUE(reader.filled(100, out));
  EXPECT_EQ(reader.room().size(), sent.size() - 100);
}

// A byte at an offset of a message becomes another, and the reader says what it finds wrong.
template <class Message>
Error refusal(const Bytes& first, Bytes second) {
  Bytes bytes = first;
  bytes.insert(bytes.end(), second.begin(), second.end());
  const auto got = read<Message>(bytes);
  EXPECT_FALSE(got);
  return got ? Error{} : got.error();
}

TEST(Wire, AnotherVersionIsRefusedWithTheRemedy) {
  const auto newer = read<FromWorker>(written<FromWorker>({WorkerHello{kVersion + 1, "x", "y"}}));
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, Errc::unsupported);
  EXPECT_NE(newer.error().message.find("from the same build"), std::string::npos)
      << newer.error().message;
  EXPECT_EQ(read<ToWorker>(written<ToWorker>({Hello{0}})).error().code, Errc::unsupported);
}

TEST(Wire, AHelloComesFirstAndOnce) {
  EXPECT_FALSE(read<ToWorker>(written<ToWorker>({Drain{}})));
  EXPECT_FALSE(read<ToWorker>(written<ToWorker>({Hello{}, Hello{}})));
  EXPECT_FALSE(read<FromWorker>(written<FromWorker>({Drained{}})));
}

TEST(Wire, TheOtherDirectionsMessagesAreRefused) {
  const Bytes hello = written<ToWorker>({Hello{}});
  EXPECT_EQ(refusal<ToWorker>(hello, written<FromWorker>({Drained{}})).code, Errc::malformed);
  const Bytes answer = written<FromWorker>({WorkerHello{}});
  EXPECT_EQ(refusal<FromWorker>(answer, written<ToWorker>({Drain{}})).code, Errc::malformed);
}

TEST(Wire, BrokenHeadersAreRefusedBeforeTheirBodyComes) {
  const Bytes hello = written<ToWorker>({Hello{}});
  const Bytes drain = written<ToWorker>({Drain{}});
  for (const auto& [at, value] : {std::pair{0, 'k'}, {4, '\x07'}, {5, '\1'}, {7, '\1'}}) {
    Bytes bad = drain;
    bad[static_cast<std::size_t>(at)] = static_cast<std::byte>(value);
    EXPECT_EQ(refusal<ToWorker>(hello, bad).code, Errc::malformed) << at;
  }
  Bytes long_drain = drain;
  long_drain[9] = std::byte{0x10};  // one MiB of nothing
  EXPECT_EQ(refusal<ToWorker>(hello, long_drain).code, Errc::limit);
  Bytes packet = written<ToWorker>({SourcePacket{packet_of(10), false}});
  packet[8] = std::byte{0x05};  // 80 MiB
  EXPECT_EQ(refusal<ToWorker>(hello, packet).code, Errc::limit);
}

TEST(Wire, LyingFieldsAreRefused) {
  const Bytes hello = written<FromWorker>({WorkerHello{}});
  const auto track_with = [&](auto change) {
    media::Track track = *hdr_track();
    change(track);
    return refusal<FromWorker>(hello, written<FromWorker>({RungTrack{
                                          "720p", std::make_shared<const media::Track>(track)}}))
        .code;
  };
  using media::Track;
  using media::VideoFacts;
  const auto facts = [](Track& track) -> VideoFacts& { return std::get<VideoFacts>(track.facts); };
  EXPECT_EQ(track_with([](Track& t) { t.timescale = 0; }), Errc::malformed);
  EXPECT_EQ(track_with([](Track& t) { t.codec_string = "x\"\nURI="; }), Errc::malformed);
  EXPECT_EQ(track_with([](Track& t) { t.language = "de fr"; }), Errc::malformed);
  EXPECT_EQ(track_with([](Track& t) { t.codec = media::Codec::aac; }), Errc::malformed);
  EXPECT_EQ(track_with([&](Track& t) { facts(t).width = 0; }), Errc::limit);
  EXPECT_EQ(track_with([&](Track& t) { facts(t).height = 20'000; }), Errc::limit);
  EXPECT_EQ(track_with([&](Track& t) { facts(t).bit_depth = 33; }), Errc::malformed);
  EXPECT_EQ(track_with([&](Track& t) { facts(t).frame_rate = {1, 0}; }), Errc::malformed);

  EXPECT_EQ(
      refusal<FromWorker>(hello, written<FromWorker>({RungPacket{"../x", packet_of(1)}})).code,
      Errc::malformed);
  media::Packet packet = packet_of(1);
  packet.duration = {-1};
  EXPECT_EQ(refusal<FromWorker>(hello, written<FromWorker>({RungPacket{"a", packet}})).code,
            Errc::malformed);
  EXPECT_EQ(
      refusal<FromWorker>(hello, written<FromWorker>({Notice{LogLevel::info, "a b", ""}})).code,
      Errc::malformed);
  const auto anomaly_with = [&](auto change) {
    media::AnomalyEvent event = frozen();
    change(event);
    return refusal<FromWorker>(hello, written<FromWorker>({event})).code;
  };
  using media::AnomalyEvent;
  EXPECT_EQ(anomaly_with([](AnomalyEvent& e) { e.kind = media::Anomaly(4); }), Errc::malformed);
  EXPECT_EQ(anomaly_with([](AnomalyEvent& e) { e.state = media::AnomalyState(3); }),
            Errc::malformed);
  EXPECT_EQ(anomaly_with([](AnomalyEvent& e) { e.to = e.from; }), Errc::malformed);
}

TEST(Wire, LyingFieldsAboutAFileAreRefused) {
  const Bytes hello = written<FromWorker>({WorkerHello{}});
  const auto refused = [&](const FromWorker& message) {
    return refusal<FromWorker>(hello, written<FromWorker>({message})).code;
  };
  EXPECT_EQ(refused(FileOpened{"mov", kMaxFileTime + nanoseconds(1)}), Errc::malformed);
  EXPECT_EQ(refused(FileSegment{nanoseconds(-1)}), Errc::malformed);
  media::Track foreign = *hdr_track();
  foreign.codec = media::Codec::unknown;
  const auto track = std::make_shared<const media::Track>(foreign);
  EXPECT_EQ(refused(FileTrack{track, true}), Errc::malformed) << "what is not carried is published";
  EXPECT_EQ(refused(RungTrack{"720p", track}), Errc::malformed) << "a rung is always of a codec";
  const Bytes to = written<ToWorker>({Hello{}});
  for (const FileStart& start :
       {FileStart{.segment = milliseconds(0)}, FileStart{.ceiling = milliseconds(1)}})
    EXPECT_EQ(refusal<ToWorker>(to, written<ToWorker>({start})).code, Errc::malformed);
}

TEST(Wire, AMessageThatIsLongerThanItsFieldsIsRefused) {
  Bytes drain = written<ToWorker>({Drain{}});
  drain[11] = std::byte{1};
  drain.push_back(std::byte{0});
  EXPECT_EQ(refusal<ToWorker>(written<ToWorker>({Hello{}}), drain).code, Errc::malformed);
}

TEST(Wire, EveryMessageCutShortIsRefused) {
  const Bytes hello = written<ToWorker>({Hello{}});
  for (const ToWorker& message : {ToWorker(ladder()), ToWorker(SourceTrack{hdr_track()}),
                                  ToWorker(SourceTrack{sound_track()})}) {
    const Bytes good = written<ToWorker>({message});
    for (std::size_t size = kHeaderBytes; size < good.size(); ++size) {
      Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
      const std::size_t body = size - kHeaderBytes;
      cut[10] = static_cast<std::byte>(body >> 8);
      cut[11] = static_cast<std::byte>(body & 0xff);
      EXPECT_EQ(refusal<ToWorker>(hello, cut).code, Errc::malformed) << size;
    }
  }
}

TEST(Wire, WhatNoReaderWouldTakeIsNotWritten) {
  const media::Packet large = packet_of(media::kMaxPacketBytes + 1);
  EXPECT_EQ(encode(SourcePacket{large, false}).error().code, Errc::limit);
  EXPECT_EQ(encode(RungPacket{std::string(300, 'a'), packet_of(1)}).error().code, Errc::limit);
  media::Packet late = packet_of(1);
  late.pts = {kMaxTicks + 1};
  EXPECT_EQ(encode(SourcePacket{late, false}).error().code, Errc::limit);
  media::Ladder patient = ladder();
  patient.detect.black = std::chrono::hours(1);
  EXPECT_EQ(encode(patient).error().code, Errc::limit);
}

TEST(Wire, TheLargestPacketPasses) {
  const Bytes sent =
      written<ToWorker>({Hello{}, SourcePacket{packet_of(media::kMaxPacketBytes), true}});
  const auto got = read<ToWorker>(sent);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(std::get<SourcePacket>((*got)[1]).packet.payload.size(), media::kMaxPacketBytes);
}

TEST(Wire, ALongNoticeIsCut) {
  const auto got = read<FromWorker>(
      written<FromWorker>({WorkerHello{}, Notice{LogLevel::info, "a", std::string(5000, 'x')}}));
  ASSERT_TRUE(got);
  EXPECT_EQ(std::get<Notice>((*got)[1]).text.size(), kMaxProseBytes);
}

media::Image poster() {
  return {.kind = media::ImageKind::poster,
          .pts = {160'000'000'000'000},
          .timescale = 90'000,
          .width = 1280,
          .height = 720,
          .jpeg = Buffer::copy_of("\xff\xd8\xff\xe0 a picture \xff\xd9")};
}

TEST(Wire, ImagesComeThrough) {
  media::Image thumbnail = poster();
  thumbnail.kind = media::ImageKind::thumbnail;
  thumbnail.width = 320;
  thumbnail.height = 180;
  const Bytes bytes = written<FromWorker>({WorkerHello{}, poster(), thumbnail});
  for (const std::size_t step : {SIZE_MAX, std::size_t{1}}) {
    const auto messages = read<FromWorker>(bytes, step);
    ASSERT_TRUE(messages) << messages.error().message;
    ASSERT_EQ(messages->size(), 3U);
    const auto& first = std::get<media::Image>((*messages)[1]);
    EXPECT_EQ(first.kind, media::ImageKind::poster);
    EXPECT_EQ(first.pts, poster().pts);
    EXPECT_EQ(first.timescale, 90'000U);
    EXPECT_EQ(first.width, 1280U);
    EXPECT_EQ(first.height, 720U);
    EXPECT_EQ(first.jpeg.text(), poster().jpeg.text());
    EXPECT_EQ(std::get<media::Image>((*messages)[2]).kind, media::ImageKind::thumbnail);
  }
}

TEST(Wire, WhatIsNoJpegOrTooLargeIsNoImage) {
  const auto refused = [](const auto& change) {
    media::Image image = poster();
    change(image);
    return !encode(FromWorker(image));
  };
  EXPECT_TRUE(refused([](auto& image) { image.jpeg = Buffer(); }));
  EXPECT_TRUE(refused([](auto& image) { image.jpeg = Buffer::copy_of("<svg onload=...>"); }));
  EXPECT_TRUE(refused([](auto& image) { image.jpeg = image.jpeg.slice(0, 10); }));
  EXPECT_TRUE(refused([](auto& image) { image.jpeg = Buffer(Bytes(media::kMaxImageBytes + 1)); }));
  EXPECT_TRUE(refused([](auto& image) { image.width = media::kMaxImageSide + 1; }));
  EXPECT_TRUE(refused([](auto& image) { image.height = 0; }));
  EXPECT_TRUE(refused([](auto& image) { image.timescale = 0; }));
  // Whoever reads does not trust who wrote.
  Bytes bytes = written<FromWorker>({WorkerHello{}, poster()});
  bytes.back() = std::byte{0};
  const auto read_back = read<FromWorker>(bytes);
  ASSERT_FALSE(read_back);
  EXPECT_EQ(read_back.error().message, "image: an image that is no JPEG");
}

TEST(Wire, ALaddersStillsLogoAndClockComeThrough) {
  media::Ladder sent = ladder();
  sent.poster = {.enabled = false, .interval = seconds(4), .side = 640};
  sent.thumbnails = {.enabled = true, .side = 160};
  using namespace std::string_view_literals;
  sent.overlay = {.image = {},
                  .png = Buffer::copy_of("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x40\0\0\0\x20"sv),
                  .corner = media::Corner::bottom_left,
                  .height_percent = 7,
                  .margin_percent = 3,
                  .opacity_percent = 55};
  sent.clock = true;
  const auto messages = read<ToWorker>(written<ToWorker>({Hello{}, sent}));
  ASSERT_TRUE(messages) << messages.error().message;
  EXPECT_EQ(std::get<media::Ladder>(messages->at(1)), sent);
}

}  // namespace
}  // namespace kapok::wire
