// The FFmpeg engine over a transport stream file, as fast as it goes:
//   transcode_bench [--stills] <file.ts> <segment frames>
//   <name:codec:height:b/s:preset:tune[:hdr]>...
// --stills: with a poster and thumbnails as a ladder has them by itself; hdr: 10 bit, the range
// kept. Prints the frames that it decoded, the bytes of each rung and the most memory that was
// resident.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>

#include "server/picture/containers/mpegts/demuxer.hpp"
#include "transcoder/ffmpeg/engine.hpp"

namespace {

using namespace kapok;

class CountingSink final : public ladder::RungSink {
 public:
  void track(std::string_view, std::shared_ptr<const media::Track>) override {}
  void packet(std::string_view rung, media::Packet packet) override {
    const std::lock_guard lock(mutex_);
    bytes_[std::string(rung)] += packet.payload.size();
  }
  void image(media::Image image) override {
    const std::lock_guard lock(mutex_);
    bytes_[std::string(media::name_of(image.kind))] += image.jpeg.size();
  }
  void notice(LogLevel, std::string_view event, std::string_view text) override {
    std::fprintf(stderr, "%.*s: %.*s\n", static_cast<int>(event.size()), event.data(),
                 static_cast<int>(text.size()), text.data());
  }
  void anomaly(const media::AnomalyEvent&) override {}
  const std::map<std::string, std::size_t>& bytes() const { return bytes_; }

 private:
  std::mutex mutex_;
  std::map<std::string, std::size_t> bytes_;
};

media::VideoRung parse_rung(const std::string& text) {
  std::istringstream in(text);
  std::string codec;
  std::string number;
  media::VideoRung rung;
  std::getline(in, rung.name, ':');
  std::getline(in, codec, ':');
  rung.codec = codec == "hevc"  ? media::Codec::hevc
               : codec == "av1" ? media::Codec::av1
                                : media::Codec::avc;
  std::getline(in, number, ':');
  rung.height = static_cast<std::uint32_t>(std::stoul(number));
  std::getline(in, number, ':');
  rung.bit_rate = static_cast<std::uint32_t>(std::stoul(number));
  std::getline(in, rung.preset, ':');
  std::getline(in, rung.tune, ':');
  std::string range;
  if (std::getline(in, range, ':') && range == "hdr") {
    rung.range = media::RungRange::keep;
    rung.bit_depth = 10;
  }
  return rung;
}

void give(ladder::Engine& engine, const mpegts::TsDemuxer::Items& items, std::uint64_t segment,
          std::uint64_t& frames) {
  for (const auto& item : items) {
    if (const auto* track = std::get_if<std::shared_ptr<const media::Track>>(&item)) {
      if (auto taken = engine.track(*track); !taken)
        std::fprintf(stderr, "%s\n", taken.error().message.c_str());
    } else if (const auto* packet = std::get_if<std::shared_ptr<const media::Packet>>(&item)) {
      const bool starts = (*packet)->sync && frames % segment == 0;
      if (!engine.packet(**packet, starts ? ladder::SegmentStart::yes : ladder::SegmentStart::no))
        std::abort();
      ++frames;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool stills = argc > 1 && std::string_view(argv[1]) == "--stills";
  if (stills) {
    --argc;
    ++argv;
  }
  if (argc < 4) return 2;
  media::Ladder ladder;
  // The command line that it is held against makes none.
  ladder.poster.enabled = ladder.thumbnails.enabled = stills;
  ladder.name = "bench";
  for (int i = 3; i < argc; ++i) ladder.video.push_back(parse_rung(argv[i]));
  CountingSink sink;
  auto engine = ffmpeg::make_engine(ladder, {.pace = ladder::Pace::file, .threads = 0}, sink);
  if (!engine) return 1;
  std::ifstream file(argv[1], std::ios::binary);
  mpegts::TsDemuxer demuxer;
  mpegts::TsDemuxer::Items items;
  std::string chunk(std::size_t{188} * 256, '\0');
  std::uint64_t frames = 0;
  const std::uint64_t segment = std::stoul(argv[2]);
  while (file.read(chunk.data(), static_cast<std::streamsize>(chunk.size())) || file.gcount() > 0) {
    const auto size = static_cast<std::size_t>(file.gcount());
    items.clear();
    if (!demuxer.push(MonoTime{}, as_bytes(std::string_view(chunk).substr(0, size)), items))
      return 1;
    give(**engine, items, segment, frames);
  }
  items.clear();
  demuxer.finish(items);
  give(**engine, items, segment, frames);
  (*engine)->drain();
  std::printf("frames %llu\n", static_cast<unsigned long long>((*engine)->stats().decoded));
  for (const auto& [rung, bytes] : sink.bytes()) std::printf("%s %zu\n", rung.c_str(), bytes);
  // [proc(5)] VmHWM, "resident set size high water mark", in kB.
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) std::printf("%s\n", line.c_str());
  return 0;
}
