#include "server/picture/containers/mpegts/nal_assembler.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "server/media/avc.hpp"
#include "server/media/hevc.hpp"
#include "server/media/nal.hpp"
#include "server/media/packet.hpp"

namespace kapok::mpegts {

namespace avc = media::avc;
namespace hevc = media::hevc;

namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kStartCodeBytes = 3;

constexpr unsigned kAvcDelimiter = 9;
constexpr unsigned kAvcFiller = 12;
constexpr unsigned kHevcDelimiter = 35;
constexpr unsigned kHevcFiller = 38;

bool is_left_out(media::Codec codec, unsigned type) {
  if (codec == media::Codec::avc) return type == kAvcDelimiter || type == kAvcFiller;
  return type == kHevcDelimiter || type == kHevcFiller;
}

}  // namespace

unsigned NalAssembler::type_of_head() const {
  return codec_ == media::Codec::avc ? avc::nal_type(ByteSpan(head_))
                                     : hevc::nal_type(ByteSpan(head_));
}

NalAssembler::Place NalAssembler::place_of(unsigned type) const {
  const auto bit_set = [&](std::size_t at) {
    return head_size_ > at && (head_[at] & std::byte{0x80}) != std::byte{0};
  };
  if (codec_ == media::Codec::avc) {
    // [H.264 7.3.3] first_mb_in_slice begins the slice header; 0 is a single 1 bit.
    if (type == 1 || type == 2 || type == avc::kIdr)
      return bit_set(1) ? Place::first_slice : Place::slice;
    // [H.264 7.4.1.2.3] without 14: of scalable streams that stands before every slice.
    const bool prefix = (type >= avc::kSei && type <= kAvcDelimiter) || (type >= 15 && type <= 18);
    return prefix ? Place::prefix : Place::suffix;
  }
  // [H.265 7.4.2.4.4] layers above the base continue its access unit.
  const unsigned layer =
      (std::to_integer<unsigned>(head_[0]) & 1) << 5 | std::to_integer<unsigned>(head_[1]) >> 3;
  if (layer > 0) return Place::suffix;
  if (type < hevc::kVps) return bit_set(2) ? Place::first_slice : Place::slice;
  const bool prefix = (type >= hevc::kVps && type <= kHevcDelimiter) || type == hevc::kPrefixSei ||
                      (type >= 41 && type <= 44) || (type >= 48 && type <= 55);
  return prefix ? Place::prefix : Place::suffix;
}

void NalAssembler::bytes(ByteSpan bytes, MonoTime arrival, std::vector<AccessUnit>& done) {
  if (bytes.empty()) return;
  const std::byte* const begin = bytes.data();
  const std::byte* const end = begin + bytes.size();
  const std::byte* from = begin;    // what is not yet appended
  const std::byte* search = begin;  // where to look for the 01 of a start code
  arrival_ = arrival;
  while (true) {
    if (where_ == Where::head) {
      while (head_size_ < head_bytes() && from < end) head_[head_size_++] = *from++;
      search = std::max(search, from);
      if (head_size_ < head_bytes()) break;
      begin_nal(done);
    }
    const auto* one = static_cast<const std::byte*>(
        std::memchr(search, 1, static_cast<std::size_t>(end - search)));
    if (one == nullptr) break;
    search = one + 1;
    // The two bytes before it may lie in what came earlier.
    const auto zero_before = [&](std::ptrdiff_t back) {
      const std::byte* const at = one - back;
      return at >= begin ? *at == std::byte{0} : zeros_ >= static_cast<unsigned>(begin - at);
    };
    if (!zero_before(1) || !zero_before(2)) continue;
    append(from, one);
    end_nal();
    from = search;
    where_ = Where::head;
    head_size_ = 0;
    nal_position_ = position_ + static_cast<std::uint64_t>(search - begin);
    nal_position_ -= std::min<std::uint64_t>(nal_position_, kStartCodeBytes);
  }
  append(from, end);
  position_ += bytes.size();
  const std::size_t looked_at = std::min<std::size_t>(bytes.size(), 2);
  unsigned zeros = 0;
  while (zeros < looked_at && end[-1 - static_cast<std::ptrdiff_t>(zeros)] == std::byte{0}) ++zeros;
  zeros_ = zeros == bytes.size() ? std::min(2u, zeros_ + zeros) : zeros;
}

