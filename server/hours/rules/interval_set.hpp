// A set of milliseconds as sorted, disjoint, half-open intervals: the arithmetic of hours. Sums are
// integers, so any two implementations agree to the bit. Bounded: past the limit the oldest
// (lowest) interval goes, and says so.
#pragma once

#include <cstdint>
#include <vector>

namespace kapok::rules {

struct Span {
  std::int64_t from = 0;
  std::int64_t to = 0;
  std::int64_t length() const { return to > from ? to - from : 0; }
  bool empty() const { return to <= from; }
  bool operator==(const Span&) const = default;
};

constexpr Span intersection(Span a, Span b) {
  return {a.from > b.from ? a.from : b.from, a.to < b.to ? a.to : b.to};
}

class IntervalSet {
 public:
  static constexpr std::size_t kUnbounded = static_cast<std::size_t>(-1);
  explicit IntervalSet(std::size_t limit = kUnbounded) : limit_(limit) {}

  // Returns the milliseconds that were not in the set before.
  std::int64_t add(Span span);
  void remove(Span span);
  std::vector<Span> common_with(Span span) const;
  // What of `span` is not in the set.
  std::vector<Span> missing_from(Span span) const;
  bool contains(std::int64_t at) const;
  void erase_before(std::int64_t at) { remove({INT64_MIN, at}); }

  std::int64_t length() const;
  const std::vector<Span>& spans() const { return spans_; }
  bool empty() const { return spans_.empty(); }

 private:
  std::vector<Span> spans_;
  std::size_t limit_;
};

}  // namespace kapok::rules
