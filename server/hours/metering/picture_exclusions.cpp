#include "server/hours/metering/picture_exclusions.hpp"

#include <algorithm>

#include "server/hours/metering/picture_history.hpp"

namespace kapok::metering {

namespace {

using evidence::PictureEventKind;
using rules::Counted;
using rules::Span;

milliseconds rules::PictureLimits::* limit_of(PictureEventKind kind) {
  switch (kind) {
    case PictureEventKind::slate:
      return &rules::PictureLimits::slate;
    case PictureEventKind::black:
      return &rules::PictureLimits::black;
    case PictureEventKind::frozen:
      return &rules::PictureLimits::frozen;
    case PictureEventKind::bars:
      return &rules::PictureLimits::bars;
    case PictureEventKind::silence:
      return &rules::PictureLimits::silence;
  }
  return &rules::PictureLimits::slate;
}

// The whole stretch that `span` is part of.
Span whole(const rules::IntervalSet& set, Span span) {
  for (const Span& held : set.spans())
    if (!intersection(held, span).empty()) return held;
  return span;
}

}  // namespace

ledger::Reason reason_of(PictureEventKind kind) {
  switch (kind) {
    case PictureEventKind::slate:
      return ledger::Reason::slate;
    case PictureEventKind::black:
      return ledger::Reason::black;
    case PictureEventKind::frozen:
      return ledger::Reason::frozen;
    case PictureEventKind::bars:
      return ledger::Reason::bars;
    case PictureEventKind::silence:
      return ledger::Reason::silence;
  }
  return ledger::Reason::slate;
}

std::vector<PictureExclusions::Piece> PictureExclusions::take(const evidence::PictureEvent& event,
                                                              const rules::RuleSet& rules) {
  const Span span = to_span(event.interval);
  if (span.empty()) return {};
  auto found = channels_.find(event.channel);
  if (found == channels_.end()) {
    if (channels_.size() >= kMaxChannels) return {};
    found = channels_.emplace(event.channel, OfChannel()).first;
  }
  auto& worth = found->second[static_cast<std::size_t>(event.kind)].worth;
  const rules::IntervalSet before = worth.front();
  worth.front().add(span);
  const Span stretch = whole(worth.front(), span);
  const Counted counts = counted(rules, limit_of(event.kind), milliseconds(stretch.length()));
  std::vector<Piece> fresh;
  const auto tell = [&](const Span& part) {
    fresh.push_back({part, counts, reason_of(event.kind)});
  };
  if (counts == Counted::by_both) {
    for (const Span& part : before.missing_from(span)) tell(part);
    return fresh;
  }
  const auto level = static_cast<std::size_t>(counts);
  for (const Span& part : worth[level].missing_from(stretch)) tell(part);
  for (std::size_t i = 1; i <= level; ++i) worth[i].add(stretch);
  return fresh;
}

std::vector<PictureExclusions::Piece> PictureExclusions::split(std::string_view channel,
                                                               Span span) const {
  const auto found = channels_.find(channel);
  if (found == channels_.end()) return {{span}};
  std::vector<Piece> out;
  rules::IntervalSet taken;
  for (const Counted counts : {Counted::by_none, Counted::by_loose, Counted::by_both})
    for (const PictureEventKind kind : kKinds) {
      const Stretches& stretches = found->second[static_cast<std::size_t>(kind)];
      for (const Span& common :
           stretches.worth[static_cast<std::size_t>(counts)].common_with(span)) {
        for (const Span& part : taken.missing_from(common))
          out.push_back({part, counts, reason_of(kind)});
        taken.add(common);
      }
    }
  for (const Span& part : taken.missing_from(span)) out.push_back({part});
  std::ranges::sort(out, {}, [](const Piece& piece) { return piece.span.from; });
  return out;
}

}  // namespace kapok::metering
