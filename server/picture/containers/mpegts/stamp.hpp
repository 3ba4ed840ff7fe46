// Times of PES packets, and which access unit they belong to.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace kapok::mpegts {

// 90 kHz, unwrapped.
struct Stamp {
  std::int64_t pts = 0;
  std::int64_t dts = 0;
};

// [ISO/IEC 13818-1 2.4.3.7] the times in a PES header are those of the first access unit that
// commences in its payload. Positions are byte counts of the elementary stream.
class StampQueue {
 public:
  void push(std::uint64_t position, Stamp stamp) {
    if (count_ == kMost) drop_first();
    waiting_[count_++] = {position, stamp};
  }
  // For an access unit that begins at `position`.
  std::optional<Stamp> take(std::uint64_t position) {
    std::optional<Stamp> found;
    while (count_ > 0 && waiting_[0].position <= position) {
      found = waiting_[0].stamp;
      drop_first();
    }
    return found;
  }
  void clear() { count_ = 0; }

 private:
  // PES packets in which no access unit commences rarely have times; more of them in a row are
  // worth nothing.
  static constexpr std::size_t kMost = 4;
  struct Waiting {
    std::uint64_t position;
    Stamp stamp;
  };
  void drop_first() {
    for (std::size_t i = 1; i < count_; ++i) waiting_[i - 1] = waiting_[i];
    --count_;
  }
  std::array<Waiting, kMost> waiting_{};
  std::size_t count_ = 0;
};

}  // namespace kapok::mpegts
