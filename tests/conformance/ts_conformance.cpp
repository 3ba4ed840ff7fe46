// Transport streams that FFmpeg wrote go through Kapok's demultiplexer, and what its multiplexer
// makes of them goes back: packets must be the same to ffprobe as to us, in both directions, and
// FFmpeg and GStreamer must decode ours without a word of complaint.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "server/picture/containers/mpegts/demuxer.hpp"
#include "server/picture/containers/mpegts/muxer.hpp"
#include "tests/conformance/gstreamer_demuxer.hpp"
#include "tests/conformance/programs.hpp"

namespace kapok::mpegts {
namespace {

namespace fs = std::filesystem;
using conformance::read_file;
using conformance::run;
using media::Codec;

// Between the times in a stream ffprobe adds frame lengths rounded down to ticks of 90 kHz; we
// count samples.
constexpr std::int64_t kRounding = 6;

struct Case {
  std::string name;
  std::string arguments;  // of ffmpeg, all but the output's name
};
void PrintTo(const Case& test, std::ostream* out) {
  *out << test.name;
}

const std::string kPicture = "-f lavfi -i testsrc2=s=320x180:r=50 -frames:v 100 ";
const std::string kTone = "-f lavfi -i sine=440:r=48000 -t 2 ";
const std::string kX264 = "-c:v libx264 -preset veryfast -g 25 -bf 3 -pix_fmt yuv420p ";
const std::string kX265 =
    "-c:v libx265 -preset ultrafast -bf 2 -pix_fmt yuv420p10le -x265-params "
    "log-level=none:keyint=25:open-gop=0:repeat-headers=1 ";

std::vector<Case> cases() {
  return {
      {"avc-reordered", kPicture + kX264},
      {"avc-slices", kPicture + kX264 + "-slices 4 "},
      {"avc-interlaced",
       "-f lavfi -i testsrc2=s=720x576:r=25 -frames:v 25 -c:v libx264 -preset veryfast -flags "
       "+ildct+ilme -pix_fmt yuv420p -g 12 "},
      {"avc-two-languages",
       "-f lavfi -i testsrc2=s=320x180:r=50 -f lavfi -i sine=440:r=48000 -f lavfi -i "
       "sine=880:r=44100 -map 0 -map 1 -map 2 -t 2 -c:a aac -metadata:s:a:0 language=chi "
       "-metadata:s:a:1 language=eng " +
           kX264},
      {"avc-59.94", "-f lavfi -i testsrc2=s=320x180:r=60000/1001 -frames:v 90 " + kX264},
      {"avc-wrap", kPicture + kX264 + "-output_ts_offset 95442.7 "},
      {"hevc", kPicture + kX265},
      {"hevc-slices", kPicture + "-c:v libx265 -preset ultrafast -x265-params "
                                 "log-level=none:keyint=25:open-gop=0:slices=4:repeat-headers=1 "},
      {"aac", kTone + "-c:a aac -ac 2 "},
      {"aac-surround-44k", "-f lavfi -i sine=440:r=44100 -t 2 -c:a aac -ac 6 "},
      {"latm", kTone + "-c:a aac -mpegts_flags latm "},
      {"ac3", kTone + "-c:a ac3 -ac 6 "},
      {"ac3-dvb-44k", "-f lavfi -i sine=440:r=44100 -t 2 -c:a ac3 -mpegts_flags system_b "},
      {"eac3", kTone + "-c:a eac3 -ac 6 "},
      {"eac3-dvb", kTone + "-c:a eac3 -ac 2 -mpegts_flags system_b "},
      {"mp2", kTone + "-c:a mp2 "},
      {"opus", kTone + "-c:a libopus -ac 2 "},
      {"opus-surround", kTone + "-c:a libopus -ac 6 -mapping_family 1 "},
  };
}

struct Seen {
  std::int64_t pts = 0;  // 90 kHz
  std::int64_t dts = 0;
  bool sync = false;
  Bytes bytes;
};
struct Stream {
  std::string codec;
  std::string language;
  std::vector<Seen> packets;
};
using Streams = std::map<unsigned, Stream>;  // by PID

// What ffprobe and ffmpeg see, packets as raw bytes.
Streams probe(const fs::path& file) {
  Streams streams;
  std::vector<unsigned> pids;
  std::istringstream lines(
      run("ffprobe -v error -show_entries stream=id,codec_name:stream_tags=language -of "
          "compact=p=0 " +
          file.string()));
  for (std::string line; std::getline(lines, line);) {
    Stream stream;
    unsigned pid = 0;
    std::istringstream fields(line);
    for (std::string field; std::getline(fields, field, '|');) {
      const std::string value = field.substr(field.find('=') + 1);
      if (field.starts_with("codec_name=")) stream.codec = value;
      if (field.starts_with("id=")) pid = static_cast<unsigned>(std::stoul(value, nullptr, 16));
      if (field.starts_with("tag:language=")) stream.language = value;
    }
    if (pid == 0 || streams.contains(pid)) continue;
    streams[pid] = stream;
    pids.push_back(pid);
  }
  for (std::size_t i = 0; i < pids.size(); ++i) {
    Stream& stream = streams[pids[i]];
    const fs::path raw = file.string() + ".raw";
    run(fmt::format("ffmpeg -v error -y -i {} -map 0:{} -c copy -copyts -f data {}", file.string(),
                    i, raw.string()));
    const Bytes bytes = read_file(raw);
    std::size_t at = 0;
    std::istringstream packets(
        run(fmt::format("ffprobe -v error -select_streams {} -show_entries "
                        "packet=pts,dts,size,flags -of csv=p=0 {}",
                        i, file.string())));
    for (std::string line; std::getline(packets, line);) {
      long pts = 0;
      long dts = 0;
      unsigned long size = 0;
      char key = 0;
      if (std::sscanf(line.c_str(), "%ld,%ld,%lu,%c", &pts, &dts, &size, &key) != 4) continue;
      const ByteSpan all(bytes);
      if (at + size > all.size()) break;
      const ByteSpan part = all.subspan(at, size);
      stream.packets.push_back({pts, dts, key == 'K', Bytes(part.begin(), part.end())});
      at += size;
    }
  }
  return streams;
}

// Byte stream to mdat form, the plain way.
Bytes in_mdat_form(ByteSpan unit, bool is_avc) {
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i + 3 <= unit.size(); ++i)
    if (unit[i] == std::byte{0} && unit[i + 1] == std::byte{0} && unit[i + 2] == std::byte{1})
      starts.push_back(i + 3);
  Bytes bytes;
  ByteWriter out(bytes);
  for (std::size_t n = 0; n < starts.size(); ++n) {
    std::size_t end = n + 1 < starts.size() ? starts[n + 1] - 3 : unit.size();
    while (end > starts[n] && unit[end - 1] == std::byte{0}) --end;
    const ByteSpan nal = unit.subspan(starts[n], end - starts[n]);
    const unsigned first = std::to_integer<unsigned>(nal[0]);
    const unsigned type = is_avc ? first & 0x1f : first >> 1 & 0x3f;
    if (is_avc ? type == 7 || type == 8 || type == 9 || type == 12
               : (type >= 32 && type <= 35) || type == 38)
      continue;
    out.u32(static_cast<std::uint32_t>(nal.size()));
    out.bytes(nal);
  }
  return bytes;
}

Bytes as_we_should(const std::string& codec, const Bytes& bytes) {
  if (codec == "h264" || codec == "hevc") return in_mdat_form(bytes, codec == "h264");
  if (codec == "aac") return Bytes(bytes.begin() + 7, bytes.end());
  return bytes;
}

struct Ours {
  std::vector<media::FeedItem> items;
  std::map<unsigned, std::shared_ptr<const media::Track>> tracks;
  std::map<unsigned, std::vector<std::shared_ptr<const media::Packet>>> packets;
  TsStats stats;
  std::vector<std::string> notices;
};

Ours demux(const Bytes& file) {
  Ours ours;
  TsDemuxer demuxer;
  constexpr std::size_t kStep = 1316;
  for (std::size_t at = 0; at < file.size(); at += kStep) {
    const ByteSpan part = ByteSpan(file).subspan(at, std::min(kStep, file.size() - at));
    EXPECT_TRUE(demuxer.push(MonoTime{}, part, ours.items));
  }
  demuxer.finish(ours.items);
  for (const auto& item : ours.items) {
    if (const auto* track = std::get_if<std::shared_ptr<const media::Track>>(&item))
      ours.tracks[(*track)->id] = *track;
    if (const auto* packet = std::get_if<std::shared_ptr<const media::Packet>>(&item))
      ours.packets[(*packet)->track].push_back(*packet);
  }
  ours.stats = demuxer.stats();
  ours.notices = demuxer.take_notices();
  return ours;
}

std::int64_t in_90k(media::Ticks time, const media::Track& track) {
  return media::rescale(time, track.timescale, kClockRate).count;
}

// ffprobe takes 2^33 off when a stream starts just before the wrap.
std::int64_t modulo(std::int64_t time) {
  constexpr std::int64_t kWrap = std::int64_t{1} << kClockBits;
  return ((time % kWrap) + kWrap) % kWrap;
}

fs::path folder() {
  const char* named = std::getenv("KAPOK_CONFORMANCE_DIR");
  fs::path path = named != nullptr ? named : fs::temp_directory_path() / "kapok-ts";
  fs::create_directories(path);
  return path;
}

class Ts : public testing::TestWithParam<Case> {
 protected:
  fs::path made() {
    const fs::path file = folder() / (GetParam().name + ".ts");
    const std::string said =
        run("ffmpeg -v error -y " + GetParam().arguments + "-f mpegts " + file.string());
    EXPECT_EQ(said, "");
    return file;
  }
};

TEST_P(Ts, PacketsAreThoseOfFfprobe) {
  const fs::path file = made();
  const Streams expected = probe(file);
  const Ours ours = demux(read_file(file));
  ASSERT_FALSE(expected.empty());
  EXPECT_EQ(ours.tracks.size(), expected.size());
  EXPECT_EQ(ours.stats.continuity_errors, 0u);
  EXPECT_EQ(ours.stats.damaged_units, 0u);
  EXPECT_EQ(ours.stats.discontinuities, 0u);
  EXPECT_TRUE(ours.notices.empty()) << ours.notices.front();
  for (const auto& [pid, stream] : expected) {
    SCOPED_TRACE(fmt::format("PID {} {}", pid, stream.codec));
    ASSERT_TRUE(ours.tracks.contains(pid));
    const media::Track& track = *ours.tracks.at(pid);
    const auto& packets = ours.packets.at(pid);
    const bool is_video = track.video() != nullptr;
    if (track.codec == Codec::mp2) {  // whole PES packets: the same bytes in other pieces
      Bytes all;
      for (const auto& packet : packets) {
        const ByteSpan bytes = packet->payload.bytes();
        all.insert(all.end(), bytes.begin(), bytes.end());
      }
      Bytes wanted;
      for (const Seen& seen : stream.packets)
        wanted.insert(wanted.end(), seen.bytes.begin(), seen.bytes.end());
      EXPECT_TRUE(all == wanted);
      EXPECT_EQ(packets.front()->pts.count, stream.packets.front().pts);
      continue;
    }
    ASSERT_EQ(packets.size(), stream.packets.size());
    for (std::size_t i = 0; i < packets.size(); ++i) {
      SCOPED_TRACE(fmt::format("packet {}", i));
      const media::Packet& packet = *packets[i];
      const Seen& seen = stream.packets[i];
      if (is_video) {
        EXPECT_EQ(modulo(packet.pts.count), modulo(seen.pts));
        EXPECT_EQ(modulo(packet.dts.count), modulo(seen.dts));
        EXPECT_EQ(packet.sync, seen.sync);
      } else {
        EXPECT_LE(std::abs(in_90k(packet.pts, track) - seen.pts), kRounding);
      }
      if (stream.codec != "aac_latm")
        ASSERT_TRUE(
            std::ranges::equal(packet.payload.bytes(), as_we_should(stream.codec, seen.bytes)));
    }
  }
}

// Its silence about ours means something.
TEST(Gstreamer, ComplainsOfAStreamWithAHole) {
  const fs::path whole = folder() / "whole.ts";
  ASSERT_EQ(run("ffmpeg -v error -y " + kPicture + kX264 + whole.string()), "");
  EXPECT_EQ(conformance::gstreamer_says(whole), "");
  Bytes bytes = read_file(whole);
  const auto at = static_cast<std::ptrdiff_t>(bytes.size() / kPacketBytes / 2 * kPacketBytes);
  bytes.erase(bytes.begin() + at, bytes.begin() + at + kPacketBytes);
  const fs::path holed = folder() / "holed.ts";
  std::ofstream(holed, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  EXPECT_NE(conformance::gstreamer_says(holed), "");
}

TEST_P(Ts, OurStreamIsTheSameToFfprobeAndDecodesSilently) {
  const fs::path file = made();
  const Ours ours = demux(read_file(file));
  TsMuxer muxer;
  const fs::path again = folder() / (GetParam().name + "-kapok.ts");
  {
    std::ofstream out(again, std::ios::binary);
    for (const auto& item : ours.items) {
      muxer.write(item);
      for (const TsBlock& block : muxer.take()) {
        EXPECT_EQ(block.bytes.size() % kPacketBytes, 0u);
        out.write(block.bytes.text().data(), static_cast<std::streamsize>(block.bytes.size()));
      }
    }
  }
  EXPECT_TRUE(muxer.take_notices().empty());
  EXPECT_EQ(run("ffmpeg -v warning -i " + again.string() + " -map 0 -f null -"), "");
  EXPECT_EQ(conformance::gstreamer_says(again), "");
  const Streams before = probe(file);
  const Streams after = probe(again);
  ASSERT_EQ(after.size(), before.size());
  for (const auto& [pid, stream] : before) {
    SCOPED_TRACE(fmt::format("PID {} {}", pid, stream.codec));
    ASSERT_TRUE(after.contains(pid));
    const Stream& other = after.at(pid);
    EXPECT_EQ(other.codec, stream.codec == "aac_latm" ? "aac" : stream.codec);
    const bool chinese = stream.language == "chi";  // the two codes that ISO 639-2 has for it
    EXPECT_EQ(other.language, chinese ? "zho" : stream.language);
    ASSERT_EQ(other.packets.size(), stream.packets.size());
    for (std::size_t i = 0; i < other.packets.size(); ++i) {
      SCOPED_TRACE(fmt::format("packet {}", i));
      EXPECT_LE(std::abs(other.packets[i].pts - stream.packets[i].pts), kRounding);
      EXPECT_LE(std::abs(other.packets[i].dts - stream.packets[i].dts), kRounding);
      EXPECT_EQ(other.packets[i].sync, stream.packets[i].sync);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Conformance, Ts, testing::ValuesIn(cases()), [](const auto& made) {
  std::string name = made.param.name;
  std::ranges::replace_if(name, [](char c) { return c == '-' || c == '.'; }, '_');
  return name;
});

struct HdrCase {
  std::string name;
  std::string transfer;  // as x265 and ffprobe call it
  std::string more;      // x265 parameters
  media::DynamicRange range;
};
void PrintTo(const HdrCase& test, std::ostream* out) {
  *out << test.name;
}

class TsHdr : public testing::TestWithParam<HdrCase> {};

// What x265 was told to write is what the track says before the first packet, and what FFmpeg
// reads from the stream that we make of it.
TEST_P(TsHdr, IsReportedAndKept) {
  const char* named = std::getenv("KAPOK_CONFORMANCE_DIR");
  const fs::path folder = named != nullptr ? named : fs::temp_directory_path() / "kapok-ts";
  fs::create_directories(folder);
  const fs::path file = folder / (GetParam().name + ".ts");
  ASSERT_EQ(run("ffmpeg -v error -y " + kPicture +
                "-c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -x265-params '"
                "log-level=none:keyint=25:open-gop=0:repeat-headers=1:colorprim=bt2020:"
                "colormatrix=bt2020nc:transfer=" +
                GetParam().transfer + GetParam().more + "' -f mpegts " + file.string()),
            "");
  const Ours ours = demux(read_file(file));
  ASSERT_EQ(ours.tracks.size(), 1u);
  const media::VideoFacts* video = ours.tracks.begin()->second->video();
  ASSERT_NE(video, nullptr);
  EXPECT_EQ(video->bit_depth, 10);
  EXPECT_EQ(media::dynamic_range_of(video->colour), GetParam().range);
  if (GetParam().range == media::DynamicRange::pq) {
    ASSERT_TRUE(video->mastering);
    EXPECT_EQ(video->mastering->max_luminance, 10'000'000u);
    EXPECT_EQ(video->mastering->min_luminance, 50u);
    EXPECT_EQ(video->mastering->white_x, 15635u);
    EXPECT_EQ(video->mastering->primaries_x[0], 8500u);
    ASSERT_TRUE(video->light);
    EXPECT_EQ(video->light->max_content, 1000u);
    EXPECT_EQ(video->light->max_frame_average, 400u);
  } else {
    EXPECT_FALSE(video->mastering);
    EXPECT_FALSE(video->light);
  }
  TsMuxer muxer;
  const fs::path again = folder / (GetParam().name + "-kapok.ts");
  {
    std::ofstream out(again, std::ios::binary);
    for (const auto& item : ours.items) {
      muxer.write(item);
      for (const TsBlock& block : muxer.take())
        out.write(block.bytes.text().data(), static_cast<std::streamsize>(block.bytes.size()));
    }
  }
  const std::string seen =
      run("ffprobe -v error -show_streams -show_frames -read_intervals %+#1 -of flat " +
          again.string());
  EXPECT_NE(seen.find("color_transfer=\"" + GetParam().transfer + "\""), std::string::npos) << seen;
  EXPECT_NE(seen.find("color_primaries=\"bt2020\""), std::string::npos) << seen;
  EXPECT_EQ(seen.find("max_content=1000") != std::string::npos,
            GetParam().range == media::DynamicRange::pq)
      << seen;
}

INSTANTIATE_TEST_SUITE_P(
    Ranges, TsHdr,
    testing::Values(
        HdrCase{"hdr10", "smpte2084",
                ":max-cll=1000,400:master-display=G(8500,39850)B(6550,2300)R(35400,14600)"
                "WP(15635,16450)L(10000000,50)",
                media::DynamicRange::pq},
        HdrCase{"hlg", "arib-std-b67", "", media::DynamicRange::hlg}));

}  // namespace
}  // namespace kapok::mpegts
