#include "server/hours/rules/interval_set.hpp"

#include <algorithm>

namespace kapok::rules {

namespace {

// The first span that ends at or after `at`.
auto first_ending_from(const std::vector<Span>& spans, std::int64_t at) {
  return std::lower_bound(spans.begin(), spans.end(), at,
                          [](const Span& span, std::int64_t value) { return span.to < value; });
}

}  // namespace

std::int64_t IntervalSet::add(Span span) {
  if (span.empty()) return 0;
  std::int64_t fresh = span.length();
  const auto first = first_ending_from(spans_, span.from);
  auto last = first;
  // Touching spans merge, overlapping ones lose what was there already.
  for (; last != spans_.end() && last->from <= span.to; ++last) {
    fresh -= intersection(*last, span).length();
    span = {std::min(span.from, last->from), std::max(span.to, last->to)};
  }
  const auto at = spans_.erase(first, last);
  spans_.insert(at, span);
  if (spans_.size() > limit_) spans_.erase(spans_.begin());
  return fresh;
}

void IntervalSet::remove(Span span) {
  if (span.empty()) return;
  std::vector<Span> kept;
  kept.reserve(spans_.size() + 1);
  for (const Span& old : spans_) {
    if (intersection(old, span).empty()) {
      kept.push_back(old);
      continue;
    }
    if (old.from < span.from) kept.push_back({old.from, span.from});
    if (old.to > span.to) kept.push_back({span.to, old.to});
  }
  spans_ = std::move(kept);
}

std::vector<Span> IntervalSet::common_with(Span span) const {
  std::vector<Span> out;
  for (auto at = first_ending_from(spans_, span.from); at != spans_.end() && at->from < span.to;
       ++at) {
    const Span common = intersection(*at, span);
    if (!common.empty()) out.push_back(common);
  }
  return out;
}

std::vector<Span> IntervalSet::missing_from(Span span) const {
  std::vector<Span> out;
  std::int64_t from = span.from;
  for (const Span& common : common_with(span)) {
    if (common.from > from) out.push_back({from, common.from});
    from = common.to;
  }
  if (from < span.to) out.push_back({from, span.to});
  return out;
}

bool IntervalSet::contains(std::int64_t at) const {
  return !common_with({at, at + 1}).empty();
}

std::int64_t IntervalSet::length() const {
  std::int64_t sum = 0;
  for (const Span& span : spans_) sum += span.length();
  return sum;
}

}  // namespace kapok::rules
