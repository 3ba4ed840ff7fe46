#include "server/media/ac3.hpp"

#include <array>

#include "server/media/bit_reader.hpp"

namespace kapok::media::ac3 {

namespace {

constexpr std::uint32_t kSyncWord = 0x0b77;
constexpr std::uint32_t kRates[] = {48000, 44100, 32000};
constexpr std::uint8_t kChannels[] = {2, 1, 2, 3, 3, 4, 4, 5};  // by acmod
constexpr unsigned kMaxAc3StreamId = 8;
constexpr unsigned kMaxEac3StreamId = 16;
// [E.1.3.1.2] eight independent substreams of up to eight dependent ones and at most six frames of
// one block each; an access unit cannot hold more.
constexpr unsigned kMaxFramesPerUnit = 8 * 9 * 6;
// [table 5.18] kbit/s by frmsizecod / 2.
constexpr unsigned kBitRateCodes = 19;

void write_bits(Bytes& out, unsigned& filled, std::uint32_t value, unsigned count) {
  while (count-- > 0) {
    if (filled % 8 == 0) out.push_back(std::byte{0});
    if ((value >> count) & 1) out.back() |= std::byte{0x80} >> (filled % 8);
    ++filled;
  }
}

struct Eac3Frame {
  unsigned stream_type = 0;  // 0, 2 independent; 1 dependent
  unsigned substream = 0;
  std::size_t bytes = 0;
  unsigned rate_code = 0;
  std::uint32_t rate = 0;
  unsigned blocks = 6;
  unsigned mode = 0;
  bool lfe = false;
  unsigned stream_id = 0;
  std::uint32_t channel_map = 0;
  bool independent() const { return stream_type != 1; }
};

Result<Eac3Frame> read_eac3_frame(ByteSpan bytes) {
  BitReader in(bytes);
  if (in.bits(16) != kSyncWord) return fail(Errc::malformed, "E-AC-3: no sync word");
  Eac3Frame frame;
  frame.stream_type = in.bits(2);
  frame.substream = in.bits(3);
  frame.bytes = std::size_t{2} * (in.bits(11) + 1);
  frame.rate_code = in.bits(2);
  if (frame.rate_code == 3) {
    const unsigned half = in.bits(2);
    if (half == 3) return fail(Errc::malformed, "E-AC-3: reserved sample rate");
    frame.rate = kRates[half] / 2;
  } else {
    frame.rate = kRates[frame.rate_code];
    static constexpr std::uint8_t kBlocks[] = {1, 2, 3, 6};
    frame.blocks = kBlocks[in.bits(2)];
  }
  frame.mode = in.bits(3);
  frame.lfe = in.flag();
  frame.stream_id = in.bits(5);
  for (int programme = 0; programme < (frame.mode == 0 ? 2 : 1); ++programme) {
    in.skip(5);  // dialnorm
    if (in.flag()) in.skip(8);
  }
  if (frame.stream_type == 1 && in.flag()) frame.channel_map = in.bits(16);
  if (!in.ok()) return fail(Errc::malformed, "E-AC-3: frame cut short");
  if (frame.stream_type == 3 || frame.stream_id <= 10 || frame.stream_id > kMaxEac3StreamId)
    return fail(Errc::malformed, "E-AC-3: stream type {}, bit stream id {}", frame.stream_type,
                frame.stream_id);
  return frame;
}

// [E.1.3.1.8] chanmap has bit 0 as its most significant; pairs count twice.
constexpr unsigned kFirstExtraLocation = 5;  // Lc/Rc
std::uint8_t extra_channels(std::uint32_t channel_map) {
  static constexpr std::uint8_t kCount[16] = {0, 0, 0, 0, 0, 2, 2, 1, 1, 2, 2, 2, 1, 2, 1, 0};
  unsigned channels = 0;
  for (unsigned bit = 0; bit < 16; ++bit)
    if ((channel_map >> (15 - bit)) & 1) channels += kCount[bit];
  return static_cast<std::uint8_t>(channels);
}
// [F.6.1] chan_loc: bit 0 Lc/Rc ... bit 7 Cvh, bit 8 LFE2.
std::uint32_t channel_locations(std::uint32_t channel_map) {
  std::uint32_t locations = 0;
  for (unsigned i = 0; i < 8; ++i)
    if ((channel_map >> (15 - kFirstExtraLocation - i)) & 1) locations |= 1u << i;
  if ((channel_map >> 1) & 1) locations |= 1u << 8;
  return locations;
}

struct Programme {  // an independent substream and what depends on it
  Eac3Frame main;
  unsigned dependents = 0;
  std::uint32_t locations = 0;
  std::uint8_t extra = 0;
};

}  // namespace

Result<Described> describe_ac3(ByteSpan frame) {
  BitReader in(frame);
  if (in.bits(16) != kSyncWord) return fail(Errc::malformed, "AC-3: no sync word");
  in.skip(16);
  const unsigned rate_code = in.bits(2);
  const unsigned size_code = in.bits(6);
  const unsigned stream_id = in.bits(5);
  const unsigned stream_mode = in.bits(3);
  const unsigned mode = in.bits(3);
  if ((mode & 1) && mode != 1) in.skip(2);  // centre mix level
  if (mode & 4) in.skip(2);                 // surround mix level
  if (mode == 2) in.skip(2);                // Dolby Surround
  const bool lfe = in.flag();
  if (!in.ok()) return fail(Errc::malformed, "AC-3: frame cut short");
  if (rate_code == 3 || size_code / 2 >= kBitRateCodes || stream_id > kMaxAc3StreamId)
    return fail(Errc::malformed, "AC-3: rate code {}, size code {}, bit stream id {}", rate_code,
                size_code, stream_id);
  Described described;
  unsigned filled = 0;
  const auto put = [&](std::uint32_t value, unsigned count) {
    write_bits(described.config, filled, value, count);
  };
  put(rate_code, 2);
  put(stream_id, 5);
  put(stream_mode, 3);
  put(mode, 3);
  put(lfe, 1);
  put(size_code / 2, 5);
  put(0, 5);
  described.facts = KAPOK_TRY(parse_dac3(described.config));
  return described;
}

Result<AudioFacts> parse_dac3(ByteSpan payload) {
  BitReader in(payload);
  const unsigned rate_code = in.bits(2);
  in.skip(5 + 3);
  const unsigned mode = in.bits(3);
  const bool lfe = in.flag();
  in.skip(10);
  if (!in.ok() || rate_code == 3) return fail(Errc::malformed, "dac3: cut short or bad rate");
  return AudioFacts{kRates[rate_code], static_cast<std::uint8_t>(kChannels[mode] + lfe), 1536};
}

Result<Described> describe_eac3(ByteSpan access_unit) {
  std::vector<Programme> programmes;
  std::uint32_t samples = 0;
  std::size_t at = 0;
  unsigned frames = 0;
  while (at < access_unit.size() && frames++ < kMaxFramesPerUnit) {
    const auto frame = KAPOK_TRY(read_eac3_frame(access_unit.subspan(at)));
    if (frame.bytes > access_unit.size() - at)
      return fail(Errc::malformed, "E-AC-3: frame of {} bytes cut short", frame.bytes);
    at += frame.bytes;
    if (frame.independent()) {
      if (frame.substream == 0) samples += 256 * frame.blocks;
      // A second frame of a substream continues it in time (frames of fewer than six blocks).
      if (frame.substream == programmes.size()) programmes.push_back({.main = frame});
      continue;
    }
    if (programmes.empty())
      return fail(Errc::malformed, "E-AC-3: a dependent substream without a main one");
    Programme& programme = programmes.back();
    if (frame.substream == programme.dependents) {
      ++programme.dependents;
      programme.locations |= channel_locations(frame.channel_map);
      programme.extra =
          static_cast<std::uint8_t>(programme.extra + extra_channels(frame.channel_map));
    }
  }
  if (programmes.empty() || samples == 0)
    return fail(Errc::malformed, "E-AC-3: no independent substream 0");
  const Eac3Frame& main = programmes.front().main;
  // [ETSI TS 102 366 F.6.2] dec3 cannot tell 16, 22.05 and 24 kHz apart; nobody broadcasts with
  // them.
  for (const Programme& programme : programmes)
    if (programme.main.rate_code == 3)
      return fail(Errc::unsupported, "E-AC-3: a sample rate of {} Hz", programme.main.rate);
  Described described;
  unsigned filled = 0;
  const auto put = [&](std::uint32_t value, unsigned count) {
    write_bits(described.config, filled, value, count);
  };
  const std::uint64_t rate_kbits =
      std::uint64_t{at} * 8 * main.rate / samples / 1000;  // at most 432 frames of 4 kB: fits
  put(static_cast<std::uint32_t>(rate_kbits < 8191 ? rate_kbits : 8191), 13);
  put(static_cast<std::uint32_t>(programmes.size() - 1), 3);
  for (const Programme& programme : programmes) {
    put(programme.main.rate_code, 2);
    put(programme.main.stream_id, 5);
    put(0, 1 + 1 + 3);  // reserved, asvc, bsmod (complete main)
    put(programme.main.mode, 3);
    put(programme.main.lfe, 1);
    put(0, 3);
    put(programme.dependents, 4);
    if (programme.dependents > 0)
      put(programme.locations, 9);
    else
      put(0, 1);
  }
  described.facts = {
      main.rate,
      static_cast<std::uint8_t>(kChannels[main.mode] + main.lfe + programmes.front().extra),
      samples};
  return described;
}

Result<AudioFacts> parse_dec3(ByteSpan payload) {
  BitReader in(payload);
  in.skip(13 + 3);
  const unsigned rate_code = in.bits(2);
  in.skip(5 + 1 + 1 + 3);
  const unsigned mode = in.bits(3);
  const bool lfe = in.flag();
  in.skip(3);
  const unsigned dependents = in.bits(4);
  std::uint32_t locations = 0;
  if (dependents > 0)
    locations = in.bits(9);
  else
    in.skip(1);
  if (!in.ok() || rate_code == 3) return fail(Errc::malformed, "dec3: cut short or bad rate");
  std::uint32_t channel_map = 0;
  for (unsigned i = 0; i < 8; ++i)
    if ((locations >> i) & 1) channel_map |= 1u << (15 - kFirstExtraLocation - i);
  if (locations >> 8) channel_map |= 2;
  const auto channels =
      static_cast<std::uint8_t>(kChannels[mode] + lfe + extra_channels(channel_map));
  return AudioFacts{kRates[rate_code], channels, 1536};
}

}  // namespace kapok::media::ac3
