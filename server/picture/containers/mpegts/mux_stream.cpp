#include "server/picture/containers/mpegts/mux_stream.hpp"

#include <algorithm>

#include "server/media/avc.hpp"
#include "server/media/bit_reader.hpp"
#include "server/media/hevc.hpp"
#include "server/media/language.hpp"
#include "server/media/nal.hpp"
#include "server/media/opus.hpp"
#include "server/picture/containers/mpegts/av1_bytes.hpp"
#include "server/picture/containers/mpegts/psi.hpp"
#include "server/picture/containers/mpegts/stream_type.hpp"

namespace kapok::mpegts {

namespace avc = media::avc;
namespace hevc = media::hevc;
using media::Codec;

namespace {

constexpr std::uint8_t kVideoId = 0xe0;
constexpr std::uint8_t kAudioId = 0xc0;
constexpr std::uint8_t kPrivateId = 0xbd;  // private_stream_1
constexpr std::size_t kAdtsHeaderBytes = 7;

constexpr std::byte kStartCode[] = {std::byte{0}, std::byte{0}, std::byte{0}, std::byte{1}};
// Access unit delimiters that allow any slice type. [ISO/IEC 13818-1 2.14.1, 2.17.1] they are
// required in front of every access unit.
constexpr std::byte kAvcDelimiter[] = {std::byte{0}, std::byte{0}, std::byte{0},
                                       std::byte{1}, std::byte{9}, std::byte{0xf0}};
constexpr std::byte kHevcDelimiter[] = {std::byte{0},    std::byte{0}, std::byte{0},   std::byte{1},
                                        std::byte{0x46}, std::byte{1}, std::byte{0x50}};
constexpr unsigned kAvcDelimiterType = 9;
constexpr unsigned kHevcDelimiterType = 35;

void write_registration(ByteWriter& out, std::string_view identifier) {
  write_descriptor(out, kRegistration, as_bytes(identifier));
}

void write_language(ByteWriter& out, const std::string& language) {
  if (language.empty()) return;
  Bytes body = to_bytes(media::iso639_of(language));
  body.push_back(std::byte{0});  // audio_type: undefined
  write_descriptor(out, kLanguage, body);
}

void write_nal(Bytes& out, ByteSpan nal) {
  ByteWriter writer(out);
  writer.bytes(kStartCode);
  writer.bytes(nal);
}

}  // namespace

Result<MuxStream> MuxStream::make(const media::Track& track) {
  MuxStream stream;
  stream.codec_ = track.codec;
  ByteWriter descriptors(stream.descriptors_);
  switch (track.codec) {
    case Codec::avc:
      KAPOK_TRY(stream.make_avc(track));
      break;
    case Codec::hevc:
      KAPOK_TRY(stream.make_hevc(track));
      break;
    case Codec::av1:
      KAPOK_TRY(stream.make_av1(track));
      break;
    case Codec::aac:
      KAPOK_TRY(stream.make_aac(track));
      break;
    case Codec::opus:
      KAPOK_TRY(stream.make_opus(track));
      break;
    case Codec::ac3:
      stream.type_ = kAc3;
      stream.pes_stream_id_ = kPrivateId;
      write_registration(descriptors, "AC-3");
      break;
    case Codec::eac3:
      stream.type_ = kEac3;
      stream.pes_stream_id_ = kPrivateId;
      write_registration(descriptors, "EAC3");
      break;
    case Codec::mp2:
    case Codec::mp3:
      stream.type_ = kMpeg1Audio;
      stream.pes_stream_id_ = kAudioId;
      break;
    case Codec::flac:
      return fail(Errc::unsupported, "FLAC has no form in MPEG-TS");
    default:
      stream.make_opaque(track);
      return stream;
  }
  if (track.kind == media::TrackKind::audio) write_language(descriptors, track.language);
  return stream;
}

Result<void> MuxStream::make_avc(const media::Track& track) {
  const auto config = KAPOK_TRY(avc::parse_config(track.config.bytes()));
  type_ = kAvc;
  pes_stream_id_ = kVideoId;
  nal_length_size_ = config.nal_length_size;
  for (const ByteSpan nal : config.sps) write_nal(sets_, nal);
  for (const ByteSpan nal : config.pps) write_nal(sets_, nal);
  return {};
}

Result<void> MuxStream::make_hevc(const media::Track& track) {
  const auto config = KAPOK_TRY(hevc::parse_config(track.config.bytes()));
  type_ = kHevc;
  pes_stream_id_ = kVideoId;
  nal_length_size_ = config.nal_length_size;
  for (const unsigned type : {hevc::kVps, hevc::kSps, hevc::kPps, hevc::kPrefixSei})
    for (const hevc::NalArray& array : config.arrays)
      if (array.type == type)
        for (const ByteSpan nal : array.nals) write_nal(sets_, nal);
  return {};
}

Result<void> MuxStream::make_av1(const media::Track& track) {
  constexpr std::size_t kRecordBytes = 4;  // av1C without its OBUs is the descriptor's body
  if (track.config.size() < kRecordBytes) return fail(Errc::malformed, "av1C cut short");
  type_ = kPrivatePes;
  pes_stream_id_ = kPrivateId;
  ByteWriter out(descriptors_);
  write_registration(out, "AV01");
  write_descriptor(out, kAv1Video, track.config.bytes().first(kRecordBytes));
  return {};
}

// [ISO/IEC 14496-3 1.A.2.2.1] The header that stands before each frame; its length is filled in for
// each.
Result<void> MuxStream::make_aac(const media::Track& track) {
  static constexpr std::uint32_t kRates[] = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                             22050, 16000, 12000, 11025, 8000,  7350};
  media::BitReader in(track.config.bytes());
  const auto read_rate_index = [&] {
    const unsigned index = in.bits(4);
    if (index != 15) return index;
    const auto found = std::ranges::find(kRates, in.bits(24));
    return static_cast<unsigned>(found - std::begin(kRates));
  };
  unsigned type = in.bits(5);
  const unsigned rate = read_rate_index();
  const unsigned channels = in.bits(4);
  if (type == 5 || type == 29) {  // SBR, PS: the core is what ADTS names
    read_rate_index();
    type = in.bits(5);
  }
  if (!in.ok() || type < 1 || type > 4 || rate >= std::size(kRates) || channels < 1 || channels > 7)
    return fail(Errc::unsupported, "AAC of object type {} with channel configuration {} in ADTS",
                type, channels);
  type_ = kAdts;
  pes_stream_id_ = kAudioId;
  ByteWriter out(scratch_);
  out.u16(0xfff1);  // MPEG-4, no CRC
  out.u8(static_cast<std::uint8_t>((type - 1) << 6 | rate << 2 | channels >> 2));
  out.u8(static_cast<std::uint8_t>((channels & 3) << 6));
  out.u24(0x001ffc);  // buffer fullness: variable rate; one block
  return {};
}

