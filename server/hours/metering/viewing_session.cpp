#include "server/hours/metering/viewing_session.hpp"

#include <algorithm>

#include "server/hours/metering/programme_leaf.hpp"

namespace kapok::metering {

namespace {

using ledger::Reason;
using rules::Span;

// Between two reports of one play the playhead may disagree by this much (coarse clocks).
constexpr std::int64_t kPlayheadSlackMs = 500;
// A report may claim this much more wall clock than passed since the last one: network jitter.
constexpr milliseconds kWallSlack{2'000};
// Less than this delivered and not played is the edge of a segment, not a preload.
constexpr std::int64_t kLeastUnreportedMs = 1'000;
// [policy] months are cut at local midnight; China has had no summer time since 1991.
constexpr std::int64_t kLocalOffsetMs = 8 * 3600 * 1000;
// A leaf stays within one slice of the local day, and a play is judged in pieces of a minute: so no
// leaf covers more than 5 minutes, however late its reports came, and none covers midnight.
constexpr std::int64_t kSliceMs = 240'000;
constexpr std::int64_t kPieceMs = 60'000;
static_assert(24 * 3600 * 1000 % kSliceMs == 0);
static_assert(milliseconds(kSliceMs + kPieceMs) <= rules::RuleSet().longest_interval);

std::int64_t mono_ms(MonoTime time) {
  return std::chrono::floor<milliseconds>(time.time_since_epoch()).count();
}

std::int64_t wall_length(std::int64_t media_ms, std::uint32_t rate_milli) {
  return rate_milli == 0 ? 0 : media_ms * 1000 / rate_milli;
}

Span hull(Span a, Span b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  return {std::min(a.from, b.from), std::max(a.to, b.to)};
}

}  // namespace

ViewingSession::ViewingSession(access::SessionToken token, Moment now)
    : token_(std::move(token)), consumed_until_(now.mono), last_active_(now.mono) {}

void ViewingSession::delivered(std::string_view rendition, Span span, std::uint64_t bytes,
                               Moment now) {
  last_active_ = now.mono;
  touched_ = true;
  bytes_ += bytes;
  auto found = std::ranges::find(delivered_, rendition, &decltype(delivered_)::value_type::first);
  if (found == delivered_.end()) {
    if (delivered_.size() >= kMaxRenditions) return;
    delivered_.emplace_back(rendition, rules::IntervalSet(kMaxDeliveredSpans));
    found = std::prev(delivered_.end());
  }
  found->second.add(span);
}

ViewingSession::Taken ViewingSession::reported(const BeaconReport& report,
                                               const rules::RuleSet& rules, Moment now) {
  if (report.sequence <= last_sequence_) return Taken::repeated;
  if (pending_.size() + report.played.size() > kMaxPending) return Taken::too_many;
  last_sequence_ = report.sequence;
  last_active_ = now.mono;
  touched_ = true;
  wants_close_ = report.state == PlayState::ended;

  // When was it played? At the end of the time before it was sent. The player's clock is mapped to
  // ours by the fastest report so far; it can only move the claim back, never past now.
  const std::int64_t received = mono_ms(now.mono);
  std::int64_t wall_to = received;
  if (report.sent_ms > 0) {
    if (report.sent_ms < last_sent_ms_) clock_offset_ms_.reset();  // its clock went back
    last_sent_ms_ = report.sent_ms;
    const std::int64_t offset = received - report.sent_ms;
    clock_offset_ms_ = clock_offset_ms_ ? std::min(*clock_offset_ms_, offset) : offset;
    wall_to = std::clamp(report.sent_ms + *clock_offset_ms_,
                         received - rules.longest_backlog.count(), received);
  }
  std::int64_t wanted = 0;
  for (const Span& span : report.played) wanted += wall_length(span.length(), report.rate_milli);
  // Over the session no more is ever granted than passed on our clock.
  const std::int64_t consumed =
      std::max(mono_ms(consumed_until_), wall_to - rules.longest_backlog.count());
  const std::int64_t granted = std::clamp<std::int64_t>(wall_to - consumed, 0, wanted);
  const std::int64_t next = std::max(consumed + granted, wall_to - kWallSlack.count());
  consumed_until_ = MonoTime(milliseconds(std::max(next, mono_ms(consumed_until_))));

  const std::int64_t utc_shift = to_ms(now.utc) - received;
  std::int64_t left = granted;
  std::int64_t wall_from = wall_to - granted;
  const std::int64_t piece_ms =
      std::max<std::int64_t>(kPieceMs * report.rate_milli / 1000, kPieceMs / 10);
  for (Span rest : report.played)
    while (!rest.empty()) {
      const Span piece{rest.from, std::min(rest.to, rest.from + piece_ms)};
      rest.from = piece.to;
      const std::int64_t allowed = std::min(left, wall_length(piece.length(), report.rate_milli));
      left -= allowed;
      pending_.push_back({piece, report.rate_milli, report.visibility, allowed,
                          wall_from + utc_shift, wall_from + allowed + utc_shift, now.mono});
      wall_from += allowed;
    }
  if (!report.played.empty()) {
    closed_ = false;
    if (!interval_opened_) interval_opened_ = now.mono;
  }
  return Taken::yes;
}

void ViewingSession::judge(MonoTime until, const Judgement& with) {
  while (!pending_.empty() && pending_.front().reported <= until) {
    const Play play = pending_.front();
    pending_.pop_front();
    judge_play(play, with);
  }
}

void ViewingSession::judge_play(const Play& play, const Judgement& with) {
  played_.add(play.media);
  if (play.rate_milli == 0 || play.rate_milli >= with.rules.rate_limit_milli)
    return exclude(play, play.media, Reason::too_fast, with, 0);
  if (play.visibility == Visibility::hidden && !with.rules.count_background)
    return exclude(play, play.media, Reason::background, with, 0);

  if (run_ && std::abs(play.media.from - run_->media_end_ms) > kPlayheadSlackMs) end_run();
  if (!run_) run_.emplace(Run{});
  run_->media_end_ms = play.media.to;

  std::int64_t allowed = play.allowed_ms;
  rules::IntervalSet had;
  for (const PictureHistory::Piece& piece : delivered_pieces(play.media, with)) {
    had.add(piece.span);
    judge_piece(play, piece, with, allowed);
  }
  for (const Span& missing : had.missing_from(play.media))
    exclude(play, missing, Reason::not_delivered, with, 0);
}

void ViewingSession::judge_piece(const Play& play, const PictureHistory::Piece& piece,
                                 const Judgement& with, std::int64_t& allowed) {
  for (const PictureExclusions::Piece& part : with.exclusions.split(token_.channel, piece.span)) {
    if (part.counted == rules::Counted::by_none) {
      // It was watched, though it was no programme: its time has passed.
      allowed -= std::min(allowed, wall_length(part.span.length(), play.rate_milli));
      exclude(play, part.span, part.reason, with, part.span.length());
      continue;
    }
    // What only the strict reading takes out is not strict any more.
    const auto highest = part.counted == rules::Counted::by_loose ? ledger::UhdClass::loose
                                                                  : ledger::UhdClass::strict;
    credit_piece(play, {part.span, std::min(piece.uhd, highest), piece.picture}, with, allowed);
  }
}

// The best picture first: where two renditions of one moment were delivered, the better one is what
// a player shows.
std::vector<PictureHistory::Piece> ViewingSession::delivered_pieces(Span media,
                                                                    const Judgement& with) const {
  std::vector<PictureHistory::Piece> candidates;
  for (const auto& [rendition, set] : delivered_)
    for (const Span& common : set.common_with(media))
      for (const PictureHistory::Piece& piece :
           with.pictures.split(token_.channel, rendition, common))
        candidates.push_back(piece);
  std::ranges::sort(candidates, [](const auto& a, const auto& b) {
    return a.uhd != b.uhd ? a.uhd > b.uhd : a.span.from < b.span.from;
  });
  rules::IntervalSet taken;
  std::vector<PictureHistory::Piece> out;
  for (const PictureHistory::Piece& candidate : candidates) {
    for (const Span& span : taken.missing_from(candidate.span))
      out.push_back({span, candidate.uhd, candidate.picture});
    taken.add(candidate.span);
  }
  std::ranges::sort(out, {}, [](const PictureHistory::Piece& piece) { return piece.span.from; });
  return out;
}

void ViewingSession::credit_piece(const Play& play, const PictureHistory::Piece& piece,
                                  const Judgement& with, std::int64_t& allowed) {
  for (const auto& part :
       with.catalogue.split(token_.channel, from_ms(piece.span.from), from_ms(piece.span.to))) {
    const Span media{to_ms(part.from), to_ms(part.to)};
    if (part.programme == nullptr) {
      exclude(play, media, Reason::no_programme, with, media.length());
      continue;
    }
    const std::int64_t earned = std::min(wall_length(media.length(), play.rate_milli), allowed);
    allowed -= earned;
    const std::int64_t earned_media = std::min(earned * play.rate_milli / 1000, media.length());
    const std::int64_t slice = (play.wall_from_ms + kLocalOffsetMs) / kSliceMs;
    const TallyKey key{part.programme,  piece.uhd,       Reason::none,
                       play.rate_milli, play.visibility, slice};
    Tally tally;
    tally.credit_ms = earned;
    tally.claimed_ms = earned_media;
    tally.delivered_ms = earned_media;
    tally.wall_ms = earned;
    tally.media = {media.from, media.from + earned_media};
    tally.wall = {play.wall_from_ms, play.wall_to_ms};
    if (piece.picture != nullptr) tally.picture = *piece.picture;
    if (earned > 0) hold(key, tally, with);
    // Up to a millisecond per piece is rounding, not a claim.
    if (media.length() - earned_media > 1 + play.rate_milli / 1000)
      exclude(play, {media.from + earned_media, media.to}, Reason::faster_than_clock, with,
              media.length() - earned_media);
  }
}

void ViewingSession::exclude(const Play& play, Span media, Reason reason, const Judgement& with,
                             std::int64_t delivered_ms) {
  const std::int64_t slice = (play.wall_from_ms + kLocalOffsetMs) / kSliceMs;
  for (const auto& part :
       with.catalogue.split(token_.channel, from_ms(media.from), from_ms(media.to))) {
    const Span span{to_ms(part.from), to_ms(part.to)};
    Tally tally;
    tally.claimed_ms = span.length();
    tally.delivered_ms = delivered_ms > 0 ? span.length() : 0;
    tally.media = span;
    tally.wall = {play.wall_from_ms, play.wall_to_ms};
    add({part.programme, ledger::UhdClass::none, reason, play.rate_milli, play.visibility, slice},
        tally);
  }
}

// Credit counts only once its continuous play is longer than the rules want.
void ViewingSession::hold(const TallyKey& key, const Tally& tally, const Judgement& with) {
  run_->credit_ms += tally.credit_ms;
  if (run_->counts) return add(key, tally);
  run_->held.push_back({key, tally});
  if (run_->credit_ms <= with.rules.shortest_play.count()) return;
  run_->counts = true;
  for (const Entry& entry : run_->held) add(entry.key, entry.tally);
  run_->held.clear();
}

void ViewingSession::end_run() {
  if (!run_) return;
  for (Entry& entry : run_->held) {
    entry.key.reason = Reason::short_play;
    entry.tally.credit_ms = 0;
    add(entry.key, entry.tally);
  }
  run_.reset();
}

void ViewingSession::add(const TallyKey& key, const Tally& tally) {
  Tally& sum = tallies_[key];
  sum.credit_ms += tally.credit_ms;
  sum.claimed_ms += tally.claimed_ms;
  sum.delivered_ms += tally.delivered_ms;
  sum.wall_ms += tally.wall_ms;
  sum.media = hull(sum.media, tally.media);
  sum.wall = hull(sum.wall, tally.wall);
  sum.picture = tally.picture;
}

ledger::Leaf ViewingSession::leaf_of(const TallyKey& key, const Tally& tally,
                                     const Judgement& with) const {
  ledger::Leaf leaf = programme_leaf(ledger::LeafKind::view, token_.channel, key.programme,
                                     with.catalogue, with.rules);
  leaf.reason = key.reason;
  leaf.grade = 1;
  if (key.visibility == Visibility::unknown) leaf.flags |= ledger::kLeafVisibilityUnknown;
  describe_picture(leaf, tally.picture, key.uhd);
  leaf.opened_ms = tally.wall.from;
  leaf.closed_ms = std::max(tally.wall.from, tally.wall.to);
  leaf.media_from_ms = tally.media.from;
  leaf.media_to_ms = tally.media.to;
  leaf.session = token_.session;
  leaf.household = token_.household;
  leaf.region = token_.region;
  leaf.credit_ms = static_cast<std::uint32_t>(tally.credit_ms);
  leaf.claimed_ms = static_cast<std::uint32_t>(tally.claimed_ms);
  leaf.delivered_ms = static_cast<std::uint32_t>(tally.delivered_ms);
  leaf.wall_ms = static_cast<std::uint32_t>(tally.wall_ms);
  leaf.rate_milli = static_cast<std::uint16_t>(std::min(key.rate_milli, 65535U));
  return leaf;
}

void ViewingSession::close_interval(const Judgement& with, std::vector<ledger::Leaf>& out) {
  bool first = true;
  for (const auto& [key, tally] : tallies_) {
    out.push_back(leaf_of(key, tally, with));
    // Bytes are the session's, not a programme's: they stand once, in the interval's first leaf.
    if (first) out.back().bytes = std::exchange(bytes_, 0);
    first = false;
  }
  tallies_.clear();
  interval_opened_.reset();
  if (!pending_.empty()) interval_opened_ = pending_.front().reported;
}

void ViewingSession::close(const Judgement& with, std::vector<ledger::Leaf>& out) {
  judge(MonoTime::max(), with);
  end_run();
  close_interval(with, out);
  closed_ = true;
  wants_close_ = false;
}

void ViewingSession::end(const Judgement& with, Moment now, std::vector<ledger::Leaf>& out) {
  close(with, out);
  rules::IntervalSet unplayed;
  for (const auto& [rendition, set] : delivered_)
    for (const Span& span : set.spans())
      for (const Span& missing : played_.missing_from(span)) unplayed.add(missing);
  if (unplayed.length() < kLeastUnreportedMs) return;
  for (const Span& span : unplayed.spans())
    for (const auto& part :
         with.catalogue.split(token_.channel, from_ms(span.from), from_ms(span.to))) {
      Tally tally;
      tally.media = {to_ms(part.from), to_ms(part.to)};
      tally.delivered_ms = tally.media.length();
      tally.wall = {to_ms(now.utc), to_ms(now.utc)};
      add({part.programme, ledger::UhdClass::none, Reason::not_reported, 0, Visibility::unknown, 0},
          tally);
    }
  for (auto& [key, tally] : tallies_) tally.wall = {to_ms(now.utc), to_ms(now.utc)};
  close_interval(with, out);
  delivered_.clear();
}

}  // namespace kapok::metering
