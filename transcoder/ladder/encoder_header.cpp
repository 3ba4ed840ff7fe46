#include "transcoder/ladder/encoder_header.hpp"

#include <utility>

#include "server/media/av1.hpp"
#include "server/media/avc.hpp"
#include "server/media/hevc.hpp"
#include "server/media/nal.hpp"
#include "server/media/parameter_sets.hpp"

namespace kapok::ladder {

Result<EncoderHeader> read_header(media::Codec codec, ByteSpan headers) {
  EncoderHeader header;
  if (codec == media::Codec::av1) {
    header.config = Buffer(KAPOK_TRY(media::av1::make_config(headers)));
    return header;
  }
  media::ParameterSets sets(codec);
  constexpr unsigned kLengthBytes = 4;
  media::NalWalker walker(headers, kLengthBytes);
  while (const auto nal = walker.next()) {
    const bool avc = codec == media::Codec::avc;
    const unsigned type = avc ? media::avc::nal_type(*nal) : media::hevc::nal_type(*nal);
    if (media::ParameterSets::is_parameter_set(codec, type)) sets.take(*nal);
    if (avc || type != media::hevc::kPrefixSei) continue;
    media::DisplaySei found;
    read_display_sei(nal->subspan(media::hevc::kNalHeaderBytes), found);
    if (found.empty()) continue;
    ByteWriter out(header.sei);
    out.u32(static_cast<std::uint32_t>(nal->size()));
    out.bytes(*nal);
  }
  header.config = Buffer(KAPOK_TRY(sets.record()));
  return header;
}

}  // namespace kapok::ladder