void NalAssembler::begin_nal(std::vector<AccessUnit>& done) {
  static constexpr std::byte kStartCode[] = {std::byte{0}, std::byte{0}, std::byte{1}};
  if (std::ranges::equal(ByteSpan(head_, head_size_), kStartCode)) {
    head_size_ = 0;  // two start codes in a row
    return;
  }
  const unsigned type = type_of_head();
  const Place place = place_of(type);
  const bool may_start = place == Place::prefix || place == Place::first_slice;
  if (has_slice_ && may_start) complete(done);
  where_ = Where::skipped;
  if (waits_for_start_ && !may_start) return;
  waits_for_start_ = false;
  if (!open_) {
    open_ = true;
    unit_.stamp = stamps_.take(nal_position_);
    unit_.payload.reserve(expected_bytes_);
  }
  if (is_left_out(codec_, type)) return;
  if (++nals_ > media::kMaxNalsPerAccessUnit) return give_up();
  has_slice_ = has_slice_ || place == Place::slice || place == Place::first_slice;
  keeps_nal_ = !media::ParameterSets::is_parameter_set(codec_, type);
  nal_start_ = unit_.payload.size();
  unit_.payload.resize(nal_start_ + kLengthBytes);
  where_ = Where::inside;
  append(head_, head_ + head_size_);
}

void NalAssembler::append(const std::byte* from, const std::byte* to) {
  if (where_ != Where::inside || from == to) return;
  unit_.payload.insert(unit_.payload.end(), from, to);
  unit_.arrival = arrival_;
  if (unit_.payload.size() > media::kMaxPacketBytes) give_up();
}

void NalAssembler::end_nal() {
  if (where_ != Where::inside) return;
  // [H.264 B.1.1, H.265 B.2.1] trailing_zero_8bits and the zero_byte of the next start code: a NAL
  // unit itself never ends with 0.
  const std::size_t start = nal_start_ + kLengthBytes;
  while (unit_.payload.size() > start && unit_.payload.back() == std::byte{0})
    unit_.payload.pop_back();
  const std::size_t size = unit_.payload.size() - start;
  if (!keeps_nal_ && size > 0) sets_.take(ByteSpan(unit_.payload).subspan(start));
  if (keeps_nal_ && size > 0)
    ByteWriter(unit_.payload).patch_u32(nal_start_, static_cast<std::uint32_t>(size));
  else
    unit_.payload.resize(nal_start_);
}

void NalAssembler::complete(std::vector<AccessUnit>& done) {
  if (sets_.version() != given_sets_ && sets_.complete()) {
    unit_.record = sets_.record();
    given_sets_ = sets_.version();
  }
  expected_bytes_ = (3 * expected_bytes_ + unit_.payload.size()) / 4;
  done.push_back(std::exchange(unit_, {}));
  open_ = has_slice_ = false;
  nals_ = 0;
}

bool NalAssembler::lost() {
  const bool had = open_;
  unit_ = {};
  unit_.after_loss = true;
  open_ = has_slice_ = false;
  nals_ = 0;
  where_ = Where::before;
  zeros_ = 0;
  waits_for_start_ = true;
  stamps_.clear();
  return had;
}

void NalAssembler::give_up() {
  lost();
  ++oversized_;
}

void NalAssembler::finish(std::vector<AccessUnit>& done) {
  end_nal();
  if (has_slice_) complete(done);
  lost();
}

}  // namespace kapok::mpegts
