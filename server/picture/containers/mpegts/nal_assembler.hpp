// The byte stream of an AVC or HEVC stream (H.264 and H.265 annex B) to access units in mdat form,
// in one copy: bytes go straight from transport packets behind 4-byte lengths into the access
// unit's own buffer. Access units are told apart by their NAL units [H.264 7.4.1.2.3,
// H.265 7.4.2.4.4], not by PES packets, so one may lie in several of those and several in one.
// Parameter sets go into ParameterSets; delimiters and filler are left out.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "server/base/bytes.hpp"
#include "server/base/clock.hpp"
#include "server/media/parameter_sets.hpp"
#include "server/media/track.hpp"
#include "server/picture/containers/mpegts/stamp.hpp"

namespace kapok::mpegts {

struct AccessUnit {
  Bytes payload;
  std::optional<Stamp> stamp;
  MonoTime arrival;         // of its last bytes
  bool after_loss = false;  // the first since something was lost
  // The configuration record, where parameter sets changed since the unit before.
  std::optional<Result<Bytes>> record;
};

class NalAssembler {
 public:
  // `codec` is avc or hevc.
  explicit NalAssembler(media::Codec codec) : codec_(codec), sets_(codec) {}

  // A PES packet with times begins with the next bytes.
  void stamp(Stamp stamp) { stamps_.push(position_, stamp); }
  // Appends the access units that are complete to `done`: those behind which another one began.
  void bytes(ByteSpan bytes, MonoTime arrival, std::vector<AccessUnit>& done);
  // Something is missing here: the unfinished access unit is dropped, and what follows too, up to
  // the start of the next. Returns whether there was one.
  bool lost();
  // Nothing follows: the unfinished access unit is complete.
  void finish(std::vector<AccessUnit>& done);

  std::size_t pending_bytes() const { return unit_.payload.capacity(); }
  // Access units dropped as larger than media::kMaxPacketBytes or of too many NAL units.
  std::uint64_t oversized() const { return oversized_; }

 private:
  enum class Where : std::uint8_t {
    before,  // no start code seen since the start or a loss
    head,    // in the first bytes of a NAL unit, gathered in head_
    inside,  // in a NAL unit that is kept
    skipped  // in a NAL unit that is left out
  };
  enum class Place : std::uint8_t { prefix, slice, first_slice, suffix };
  static constexpr std::size_t kMaxHead = 3;
  std::size_t head_bytes() const { return codec_ == media::Codec::avc ? 2 : kMaxHead; }
  unsigned type_of_head() const;
  Place place_of(unsigned type) const;

  void append(const std::byte* from, const std::byte* to);
  void begin_nal(std::vector<AccessUnit>& done);
  void end_nal();
  void complete(std::vector<AccessUnit>& done);
  void give_up();

  media::Codec codec_;
  media::ParameterSets sets_;
  std::uint64_t given_sets_ = 0;
  StampQueue stamps_;
  std::uint64_t position_ = 0;      // bytes of the stream so far
  std::uint64_t nal_position_ = 0;  // where the current NAL unit's start code began
  Where where_ = Where::before;
  unsigned zeros_ = 0;  // the stream's last bytes that are 0, counted up to 2
  std::byte head_[kMaxHead] = {};
  std::size_t head_size_ = 0;

  AccessUnit unit_;
  bool open_ = false;  // unit_ has begun
  bool has_slice_ = false;
  bool waits_for_start_ = true;  // since a loss
  bool keeps_nal_ = false;       // the current NAL unit stays in the access unit
  std::size_t nal_start_ = 0;    // of its length prefix in unit_.payload
  std::size_t nals_ = 0;
  std::size_t expected_bytes_ = 0;  // an average, to reserve by
  MonoTime arrival_;
  std::uint64_t oversized_ = 0;
};

}  // namespace kapok::mpegts
