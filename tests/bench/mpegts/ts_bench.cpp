// What the demultiplexer and the multiplexer of MPEG-TS cost, in CPU time of one thread, for HEVC
// at 120 Mb/s (8K50): four slices a picture, start codes of three and four bytes, SRT's messages of
// 1316 bytes. The payload is noise, as coded pictures are.
#include <fmt/format.h>
#include <time.h>

#include <random>

#include "server/base/crypto.hpp"
#include "server/media/describe.hpp"
#include "server/picture/containers/mpegts/demuxer.hpp"
#include "server/picture/containers/mpegts/muxer.hpp"

using namespace kapok;

namespace {

constexpr std::size_t kPictureBytes = 300'000;
constexpr int kPictures = 200;  // 4 s
constexpr int kSlices = 4;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// hvcC of x265 for 3840x2160, 10 bits.
constexpr std::string_view kRecord =
    "0102200000009000000000003cf000fcfdfafa00000f03a00001001840010c01ffff02200000030090000003000003"
    "003c959409a10001002d42010102200000030090000003000003003ca00a080c1f3b6595952930bc05a84870482000"
    "0003002000000641a2000100064401c073c189";

Buffer picture(bool sync, std::mt19937& random) {
  Bytes bytes;
  ByteWriter out(bytes);
  constexpr std::size_t kSlice = kPictureBytes / kSlices;
  for (int slice = 0; slice < kSlices; ++slice) {
    out.u32(kSlice);
    out.u16(sync ? 0x2601 : 0x0201);
    out.u8(slice == 0 ? 0x80 : 0x40);
    for (std::size_t i = 3; i < kSlice; ++i) out.u8(static_cast<std::uint8_t>(random() % 255 + 1));
  }
  return Buffer(std::move(bytes));
}

void report(std::string_view what, double seconds, std::size_t bytes) {
  const double mbits = static_cast<double>(bytes) * 8 / 1e6;
  fmt::print("{}: {:.0f} Mb/s per core, {:.3f} % of a core per 25 Mb/s\n", what, mbits / seconds,
             100 * 25 / (mbits / seconds));
}

}  // namespace

int main() {
  const auto track = media::describe_track({.id = 0x100,
                                            .codec = media::Codec::hevc,
                                            .timescale = 90'000,
                                            .config = Buffer(from_hex(kRecord).value()),
                                            .language = ""});
  if (!track) return 1;
  std::mt19937 random(1);
  std::vector<media::FeedItem> items{*track};
  for (int i = 0; i < kPictures; ++i) {
    media::Packet packet;
    packet.track = 0x100;
    packet.dts = packet.pts = {90'000 + i * 1'800};
    packet.sync = i % 50 == 0;
    packet.payload = picture(packet.sync, random);
    items.emplace_back(std::make_shared<const media::Packet>(std::move(packet)));
  }
  mpegts::TsMuxer muxer;
  std::vector<mpegts::TsBlock> blocks;
  double start = cpu_seconds();
  for (const auto& item : items) {
    muxer.write(item);
    for (auto& block : muxer.take()) blocks.push_back(std::move(block));
  }
  const double muxing = cpu_seconds() - start;
  Bytes stream;
  for (const auto& block : blocks)
    stream.insert(stream.end(), block.bytes.bytes().begin(), block.bytes.bytes().end());
  report("multiplexer", muxing, stream.size());

  mpegts::TsDemuxer demuxer;
  std::vector<media::FeedItem> out;
  std::size_t packets = 0;
  start = cpu_seconds();
  for (std::size_t at = 0; at < stream.size(); at += mpegts::kMessageBytes) {
    const std::size_t size = std::min(mpegts::kMessageBytes, stream.size() - at);
    if (!demuxer.push(MonoTime{}, ByteSpan(stream).subspan(at, size), out)) return 1;
    packets += out.size();
    out.clear();  // as a channel that has written them
  }
  demuxer.finish(out);
  packets += out.size();
  const double demuxing = cpu_seconds() - start;
  if (packets != kPictures + 1 || demuxer.stats().continuity_errors != 0) {
    fmt::print("{} items instead of {}\n", packets, kPictures + 1);
    return 1;
  }
  report("demultiplexer", demuxing, stream.size());
}
