#include "server/picture/containers/mpegts/section.hpp"

#include <algorithm>

namespace kapok::mpegts {

namespace {

constexpr std::size_t kHeaderBytes = 3;  // table_id and section_length
constexpr std::byte kStuffing{0xff};     // [2.4.4.1] fills the payload after the last section

std::size_t whole_size(const Bytes& section) {
  return kHeaderBytes + ((std::to_integer<std::size_t>(section[1]) & 0x0f) << 8 |
                         std::to_integer<std::size_t>(section[2]));
}

}  // namespace

void SectionAssembler::gather(ByteSpan& bytes, std::vector<Bytes>& out) {
  while (open_ && !bytes.empty()) {
    const std::size_t wanted = section_.size() < kHeaderBytes ? kHeaderBytes : whole_size(section_);
    const std::size_t taken = std::min(wanted - section_.size(), bytes.size());
    section_.insert(section_.end(), bytes.begin(), bytes.begin() + static_cast<long>(taken));
    bytes = bytes.subspan(taken);
    if (section_.size() < kHeaderBytes) return;
    const std::size_t whole = whole_size(section_);
    if (whole > kMaxSectionBytes || whole == kHeaderBytes) {
      ++broken_;
      lost();
      return;
    }
    if (section_.size() < whole) continue;
    out.push_back(std::move(section_));
    section_.clear();
    open_ = false;
  }
}

void SectionAssembler::payload(ByteSpan bytes, Payload kind, std::vector<Bytes>& out) {
  if (kind == Payload::continues) {
    gather(bytes, out);
    return;
  }
  // [2.4.4.2] pointer_field: where the first section begins; what stands before ends another.
  if (bytes.empty()) return;
  const auto pointer = std::to_integer<std::size_t>(bytes[0]);
  bytes = bytes.subspan(1);
  if (pointer > bytes.size()) {
    ++broken_;
    lost();
    return;
  }
  ByteSpan before = bytes.first(pointer);
  gather(before, out);
  if (open_) ++broken_;  // it was cut short
  lost();
  bytes = bytes.subspan(pointer);
  while (!bytes.empty() && bytes[0] != kStuffing) {
    open_ = true;
    gather(bytes, out);
    if (open_) return;
  }
}

void SectionAssembler::lost() {
  section_.clear();
  open_ = false;
}

}  // namespace kapok::mpegts
