// The parameter sets of an AVC or HEVC stream, taken out of its access units: a CMAF track has them
// in its configuration record only. Makes that record (avcC, hvcC) from what is in force.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"
#include "server/media/track.hpp"

namespace kapok::media {

class ParameterSets {
 public:
  explicit ParameterSets(Codec codec) : codec_(codec) {}

  // Takes a parameter set NAL unit (others are not for here, see is_parameter_set). Broken and
  // oversized ones are ignored.
  void take(ByteSpan nal);
  static bool is_parameter_set(Codec codec, unsigned nal_type);

  // All kinds that a decoder needs are here.
  bool complete() const;
  // Grows with every change; a repetition is none.
  std::uint64_t version() const { return version_; }
  // avcC [ISO/IEC 14496-15 5.3.3.1] or hvcC [8.3.3.1] with 4-byte lengths. Errors: malformed,
  // limit.
  Result<Bytes> record() const;

 private:
  // By kind (NAL type), then id. Bounded by the ranges of the ids: 16 VPS, 32 SPS, 256 PPS.
  using ById = std::map<std::uint32_t, Bytes>;

  std::optional<std::uint32_t> id_of(unsigned type, ByteSpan nal) const;
  Result<Bytes> avc_record() const;
  Result<Bytes> hevc_record() const;
  const ById* all(unsigned type) const;

  Codec codec_;
  std::map<unsigned, ById> sets_;
  std::uint64_t version_ = 0;
};

}  // namespace kapok::media