Result<void> MuxStream::make_opus(const media::Track& track) {
  const auto head = KAPOK_TRY(media::opus::parse_head(track.config.bytes()));
  if (head.mapping_family > 1 || head.channels > 8)
    return fail(Errc::unsupported, "Opus with mapping family {} in MPEG-TS", head.mapping_family);
  type_ = kPrivatePes;
  pes_stream_id_ = kPrivateId;
  ByteWriter out(descriptors_);
  write_registration(out, "Opus");
  const std::byte body[] = {std::byte{kOpusExtension}, std::byte{head.channels}};
  write_descriptor(out, kExtension, body);
  return {};
}

void MuxStream::make_opaque(const media::Track& track) {
  if (track.ts) {
    type_ = track.ts->stream_type;
    pes_stream_id_ = track.ts->pes_stream_id;
    const ByteSpan descriptors = track.ts->descriptors.bytes();
    descriptors_.assign(descriptors.begin(), descriptors.end());
    return;
  }
  type_ = kPrivatePes;
  pes_stream_id_ = kPrivateId;
}

Result<void> MuxStream::payload(const media::Packet& packet, std::vector<ByteSpan>& pieces) {
  switch (codec_) {
    case Codec::avc:
    case Codec::hevc:
      return nal_payload(packet, pieces);
    case Codec::av1:
      scratch_ = KAPOK_TRY(pes_from_obus(packet.payload.bytes()));
      pieces.push_back(scratch_);
      return {};
    case Codec::aac:
      return adts_payload(packet, pieces);
    case Codec::opus:
      opus_payload(packet, pieces);
      return {};
    default:
      pieces.push_back(packet.payload.bytes());
      return {};
  }
}

Result<void> MuxStream::nal_payload(const media::Packet& packet,
                                    std::vector<ByteSpan>& pieces) const {
  const bool is_avc = codec_ == Codec::avc;
  pieces.push_back(is_avc ? ByteSpan(kAvcDelimiter) : ByteSpan(kHevcDelimiter));
  if (packet.sync) pieces.push_back(sets_);
  media::NalWalker nals(packet.payload.bytes(), nal_length_size_);
  while (const auto nal = nals.next()) {
    if (!is_avc && nal->size() < hevc::kNalHeaderBytes) continue;
    const bool delimiter = is_avc ? avc::nal_type(*nal) == kAvcDelimiterType
                                  : hevc::nal_type(*nal) == kHevcDelimiterType;
    if (delimiter) continue;
    pieces.push_back(kStartCode);
    pieces.push_back(*nal);
  }
  if (!nals.clean()) return fail(Errc::malformed, "an access unit whose NAL units do not fit");
  return {};
}

Result<void> MuxStream::adts_payload(const media::Packet& packet, std::vector<ByteSpan>& pieces) {
  const std::size_t size = kAdtsHeaderBytes + packet.payload.size();
  if (size >= 1u << 13) return fail(Errc::malformed, "an AAC frame of {} bytes", size);
  const auto put = [&](std::size_t at, std::byte mask, std::size_t value) {
    scratch_[at] = (scratch_[at] & ~mask) | (static_cast<std::byte>(value) & mask);
  };
  put(3, std::byte{0x03}, size >> 11);
  put(4, std::byte{0xff}, size >> 3);
  put(5, std::byte{0xe0}, size << 5);
  pieces.push_back(scratch_);
  pieces.push_back(packet.payload.bytes());
  return {};
}

void MuxStream::opus_payload(const media::Packet& packet, std::vector<ByteSpan>& pieces) {
  scratch_.clear();
  ByteWriter out(scratch_);
  out.u16(0x7fe0);  // control_header_prefix, nothing trimmed
  std::size_t size = packet.payload.size();
  for (; size >= 255; size -= 255) out.u8(255);
  out.u8(static_cast<std::uint8_t>(size));
  pieces.push_back(scratch_);
  pieces.push_back(packet.payload.bytes());
}

}  // namespace kapok::mpegts
