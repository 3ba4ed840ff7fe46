// PES packets of every kind of stream: records of [stream u8][flags u8][size u8][payload], each one
// transport packet of a program whose tables are right. Flags: 1 starts a PES packet or section, 2
// has lost a packet before it, 4 has a random_access_indicator.
#include <algorithm>
#include <cstdint>

#include "server/picture/containers/mpegts/stream_type.hpp"
#include "server/picture/containers/mpegts/ts_packet.hpp"
#include "ts_round_trip.hpp"

using namespace kapok;

namespace {

constexpr std::uint16_t kFirstPid = 0x100;
struct Kind {
  std::uint8_t type;
  std::string_view registration;
};
constexpr Kind kKinds[] = {{mpegts::kAvc, ""},
                           {mpegts::kHevc, ""},
                           {mpegts::kAdts, ""},
                           {mpegts::kLatm, ""},
                           {mpegts::kAc3, ""},
                           {mpegts::kEac3, ""},
                           {mpegts::kMpeg1Audio, ""},
                           {mpegts::kPrivatePes, "Opus"},
                           {mpegts::kPrivatePes, "AV01"},
                           {mpegts::kPrivatePes, "KLVA"},
                           {mpegts::kScte35, ""},
                           {mpegts::kAvs3, ""},
                           {0xea, ""}};

class Stream {
 public:
  Stream() {
    write(mpegts::kPatPid, mpegts::write_pat({1, 0, {{1, 0x1000}}}));
    mpegts::Pmt pmt;
    pmt.pcr_pid = kFirstPid;
    std::vector<Bytes> descriptors(std::size(kKinds));
    for (std::size_t i = 0; i < std::size(kKinds); ++i) {
      ByteWriter out(descriptors[i]);
      if (!kKinds[i].registration.empty())
        mpegts::write_descriptor(out, mpegts::kRegistration, as_bytes(kKinds[i].registration));
      const std::byte channels[] = {std::byte{mpegts::kOpusExtension}, std::byte{2}};
      if (kKinds[i].registration == "Opus")
        mpegts::write_descriptor(out, mpegts::kExtension, channels);
      pmt.streams.push_back(
          {kKinds[i].type, static_cast<std::uint16_t>(kFirstPid + i), descriptors[i]});
    }
    write(0x1000, *mpegts::write_pmt(pmt));
  }

  void record(std::size_t stream, unsigned flags, ByteSpan payload) {
    stream %= std::size(kKinds);
    std::uint8_t& continuity = continuity_[stream];
    if (flags & 2) ++continuity;
    const std::size_t taken = std::min<std::size_t>(payload.size(), 180);
    const std::size_t adaptation = 183 - taken;  // beside its length, at least the flags
    packet_.clear();
    ByteWriter out(packet_);
    out.u8(0x47);
    out.u16(static_cast<std::uint16_t>((flags & 1 ? 0x4000 : 0) | (kFirstPid + stream)));
    out.u8(static_cast<std::uint8_t>(0x30 | (continuity++ & 0xf)));
    out.u8(static_cast<std::uint8_t>(adaptation));
    out.u8(flags & 4 ? 0x40 : 0);
    for (std::size_t i = 1; i < adaptation; ++i) out.u8(0xff);
    out.bytes(payload.first(taken));
    push();
  }

  void finish() {
    demuxer_.finish(items_);
    demuxer_.take_notices();
    fuzz::check_items(items_);
  }

 private:
  void write(std::uint16_t pid, const Bytes& section) {
    std::size_t at = 0;
    while (at < section.size()) {
      packet_.clear();
      ByteWriter out(packet_);
      out.u8(0x47);
      out.u16(static_cast<std::uint16_t>((at == 0 ? 0x4000 : 0) | pid));
      out.u8(static_cast<std::uint8_t>(0x10 | (table_continuity_++ & 0xf)));
      if (at == 0) out.u8(0);
      const std::size_t taken =
          std::min(mpegts::kPacketBytes - packet_.size(), section.size() - at);
      out.bytes(ByteSpan(section).subspan(at, taken));
      at += taken;
      while (packet_.size() < mpegts::kPacketBytes) out.u8(0xff);
      push();
    }
    table_continuity_ = 0;
  }
  void push() {
    if (!demuxer_.push(MonoTime{}, packet_, items_)) __builtin_trap();
  }

  mpegts::TsDemuxer demuxer_;
  std::vector<media::FeedItem> items_;
  Bytes packet_;
  std::uint8_t table_continuity_ = 0;
  std::uint8_t continuity_[std::size(kKinds)] = {};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Stream stream;
  ByteReader in(as_bytes(data, size));
  while (in.left() >= 3) {
    const std::uint8_t which = *in.u8();
    const std::uint8_t flags = *in.u8();
    const std::size_t length = std::min<std::size_t>(*in.u8(), in.left());
    stream.record(which, flags, *in.take(length));
  }
  stream.finish();
  return 0;
}
