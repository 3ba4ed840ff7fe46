#include "server/hours/verify/measures.hpp"

#include <algorithm>
#include <chrono>

#include "server/hours/rules/rule_set.hpp"

namespace kapok::verify {

namespace {

using ledger::Leaf;
using ledger::LeafKind;
using ledger::Reason;
using ledger::UhdClass;
using rules::Span;

// Asia/Shanghai has had no summer time since 1991.
constexpr milliseconds kLocal{8 * 3600 * 1000};

std::chrono::year_month_day local_date(std::int64_t time_ms) {
  const std::chrono::sys_time<milliseconds> local(milliseconds(time_ms) + kLocal);
  return std::chrono::floor<std::chrono::days>(local);
}

RowKey row_of(const Leaf& leaf, std::int64_t time_ms) {
  return {local_month(time_ms), leaf.enterprise, leaf.programme, leaf.work, leaf.region};
}

}  // namespace

std::int32_t local_month(std::int64_t time_ms) {
  const std::chrono::year_month_day date = local_date(time_ms);
  return static_cast<int>(date.year()) * 100 +
         static_cast<std::int32_t>(static_cast<unsigned>(date.month()));
}

std::int64_t next_local_month(std::int64_t time_ms) {
  const std::chrono::year_month_day date = local_date(time_ms);
  const auto next = date.year() / date.month() / std::chrono::day(1) + std::chrono::months(1);
  const std::chrono::sys_time<milliseconds> local = std::chrono::sys_days(next);
  return (local.time_since_epoch() - kLocal).count();
}

bool Measures::wanted(const Leaf& leaf) const {
  return (filter_.enterprise == 0 || filter_.enterprise == leaf.enterprise) &&
         (filter_.programme == 0 || filter_.programme == leaf.programme) &&
         (filter_.channel == 0 || filter_.channel == leaf.channel) &&
         (filter_.region == 0 || filter_.region == leaf.region);
}

void Measures::add(const Leaf& leaf) {
  switch (leaf.kind) {
    case LeafKind::rule_set:
      out_.rule_set = leaf.sha256;
      out_.rule_set_version = leaf.rule_set;
      return;
    case LeafKind::catalogue:
      out_.catalogue = leaf.sha256;
      return;
    case LeafKind::view:
      return add_view(leaf);
    case LeafKind::hour:
      return add_hour(leaf);
    case LeafKind::picture_event:
      return add_picture_event(leaf);
    case LeafKind::correction:
    case LeafKind::report:
    case LeafKind::key:
      return;
  }
}

void Measures::add_picture_event(const Leaf& leaf) {
  const bool always = leaf.rule_set < rules::kFirstWithPictureLimits;
  const bool loose = always || leaf.uhd == UhdClass::loose;
  const bool strict = loose || leaf.uhd == UhdClass::strict;
  const Span whole{leaf.media_from_ms, leaf.media_to_ms};
  NotProgramme& out = not_programme_[leaf.channel];
  if (strict) out.strict.add(whole);
  if (loose) out.loose.add(whole);
  if (!wanted(leaf)) return;
  const Span span = intersection(whole, {filter_.from_ms, filter_.to_ms});
  const auto reason = static_cast<std::size_t>(leaf.reason);
  Told& told = told_[{leaf.channel, leaf.reason}];
  out_.picture_events[reason] += told.all.add(span);
  if (strict) out_.excluded_hours[reason] += told.strict.add(span);
  if (loose) out_.excluded_loose_hours[reason] += told.loose.add(span);
}

void Measures::add_view(const Leaf& leaf) {
  if (!wanted(leaf) || leaf.opened_ms < filter_.from_ms || leaf.opened_ms >= filter_.to_ms) return;
  const RowKey row = row_of(leaf, leaf.opened_ms);
  ViewingHours& hours = out_.viewing_hours[row];
  if (leaf.reason != Reason::none) {
    out_.excluded_views[row][static_cast<std::size_t>(leaf.reason)] +=
        leaf.reason == Reason::not_reported ? leaf.delivered_ms : leaf.claimed_ms;
    if (leaf.reason != Reason::not_reported) hours.claimed_ms += leaf.claimed_ms;
    return;
  }
  hours.total_ms += leaf.credit_ms;
  hours.claimed_ms += leaf.claimed_ms;
  ++hours.intervals;
  if (leaf.uhd == UhdClass::strict) hours.strict_ms += leaf.credit_ms;
  if (leaf.uhd != UhdClass::none)
    hours.loose_ms += leaf.credit_ms;
  else
    hours.other_ms += leaf.credit_ms;
  if (leaf.credit_ms > 0) sessions_.insert(leaf.session);
}

void Measures::add_hour(const Leaf& leaf) {
  const Span media{leaf.media_from_ms, leaf.media_to_ms};
  if (leaf.programme == 0) {
    if (!wanted(leaf)) return;
    const std::int64_t length = intersection(media, {filter_.from_ms, filter_.to_ms}).length();
    for (Excluded* excluded : {&out_.excluded_hours, &out_.excluded_loose_hours})
      (*excluded)[static_cast<std::size_t>(Reason::no_programme)] += length;
    return;
  }
  stretches_.push_back({row_of(leaf, leaf.media_from_ms), media,
                        leaf.content_from_ms - leaf.media_from_ms, leaf.uhd, leaf.channel,
                        (leaf.flags & ledger::kLeafFree) != 0,
                        (leaf.flags & ledger::kLeafBaseline) != 0});
}

Measured Measures::finish() {
  // Picture events may come after the segments that they speak of: only now is all known. What is
  // fresh is decided over the whole log, in its order, also for stretches outside the filter.
  for (Stretch& stretch : stretches_) {
    const UhdClass uhd = stretch.uhd;
    const auto events = not_programme_.find(stretch.channel);
    if (events == not_programme_.end()) {
      count_months(stretch, stretch.media);
      continue;
    }
    const NotProgramme& out = events->second;
    for (const Span& span : out.loose.missing_from(stretch.media)) {
      stretch.uhd = uhd;
      for (const Span& part : out.strict.missing_from(span)) count_months(stretch, part);
      stretch.uhd = std::min(uhd, UhdClass::loose);
      for (const Span& part : out.strict.common_with(span)) count_months(stretch, part);
    }
  }
  stretches_.clear();
  out_.sessions = static_cast<std::int64_t>(sessions_.size());
  return std::move(out_);
}

void Measures::count_months(const Stretch& stretch, Span span) {
  while (!span.empty()) {
    const Span month{span.from, std::min(span.to, next_local_month(span.from))};
    count(stretch, month);
    span.from = month.to;
  }
}

void Measures::count(const Stretch& stretch, Span span) {
  RowKey row = stretch.row;
  row.month = local_month(span.from);
  const Span asked = intersection(span, {filter_.from_ms, filter_.to_ms});
  const bool shown = (filter_.enterprise == 0 || filter_.enterprise == row.enterprise) &&
                     (filter_.programme == 0 || filter_.programme == row.programme) &&
                     (filter_.channel == 0 || filter_.channel == stretch.channel) &&
                     (filter_.region == 0 || filter_.region == row.region) && !asked.empty();
  ProgrammeHours unseen;
  ProgrammeHours& hours = shown ? out_.programme_hours[row] : unseen;
  auto& [strict, loose, other, paid] = offered_[{row.programme, stretch.channel}];
  if (!stretch.free) {
    if (stretch.uhd != UhdClass::none) hours.offered_paid_ms += paid.add(asked);
    return;
  }
  if (stretch.uhd == UhdClass::none) {
    // What is offered in UHD at the same moment is not "other".
    for (const Span& part : loose.missing_from(asked)) hours.offered_other_ms += other.add(part);
    return;
  }
  // A lower rung may have come first in the log.
  for (const Span& part : other.common_with(asked)) hours.offered_other_ms -= part.length();
  other.remove(asked);
  if (stretch.uhd == UhdClass::strict) hours.offered_strict_ms += strict.add(asked);
  hours.offered_loose_ms += loose.add(asked);
  if (stretch.baseline) return;

  auto& [fresh_strict, fresh_loose] = fresh_[{row.enterprise, row.work}];
  // Outside the range: made free there, so not new inside it.
  const auto add_fresh = [&](rules::IntervalSet& seen) {
    std::int64_t inside = 0;
    const std::int64_t shift = stretch.content_shift_ms;
    if (asked.empty()) {
      seen.add({span.from + shift, span.to + shift});
      return inside;
    }
    seen.add({span.from + shift, asked.from + shift});
    inside = seen.add({asked.from + shift, asked.to + shift});
    seen.add({asked.to + shift, span.to + shift});
    return inside;
  };
  if (stretch.uhd == UhdClass::strict) hours.fresh_strict_ms += add_fresh(fresh_strict);
  hours.fresh_loose_ms += add_fresh(fresh_loose);
}

}  // namespace kapok::verify
