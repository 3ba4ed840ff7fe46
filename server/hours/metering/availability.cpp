#include "server/hours/metering/availability.hpp"

#include <algorithm>

#include "server/hours/metering/programme_leaf.hpp"

namespace kapok::metering {

namespace {

ledger::UhdClass taken_out_of(rules::Counted counted) {
  if (counted == rules::Counted::by_none) return ledger::UhdClass::loose;
  return counted == rules::Counted::by_loose ? ledger::UhdClass::strict : ledger::UhdClass::none;
}

}  // namespace

void Availability::published(const evidence::Published& segment, ledger::UhdClass uhd,
                             const Judgement& with, Moment now, std::vector<ledger::Leaf>& out) {
  if (segment.picture.width == 0) return;  // sound earns no programme hours
  for (const auto& piece :
       with.catalogue.split(segment.channel, segment.interval.from, segment.interval.to))
    extend(segment, uhd, piece, with, now, out);
}

void Availability::extend(const evidence::Published& segment, ledger::UhdClass uhd,
                          const catalogue::Catalogue::Piece& piece, const Judgement& with,
                          Moment now, std::vector<ledger::Leaf>& out) {
  const rules::Span span{to_ms(piece.from), to_ms(piece.to)};
  if (span.empty()) return;
  const std::pair key(segment.channel, uhd);
  auto found = runs_.find(key);
  if (found != runs_.end()) {
    Run& run = found->second;
    // Another rendition of the same class brings the same moments again.
    if (span.from >= run.media.from && span.to <= run.media.to && run.programme == piece.programme)
      return;
    const std::int64_t gap = span.from - run.media.to;
    const bool goes_on = run.programme == piece.programme && span.from >= run.media.from &&
                         gap <= with.rules.longest_bridged_gap.count() &&
                         span.to - run.media.from <= with.rules.longest_hour_leaf.count();
    if (goes_on) {
      run.media.to = std::max(run.media.to, span.to);
      run.hashes.update(segment.sha256);
      run.extended = now.mono;
      return;
    }
    // A bridged gap belongs to the stretch before it also where one leaf ends and the next begins.
    if (run.programme == piece.programme && gap > 0 &&
        gap <= with.rules.longest_bridged_gap.count())
      run.media.to = span.from;
    out.push_back(leaf_of(run, with, now));
    runs_.erase(found);
  }
  if (runs_.size() >= kMaxRuns) return;
  Run run{segment.channel, piece.programme, uhd, segment.picture, span, {}, now, now.mono};
  run.hashes.update(segment.sha256);
  runs_.emplace(key, std::move(run));
}

ledger::Leaf Availability::leaf_of(Run& run, const Judgement& with, Moment now) {
  ledger::Leaf leaf = programme_leaf(ledger::LeafKind::hour, run.channel, run.programme,
                                     with.catalogue, with.rules);
  describe_picture(leaf, run.picture, run.uhd);
  leaf.opened_ms = to_ms(run.opened.utc);
  leaf.closed_ms = std::max(leaf.opened_ms, to_ms(now.utc));
  leaf.media_from_ms = run.media.from;
  leaf.media_to_ms = run.media.to;
  leaf.sha256 = run.hashes.finish();
  if (run.programme == nullptr) {
    leaf.reason = ledger::Reason::no_programme;
    return leaf;
  }
  leaf.content_from_ms = content_position_ms(*run.programme, from_ms(run.media.from));
  const bool earns = run.programme->free && run.uhd != ledger::UhdClass::none;
  leaf.credit_ms = earns ? static_cast<std::uint32_t>(run.media.length()) : 0;
  return leaf;
}

void Availability::picture_event(std::string_view channel, const PictureExclusions::Piece& stretch,
                                 const Judgement& with, Moment now,
                                 std::vector<ledger::Leaf>& out) {
  for (const auto& piece :
       with.catalogue.split(channel, from_ms(stretch.span.from), from_ms(stretch.span.to))) {
    ledger::Leaf leaf = programme_leaf(ledger::LeafKind::picture_event, channel, piece.programme,
                                       with.catalogue, with.rules);
    leaf.reason = stretch.reason;
    leaf.uhd = taken_out_of(stretch.counted);
    leaf.opened_ms = leaf.closed_ms = to_ms(now.utc);
    leaf.media_from_ms = to_ms(piece.from);
    leaf.media_to_ms = to_ms(piece.to);
    if (piece.programme != nullptr)
      leaf.content_from_ms = content_position_ms(*piece.programme, piece.from);
    out.push_back(leaf);
  }
}

void Availability::close_idle(MonoTime until, const Judgement& with, Moment now,
                              std::vector<ledger::Leaf>& out) {
  for (auto at = runs_.begin(); at != runs_.end();) {
    if (at->second.extended > until) {
      ++at;
      continue;
    }
    out.push_back(leaf_of(at->second, with, now));
    at = runs_.erase(at);
  }
}

void Availability::close_all(const Judgement& with, Moment now, std::vector<ledger::Leaf>& out) {
  close_idle(MonoTime::max(), with, now, out);
}

}  // namespace kapok::metering
