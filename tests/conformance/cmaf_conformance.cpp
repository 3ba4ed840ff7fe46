// Packets of real encoders go through Kapok's readers and its CMAF writer, and what comes out must
// be the same to ffprobe and to FFmpeg's decoders as what FFmpeg's own muxer wrote. Every case
// leaves <case>.mp4 and <case>.json (what mp4box.js is to find in it) in KAPOK_CONFORMANCE_DIR.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "server/base/crypto.hpp"
#include "server/media/describe.hpp"
#include "server/picture/containers/cmaf/box_reader.hpp"
#include "server/picture/containers/cmaf/chunk.hpp"
#include "server/picture/containers/cmaf/init.hpp"
#include "tests/conformance/programs.hpp"

namespace kapok::cmaf {
namespace {

namespace fs = std::filesystem;
using conformance::read_file;
using conformance::run;
using media::Codec;
using media::Track;

struct Case {
  std::string name;
  Codec codec;
  std::string arguments;     // of ffmpeg, from the input to the encoder's options
  std::string codec_string;  // expected of describe_track
  media::DynamicRange range = media::DynamicRange::sdr;
};
void PrintTo(const Case& test, std::ostream* out) {
  *out << test.name;
}

const std::string kPicture = "-f lavfi -i testsrc2=s=320x180:r=50 -frames:v 60 ";
const std::string kTone = "-f lavfi -i sine=440:r=48000 -t 1 ";

std::vector<Case> cases() {
  const std::string x265 =
      "-c:v libx265 -preset ultrafast -tag:v hvc1 -bf 2 -x265-params "
      "log-level=none:keyint=25:open-gop=0:repeat-headers=1";
  return {
      {"avc-reordered", Codec::avc,
       kPicture + "-c:v libx264 -preset veryfast -g 25 -bf 3 -pix_fmt yuv420p -colorspace bt709 "
                  "-color_primaries bt709 -color_trc bt709",
       "avc1.640015"},
      {"avc-cropped-1080", Codec::avc,
       "-f lavfi -i testsrc2=s=1920x1080:r=50 -frames:v 12 -c:v libx264 -preset ultrafast "
       "-pix_fmt yuv420p",
       "avc1.42c02a"},
      {"avc-interlaced", Codec::avc,
       "-f lavfi -i testsrc2=s=720x576:r=25 -frames:v 25 -c:v libx264 -preset veryfast -flags "
       "+ildct+ilme -aspect 16:9 -pix_fmt yuv420p -g 12",
       "avc1.64001e"},
      {"hevc-hdr10", Codec::hevc,
       kPicture + "-pix_fmt yuv420p10le " + x265 +
           ":hdr10=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:master-display="
           "'G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)':max-cll=1000,"
           "400",
       "hvc1.2.4.L60.90", media::DynamicRange::pq},
      {"hevc-hlg", Codec::hevc,
       kPicture + "-pix_fmt yuv420p10le " + x265 +
           ":colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc",
       "hvc1.2.4.L60.90", media::DynamicRange::hlg},
      {"hevc-hlg-alternative", Codec::hevc,
       kPicture + "-pix_fmt yuv420p10le " + x265 +
           ":colorprim=bt2020:transfer=bt2020-10:colormatrix=bt2020nc:atc-sei=18",
       "hvc1.2.4.L60.90", media::DynamicRange::hlg},
      {"hevc-sdr", Codec::hevc, kPicture + "-pix_fmt yuv420p " + x265, "hvc1.1.6.L60.90"},
      {"av1-hdr10", Codec::av1,
       kPicture + "-c:v libsvtav1 -preset 12 -g 25 -pix_fmt yuv420p10le -color_primaries bt2020 "
                  "-color_trc smpte2084 -colorspace bt2020nc -svtav1-params "
                  "'mastering-display=G(0.265,0.69)B(0.15,0.06)R(0.68,0.32)WP(0.3127,0.329)"
                  "L(1000,0.005):content-light=1000,400'",
       "av01.0.00M.10.0.110.09.16.09.0", media::DynamicRange::pq},
      {"av1-sdr", Codec::av1, kPicture + "-c:v libsvtav1 -preset 12 -g 25 -pix_fmt yuv420p",
       "av01.0.00M.08"},
      {"aac", Codec::aac, kTone + "-c:a aac -ac 2", "mp4a.40.2"},
      {"aac-surround", Codec::aac, kTone + "-c:a aac -ac 6", "mp4a.40.2"},
      {"opus", Codec::opus, kTone + "-c:a libopus -ac 2", "opus"},
      {"opus-surround", Codec::opus, kTone + "-c:a libopus -ac 6 -mapping_family 1", "opus"},
      {"ac3", Codec::ac3, kTone + "-c:a ac3 -ac 6", "ac-3"},
      {"ac3-stereo-32k", Codec::ac3, kTone + "-c:a ac3 -ac 2 -ar 32000", "ac-3"},
      {"eac3", Codec::eac3, kTone + "-c:a eac3 -ac 6", "ec-3"},
      {"flac", Codec::flac, kTone + "-c:a flac -ac 2 -strict -2", "flac"},
      {"flac-96k", Codec::flac, kTone + "-c:a flac -ac 2 -ar 96000 -strict -2", "flac"},
      {"mp3", Codec::mp3, kTone + "-c:a libmp3lame -ac 2", "mp4a.6B"},
  };
}

void write_file(const fs::path& path, ByteSpan bytes) {
  std::ofstream(path, std::ios::binary)
      .write(as_text(bytes).data(), static_cast<std::streamsize>(bytes.size()));
}

struct Material {
  std::shared_ptr<const Track> track;
  std::vector<Sample> samples;
};

// Times as a packager sees them: dts never after pts (FFmpeg's cmaf flag made offsets negative),
// and channel time: it is 2026, not 1970.
void move_to_channel_time(Material& material) {
  std::int64_t reorder = 0;
  for (const Sample& sample : material.samples)
    reorder = std::max(reorder, (sample.dts - sample.pts).count);
  const media::Ticks start{std::int64_t{1'790'000'000} * material.track->timescale};
  for (Sample& sample : material.samples) {
    sample.dts += start - media::Ticks{reorder};
    sample.pts += start;
  }
}

// "pts size flags" a packet, as ffprobe sees a file and as the samples say themselves.
std::string packets_of(const std::string& path) {
  return run("ffprobe -v error -show_entries packet=pts,size,flags -of csv=p=0 " + path);
}
std::string packets_of(const std::vector<Sample>& samples) {
  std::string out;
  for (const Sample& sample : samples)
    out += fmt::format("{},{},{}\n", sample.pts.count, sample.payload.size(),
                       sample.sync ? "K_" : "__");
  return out;
}

// Reads a fragmented file of FFmpeg's with our own readers.
Material read_material(const fs::path& path, Codec codec) {
  const Buffer file(read_file(path));
  Material material;
  std::size_t media_start = 0;
  const auto boxes = read_boxes(file.bytes()).value();
  for (const BoxView& box : boxes) {
    media_start = box.offset + box.size;
    if (box.type == "moov") break;
  }
  const Scan scan = find_chunks(file.bytes().subspan(media_start));
  for (const ChunkView& chunk : scan.chunks) {
    std::size_t at = media_start + chunk.payload_offset;
    media::Ticks dts = chunk.start;
    for (const SampleView& view : chunk.samples) {
      material.samples.push_back({dts,
                                  dts + media::Ticks{view.composition_offset},
                                  {view.duration},
                                  view.sync(),
                                  file.slice(at, view.size)});
      at += view.size;
      dts += media::Ticks{view.duration};
    }
  }
  if (material.samples.empty()) return material;
  const ByteSpan first = material.samples.front().payload.bytes();
  if (codec == Codec::mp3) {  // our own init reader has no use for it
    material.track =
        media::describe_track_from_frame(
            {.id = 1, .codec = codec, .timescale = 48000, .config = {}, .language = ""}, first)
            .value();
  } else {
    auto track = read_init(file.slice(0, media_start), 1);
    EXPECT_TRUE(track) << track.error().message;
    if (track) material.track = media::enriched(*track, first);
  }
  return material;
}

// Parts of at most ten samples, segments at every fifth part or sync packet.
Bytes repackage(const Material& material, media::Ticks shift) {
  Bytes out = write_init(*material.track);
  const std::vector<Sample>& samples = material.samples;
  const bool video = material.track->kind == media::TrackKind::video;
  std::uint32_t sequence = 0;
  for (std::size_t from = 0; from < samples.size();) {
    std::size_t to = from + 1;
    while (to < samples.size() && to - from < 10 && !(video && samples[to].sync)) ++to;
    ChunkSpec spec;
    spec.sequence = ++sequence;
    spec.decode_shift = shift;
    const bool opens = video ? samples[from].sync : sequence % 5 == 1;
    spec.place = opens ? ChunkPlace::opens_segment : ChunkPlace::inside_segment;
    if (opens)
      spec.producer_time = ProducerTime{UtcTime(seconds(1'790'000'000)), samples[from].pts};
    const Chunk chunk = write_chunk(spec, std::span(samples).subspan(from, to - from));
    out.insert(out.end(), chunk.head.begin(), chunk.head.end());
    for (const Buffer& sample : chunk.samples)
      out.insert(out.end(), sample.bytes().begin(), sample.bytes().end());
    from = to;
  }
  return out;
}

class Conformance : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const char* chosen = std::getenv("KAPOK_CONFORMANCE_DIR");
    folder_ = chosen != nullptr ? fs::path(chosen) : fs::temp_directory_path() / "kapok_cmaf";
    fs::create_directories(folder_);
    setenv("SVT_LOG", "1", 1);  // errors only
  }
  // What boxes.mjs is to find.
  void write_expectation(const std::string& suffix, const Material& material,
                         std::int64_t shift) const {
    const Track& track = *material.track;
    const Sample& first = material.samples.front();
    const auto* video = track.video();
    const auto* audio = track.audio();
    std::ofstream(file(suffix)) << fmt::format(
        R"({{"codec":"{}","samples":{},"timescale":{},"first_pts":{},"first_tfdt":{},"width":{},)"
        R"("height":{},"rate":{},"channels":{},"mastering":{},"light":{}}})",
        track.codec_string, material.samples.size(), track.timescale, first.pts.count,
        first.dts.count + shift, video ? video->width : 0, video ? video->height : 0,
        audio ? audio->sample_rate : 0, audio ? audio->channels : 0,
        video && video->mastering.has_value(), video && video->light.has_value());
  }
  fs::path file(const std::string& suffix) const { return folder_ / (GetParam().name + suffix); }

 private:
  fs::path folder_;
};

TEST_P(Conformance, OtherProgramsFindWhatTheEncoderMade) {
  const Case& test = GetParam();
  const std::string source = file(".source.mp4").string();
  const std::string reference = file(".reference.mp4").string();
  const std::string ours = file(".mp4").string();
  ASSERT_EQ(run("ffmpeg -v error -nostdin -y " + test.arguments + " " + source), "");
  // The offset keeps decode times positive, where FFmpeg would wrap them.
  ASSERT_EQ(run("ffmpeg -v error -nostdin -y -i " + source +
                " -c copy -strict -2 -output_ts_offset 10 -movflags "
                "cmaf+delay_moov+empty_moov+default_base_moof+frag_keyframe+skip_trailer "
                "-frag_duration 300000 " +
                reference),
            "");
  Material material = read_material(reference, test.codec);
  ASSERT_TRUE(material.track);
  EXPECT_EQ(material.track->codec_string, test.codec_string);
  if (const auto* video = material.track->video())
    EXPECT_EQ(media::dynamic_range_of(video->colour), test.range);
  for (const Sample& sample : material.samples)
    EXPECT_EQ(media::is_sync(*material.track, sample.payload.bytes()), sample.sync)
        << "at dts " << sample.dts.count;
  if (test.codec == Codec::ac3 || test.codec == Codec::eac3) {
    const auto made = media::describe_track_from_frame(
        {.id = 1, .codec = test.codec, .timescale = 48000, .config = {}, .language = ""},
        material.samples.front().payload.bytes());
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(to_hex((*made)->config.bytes()), to_hex(material.track->config.bytes()));
    EXPECT_EQ(*(*made)->audio(), *material.track->audio());
  }

  move_to_channel_time(material);
  write_file(ours, repackage(material, {}));

  // The alternative transfer SEI is folded into colr, which FFmpeg 5.1 does not know of.
  const bool folded = test.name == "hevc-hlg-alternative";
  const std::string stream =
      "ffprobe -v error -show_entries stream=codec_name,codec_tag_string,profile,level,width,"
      "height,pix_fmt,sample_aspect_ratio,color_range,color_space,color_primaries," +
      std::string(folded ? "" : "color_transfer,") +
      (test.codec == Codec::avc ? "field_order," : "") +  // of HEVC only in QuickTime's fiel box
      "r_frame_rate,sample_rate,channels,channel_layout -of default=nw=1 ";
  EXPECT_EQ(run(stream + ours), run(stream + source));
  // To the tick: were it not so, video and audio would part in players built on FFmpeg.
  EXPECT_EQ(packets_of(ours), packets_of(material.samples));
  // Decoded, frame by frame.
  const auto decoded = [&](const std::string& path) {
    return run("ffmpeg -v error -nostdin -i " + path + " -map 0:0 -f framemd5 - | grep -v '^#'");
  };
  EXPECT_EQ(decoded(ours), decoded(reference));

  write_expectation(".json", material, 0);
  const media::Ticks reorder = material.samples.front().pts - material.samples.front().dts;
  if (reorder == media::Ticks{}) return;
  const std::string strict = file("-strict.mp4").string();
  write_file(strict, repackage(material, reorder));
  EXPECT_EQ(decoded(strict), decoded(reference));
  write_expectation("-strict.json", material, reorder.count);
}

TEST_P(Conformance, Hdr10MetadataIsFound) {
  if (GetParam().name != "hevc-hdr10" && GetParam().name != "av1-hdr10") return;
  const std::string found =
      run("ffprobe -v error -show_entries stream_side_data -of "
          "default=nw=1:nk=1 " +
          file(".mp4").string());
  EXPECT_NE(found.find("Mastering display metadata\n34000/50000\n16000/50000\n13250/50000\n"
                       "34500/50000\n7500/50000\n3000/50000\n15635/50000\n16450/50000\n"
                       "50/10000\n10000000/10000\n"),
            std::string::npos)
      << found;
  EXPECT_NE(found.find("Content light level metadata\n1000\n400\n"), std::string::npos) << found;
}

INSTANTIATE_TEST_SUITE_P(Cmaf, Conformance, testing::ValuesIn(cases()), [](const auto& info) {
  std::string name = info.param.name;
  for (char& c : name)
    if (c == '-') c = '_';
  return name;
});

}  // namespace
}  // namespace kapok::cmaf
