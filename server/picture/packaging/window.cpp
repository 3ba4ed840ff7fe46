#include "server/picture/packaging/window.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <deque>
#include <iterator>
#include <map>
#include <utility>

#include "server/picture/packaging/hls_media_playlist.hpp"
#include "server/picture/packaging/image_window.hpp"
#include "server/picture/packaging/listing.hpp"

namespace kapok::packaging {

namespace {

// Parts stay fetchable by name this long after they left the playlist's list of parts; then only
// their segment can be fetched. [RFC 8216bis 6.2.2] asks for three target durations.
constexpr std::size_t kSegmentsWithParts = 12;
// A rendition that is declared but silent does not hold the channel back longer than this.
constexpr std::size_t kSegmentsBeforeSilentSibling = 2;

UtcTime utc_of(Ticks ticks, Timescale timescale) {
  return UtcTime(media::to_microseconds(ticks, timescale));
}

// From the largest rung down: the same order after a restart and whoever came first.
bool rung_before(const RenditionListing& a, const RenditionListing& b) {
  const auto size = [](const RenditionListing& listing) {
    const media::VideoFacts* video = listing.init->track->video();
    return video ? std::pair(std::uint64_t{video->width} * video->height, video->frame_rate.value())
                 : std::pair(std::uint64_t{0}, 0.0);
  };
  const auto [pixels_a, rate_a] = size(a);
  const auto [pixels_b, rate_b] = size(b);
  if (pixels_a != pixels_b) return pixels_a > pixels_b;
  if (rate_a != rate_b) return rate_a > rate_b;
  return a.info.id < b.info.id;
}

}  // namespace

struct RenditionWindow::State {
  RenditionInfo info;
  bool live = false;
  std::uint64_t generation = 0;
  Era era;                       // of the newest segment
  std::deque<Segment> segments;  // oldest first, ascending numbers; the last may be open
  std::uint64_t listed_from = 0;
  // Of the segment that comes next; nothing once it is known that this era will have none.
  std::optional<std::uint32_t> next_discontinuity_sequence;
  // The part that comes next, while we can promise it.
  std::optional<std::uint64_t> hint;
  HlsMediaPlaylist playlist;
  std::vector<std::shared_ptr<const InitSegment>> inits;
  struct Appearance {
    std::uint32_t era = 0;
    RenditionInfo info;
    std::shared_ptr<const InitSegment> init;
  };
  std::vector<Appearance> appearances;
  mutable Rendered full;
  mutable Rendered delta;

  const Segment* find(std::uint64_t number) const {
    const auto at =
        std::lower_bound(segments.begin(), segments.end(), number,
                         [](const Segment& s, std::uint64_t n) { return s.number < n; });
    return at != segments.end() && at->number == number ? &*at : nullptr;
  }
  // Whether the open segment is as long as its era's segments are: the part that comes next is
  // most likely the first of the next one, but that is known only with its first frame.
  bool is_filled() const {
    if (segments.empty() || segments.back().complete) return false;
    const Ticks whole =
        media::from_microseconds(era.segment_duration - info.part_target / 2, info.timescale);
    return segments.back().duration >= whole;
  }
  // The newest that a playlist can show: an open segment counts from its first part on.
  const Segment* newest_listed() const {
    if (segments.empty()) return nullptr;
    const Segment* last = &segments.back();
    if (!last->complete && last->parts.empty()) {
      if (segments.size() == 1) return nullptr;
      last = &segments[segments.size() - 2];
    }
    return last->number >= listed_from ? last : nullptr;
  }
  bool has_listed() const { return newest_listed() != nullptr; }
  bool lists_from_era(std::uint32_t id) const {
    for (auto at = segments.rbegin(); at != segments.rend() && at->number >= listed_from; ++at)
      if (at->era == id && (at->complete || !at->parts.empty())) return true;
    return false;
  }
  // Whether anything it lists can be played.
  bool lists_media() const {
    for (auto at = segments.rbegin(); at != segments.rend() && at->number >= listed_from; ++at)
      if (at->complete ? !at->gap : !at->parts.empty()) return true;
    return false;
  }
  // A rung is offered while there is something of it: it may have been away when this era began.
  bool is_offered(std::uint32_t era_id) const {
    return info.rung ? lists_media() : lists_from_era(era_id);
  }
  const Part* find_part(std::uint64_t number, const Segment** holder) const {
    auto at = std::upper_bound(segments.begin(), segments.end(), number,
                               [](std::uint64_t n, const Segment& s) { return n < s.first_part; });
    if (at == segments.begin()) return nullptr;
    --at;
    const std::uint64_t index = number - at->first_part;
    if (index >= at->parts.size()) return nullptr;
    *holder = &*at;
    return &at->parts[index];
  }
  RenditionReport report() const {
    RenditionReport report;
    report.rendition = info.id;
    const Segment* last = newest_listed();
    report.last_msn = last->number;
    if (!last->parts.empty()) report.last_part = last->parts.size() - 1;
    return report;
  }
};

RenditionWindow::RenditionWindow(std::shared_ptr<State> state) : state_(std::move(state)) {}

const RenditionInfo& RenditionWindow::info() const {
  return state_->info;
}
std::uint64_t RenditionWindow::generation() const {
  return state_->generation;
}
bool RenditionWindow::segments_empty() const {
  return !state_->has_listed();
}

Presence RenditionWindow::playlist_presence(std::uint64_t msn,
                                            std::optional<std::uint64_t> part) const {
  if (state_->segments.empty()) return Presence::never;
  const Segment& last = state_->segments.back();
  const std::uint64_t complete = last.complete ? last.number : last.number - 1;
  if (part && msn == complete && last.complete && *part >= last.parts.size() && !last.gap) {
    // [RFC 8216bis 6.2.5.2] a part index beyond the segment's last part means part 0 of the next.
    return Presence::coming;
  }
  if (msn <= complete) return Presence::here;
  if (msn > last.number + 2) return Presence::too_far;
  if (!part || msn != last.number) return Presence::coming;
  return *part < last.parts.size() ? Presence::here : Presence::coming;
}

Rendered RenditionWindow::playlist(PlaylistForm form) const {
  Rendered& cached = form == PlaylistForm::full ? state_->full : state_->delta;
  if (cached.text.empty() || cached.generation != state_->generation) {
    const std::string text = state_->playlist.render(form);
    cached.text = Buffer::copy_of(text);
    cached.generation = state_->generation;
  }
  return cached;
}

std::shared_ptr<const InitSegment> RenditionWindow::find_init(std::string_view name) const {
  for (const auto& init : state_->inits)
    if (init->name == name) return init;
  return nullptr;
}

std::string segment_name_prefix(std::uint32_t discontinuity_sequence) {
  return discontinuity_sequence == 0 ? std::string() : fmt::format("{}-", discontinuity_sequence);
}

Presence RenditionWindow::segment_presence(const SegmentName& name) const {
  const std::uint64_t number = name.number;
  const std::uint32_t sequence = name.discontinuity_sequence;
  if (state_->segments.empty()) return Presence::never;
  const Segment& last = state_->segments.back();
  if (const Segment* found = state_->find(number);
      found && found->discontinuity_sequence == sequence) {
    if (found->gap) return Presence::empty;
    return found->complete || !found->parts.empty() ? Presence::here : Presence::coming;
  }
  if (state_->next_discontinuity_sequence != sequence) return after_its_era(name);
  if (number <= last.number) return Presence::never;
  if (number > last.number + 1) return Presence::too_far;
  // The next segment is held however early it is asked for, and while no feed is there too (the
  // same encoder may go on where it was): players prefetch it, or their clock is off, and who is
  // told 404 asks again at once (Shaka: ten times a second), from a cache for a second too long.
  // Who is held waits for one segment at most.
  return Presence::coming;
}

// While the encoder was away, players went on counting in the Period that had no end yet, and stock
// Shaka asks for the numbers it has counted until it gets something: a 404 for them is the end of
// playback. A segment without media lets it come to the next Period.
Presence RenditionWindow::after_its_era(const SegmentName& name) const {
  const auto& segments = state_->segments;
  const auto newest = std::find_if(segments.rbegin(), segments.rend(), [&](const Segment& segment) {
    return segment.discontinuity_sequence == name.discontinuity_sequence;
  });
  return newest != segments.rend() && name.number > newest->number ? Presence::empty
                                                                   : Presence::never;
}

std::optional<MediaObject> RenditionWindow::find_segment(const SegmentName& name) const {
  const Segment* segment = state_->find(name.number);
  if (!segment || segment->gap || !segment->file) return std::nullopt;
  if (segment->discontinuity_sequence != name.discontinuity_sequence) return std::nullopt;
  if (!segment->complete && segment->parts.empty()) return std::nullopt;
  MediaObject object;
  object.file = segment->file;
  object.size = segment->bytes;
  object.complete = segment->complete;
  object.from = utc_of(segment->start, state_->info.timescale);
  object.to = utc_of(segment->start + segment->duration, state_->info.timescale);
  if (segment->complete)
    object.etag =
        fmt::format("\"s{}-{:x}-{:x}\"", name.number, segment->bytes, segment->start.count);
  return object;
}

Presence RenditionWindow::part_presence(std::uint64_t number) const {
  const Segment* holder = nullptr;
  if (state_->find_part(number, &holder)) return Presence::here;
  if (!state_->hint || !state_->live) return Presence::never;
  if (number == *state_->hint) return Presence::coming;
  if (number > *state_->hint) return Presence::too_far;
  return Presence::never;
}

std::optional<MediaObject> RenditionWindow::find_part(std::uint64_t number) const {
  const Segment* holder = nullptr;
  const Part* part = state_->find_part(number, &holder);
  if (!part || !holder->file) return std::nullopt;
  MediaObject object;
  object.file = holder->file;
  object.offset = part->offset;
  object.size = part->size;
  object.from = utc_of(part->start, state_->info.timescale);
  object.to = utc_of(part->start + part->duration, state_->info.timescale);
  object.etag = fmt::format("\"p{}-{:x}-{:x}\"", number, part->size, part->start.count);
  return object;
}

struct ChannelWindow::State {
  std::string channel;
  bool live = false;
  std::vector<Era> eras;   // those that still have segments, oldest first; the last one runs
  bool era_ended = false;  // the last one does not run any more
  UtcTime published;       // channel time of the last change to what is listed
  std::vector<std::string> ids;
  std::map<std::string, RenditionWindow, std::less<>> renditions;
  ImageWindow images;
  mutable std::optional<Rendered> multivariant;
  mutable std::optional<Rendered> manifest;
  std::uint64_t listing_generation = 1;

  using Rendition = RenditionWindow::State;
  Rendition& at(const std::string& id) {
    const auto found = renditions.find(id);
    assert(found != renditions.end() && "event of a rendition that was never opened");
    return *found->second.state_;
  }
  const Era& era(std::uint32_t id) const {
    assert(!eras.empty() && "segment before any era");
    for (auto at = eras.rbegin(); at != eras.rend(); ++at)
      if (at->id <= id) return *at;
    return eras.front();
  }
  void structure_changed() {
    ++listing_generation;
    // MPD@publishTime must rise with the text, and be the same on every shard: so it is channel
    // time, and moves only here.
    if (!eras.empty()) published = std::max(published, eras.back().start_utc);
    for (const auto& [id, rendition] : renditions) {
      const Rendition& state = *rendition.state_;
      if (!state.segments.empty())
        published =
            std::max(published, utc_of(state.segments.back().start + state.segments.back().duration,
                                       state.info.timescale));
    }
    multivariant.reset();
    manifest.reset();
  }

  void changed(Rendition& rendition) {
    ++rendition.generation;
    // A hint stands behind the parts of the open segment and is taken for the next of them (Shaka
    // then fetches and appends a sync part twice), so it is left out where that is unlikely. The
    // part may be asked for all the same, and is held.
    const bool hinted = rendition.live && !rendition.is_filled();
    rendition.playlist.set_hint(hinted ? rendition.hint : std::nullopt);
    // Reports are what was known at this event, not at rendering: so the same generation is the
    // same bytes on every shard, however late each of them renders.
    std::vector<RenditionReport> reports;
    microseconds slowest = rendition.info.delay;
    for (const auto& [id, other] : renditions) {
      const Rendition& sibling = *other.state_;
      if (&sibling == &rendition || !sibling.has_listed() || eras.empty()) continue;
      if (sibling.appearances.empty() || sibling.appearances.back().era != eras.back().id) continue;
      reports.push_back(sibling.report());
      slowest = std::max(slowest, sibling.info.delay);
    }
    rendition.playlist.set_reports(std::move(reports));
    rendition.playlist.set_ahead(slowest - rendition.info.delay);
  }
  void all_changed() {
    for (auto& [id, rendition] : renditions) changed(*rendition.state_);
  }

  void on(const EraOpened& event) {
    for (Era& era : eras)
      if (era.id == event.era.id) {
        era = event.era;
        structure_changed();
        return;
      }
    const bool seamless =
        !eras.empty() && eras.back().discontinuity_sequence == event.era.discontinuity_sequence;
    // A grid that was moved again before anything was cut by it.
    if (seamless && eras.size() > 1 && eras.back().base >= event.era.base) eras.pop_back();
    eras.push_back(event.era);
    era_ended = false;
    // What was hinted belongs to the era that has ended: it will not come.
    if (!seamless) withdraw_hints();
    for (auto& [id, rendition] : renditions)
      rendition.state_->next_discontinuity_sequence = event.era.discontinuity_sequence;
    structure_changed();
    all_changed();
  }

  void on(const EraEnded&) {
    era_ended = true;
    withdraw_hints();
    for (auto& [id, rendition] : renditions) rendition.state_->next_discontinuity_sequence.reset();
    structure_changed();
    all_changed();
  }
  void withdraw_hints() {
    for (auto& [id, rendition] : renditions) rendition.state_->hint.reset();
  }

  void on(const RenditionOpened& event) {
    auto found = renditions.find(event.info.id);
    if (found == renditions.end()) {
      auto state = std::make_shared<Rendition>();
      state->live = live;
      found = renditions.emplace(event.info.id, RenditionWindow(std::move(state))).first;
      ids.push_back(event.info.id);
    }
    Rendition& rendition = *found->second.state_;
    rendition.info = event.info;
    rendition.playlist.set_info(event.info);
    const bool known =
        std::any_of(rendition.inits.begin(), rendition.inits.end(),
                    [&](const auto& init) { return init->name == event.init->name; });
    if (!known) rendition.inits.push_back(event.init);
    if (!era_ended) rendition.next_discontinuity_sequence = era(event.era).discontinuity_sequence;
    auto& appearances = rendition.appearances;
    if (appearances.empty() || appearances.back().era != event.era) appearances.push_back({});
    appearances.back() = {event.era, event.info, event.init};
    structure_changed();
    changed(rendition);
  }

  void on(const SegmentOpened& event) {
    Rendition& rendition = at(event.rendition);
    assert(rendition.segments.empty() || rendition.segments.back().complete);
    rendition.era = era(event.segment.era);
    rendition.segments.push_back(event.segment);
    rendition.segments.back().discontinuity_sequence = rendition.era.discontinuity_sequence;
    rendition.hint = event.segment.first_part;
    rendition.playlist.open_segment(event.segment, rendition.era.discontinuity_sequence);
    changed(rendition);
  }

  void on(const PartAdded& event) {
    Rendition& rendition = at(event.rendition);
    Segment& segment = rendition.segments.back();
    assert(segment.number == event.segment && !segment.complete);
    const bool first = segment.parts.empty() && !rendition.is_offered(segment.era);
    segment.parts.push_back(event.part);
    segment.duration = event.part.start + event.part.duration - segment.start;
    segment.bytes = event.part.offset + event.part.size;
    rendition.hint = event.part.number + 1;
    rendition.playlist.add_part(event.part);
    if (first) structure_changed();
    changed(rendition);
  }

  void on(const SegmentClosed& event) {
    Rendition& rendition = at(event.rendition);
    auto& segments = rendition.segments;
    const bool was_offered = rendition.is_offered(event.segment.era);
    rendition.era = era(event.segment.era);
    if (segments.empty() || segments.back().number != event.segment.number)
      segments.push_back(event.segment);
    else
      segments.back() = event.segment;
    segments.back().discontinuity_sequence = rendition.era.discontinuity_sequence;
    if (event.segment.gap)
      rendition.hint.reset();
    else
      rendition.hint = event.segment.first_part + event.segment.parts.size();
    rendition.playlist.close_segment(event.segment, rendition.era.discontinuity_sequence);
    if (segments.size() > kSegmentsWithParts) {
      auto& old = segments[segments.size() - 1 - kSegmentsWithParts].parts;
      old.clear();
      old.shrink_to_fit();
    }
    // A closed segment can end the wait for a silent sibling.
    if (rendition.is_offered(event.segment.era) != was_offered ||
        (segments.size() <= kSegmentsBeforeSilentSibling + 1 && !all_listed()))
      structure_changed();
    changed(rendition);
  }
  bool all_listed() const {
    for (const auto& [id, rendition] : renditions) {
      const Rendition& state = *rendition.state_;
      if (state.appearances.empty() || state.appearances.back().era != eras.back().id) continue;
      if (!state.info.rung && !state.lists_from_era(eras.back().id)) return false;
    }
    return true;
  }

  void on(const SegmentsExpired& event) {
    Rendition& rendition = at(event.rendition);
    const bool was_offered = rendition.is_offered(rendition.era.id);
    rendition.listed_from = std::max(rendition.listed_from, event.before);
    rendition.playlist.expire_before(event.before);
    if (rendition.info.rung && rendition.is_offered(rendition.era.id) != was_offered)
      structure_changed();
    changed(rendition);
    forget_eras();
  }

  void on(const SegmentsUnlinked& event) {
    Rendition& rendition = at(event.rendition);
    while (rendition.segments.size() > 1 && rendition.segments.front().number < event.before)
      rendition.segments.pop_front();
    std::erase_if(rendition.inits, [&](const auto& init) {
      for (const Segment& segment : rendition.segments)
        if (segment.init == init || (segment.init && segment.init->name == init->name))
          return false;
      return rendition.appearances.empty() || rendition.appearances.back().init->name != init->name;
    });
    ++rendition.generation;
    forget_eras();
  }

  void on(const PosterChanged&) {}  // see show()
  void on(const ThumbnailAdded&) {}
  // Of the still pictures.
  template <class Event>
  void show(const Event& event) {
    if constexpr (requires { static_cast<bool>(images.on(event)); }) {
      if (images.on(event)) structure_changed();
    } else if constexpr (requires { images.on(event); }) {
      images.on(event);
    }
  }
  void on(const ChannelLive&) { set_live(true); }
  void on(const ChannelIdle&) { set_live(false); }
  void set_live(bool now_live) {
    live = now_live;
    for (auto& [id, rendition] : renditions) rendition.state_->live = now_live;
    all_changed();
  }

  // Eras whose last listed segment has gone leave the manifest; those without any segment are
  // forgotten.
  void forget_eras() {
    std::vector<std::uint32_t> used;
    std::size_t listed = 0;
    for (std::size_t i = 0; i < eras.size(); ++i) {
      bool lists = i + 1 == eras.size();
      bool holds = lists;
      for (const auto& [id, rendition] : renditions) {
        const Rendition& state = *rendition.state_;
        lists = lists || state.lists_from_era(eras[i].id);
        for (const Segment& segment : state.segments) holds = holds || segment.era == eras[i].id;
      }
      listed += lists;
      if (holds) used.push_back(eras[i].id);
    }
    const auto unused = [&](std::uint32_t id) {
      return std::find(used.begin(), used.end(), id) == used.end();
    };
    std::erase_if(eras, [&](const Era& era) { return unused(era.id); });
    for (auto& [id, rendition] : renditions) {
      auto& appearances = rendition.state_->appearances;
      while (appearances.size() > 1 && unused(appearances.front().era))
        appearances.erase(appearances.begin());
    }
    if (std::exchange(listed_eras, listed) != listed) structure_changed();
  }
  std::size_t listed_eras = 1;

  // Nothing until each rendition of the running era can be played, so that no player settles on a
  // channel without sound because its first audio part was 50 ms late.
  std::vector<EraListing> listings() const {
    std::vector<EraListing> out;
    for (const Era& era : eras) {
      EraListing listing;
      listing.era = era;
      const bool newest = &era == &eras.back();
      // A grid that was moved to where it was moved from.
      if (!newest && (&era)[1].start_utc <= era.start_utc) continue;
      // A re-anchored grid is known one segment ahead: it is told before its first segment is
      // there.
      const bool continues = &era != &eras.front() && newest &&
                             (&era)[-1].discontinuity_sequence == era.discontinuity_sequence;
      bool waits = false;
      std::size_t longest = 0;
      std::vector<RenditionListing> rungs;
      for (const std::string& id : ids) {
        const Rendition& state = *renditions.find(id)->second.state_;
        const auto appearance =
            std::find_if(state.appearances.begin(), state.appearances.end(),
                         [&](const auto& entry) { return entry.era == era.id; });
        if (appearance == state.appearances.end()) continue;
        const bool playable =
            state.is_offered(era.id) || (!state.info.rung && continues && state.has_listed());
        if (!playable) {
          // A worker's renditions are never waited for.
          waits = waits || !state.info.rung;
          continue;
        }
        longest = std::max(longest, state.segments.size());
        // Players begin with the first variant that they can show: that is the feed's.
        auto& part = state.info.rung ? rungs : listing.renditions;
        part.push_back({appearance->info, appearance->init});
      }
      if (listing.renditions.empty()) continue;
      if (newest && out.empty() && waits && longest <= kSegmentsBeforeSilentSibling) continue;
      listing.thumbnails = images.listing(era.id);
      std::ranges::sort(rungs, rung_before);
      std::ranges::move(rungs, std::back_inserter(listing.renditions));
      out.push_back(std::move(listing));
    }
    // A Period lasts until the next one, also when its encoder went away before that: dash.js jumps
    // to the end of a Period, and in a gap between two it would stay for ever. The last one is
    // open: to dash.js an end is the end of the presentation, from which it does not come back.
    for (std::size_t i = 0; i + 1 < out.size(); ++i)
      out[i].duration = out[i + 1].era.start_utc - out[i].era.start_utc;
    return out;
  }
};

ChannelWindow::ChannelWindow(std::string channel) : state_(std::make_unique<State>()) {
  state_->channel = std::move(channel);
}
ChannelWindow::~ChannelWindow() = default;
ChannelWindow::ChannelWindow(ChannelWindow&&) noexcept = default;
ChannelWindow& ChannelWindow::operator=(ChannelWindow&&) noexcept = default;

void ChannelWindow::apply(const WindowEvent& event) {
  assert(event.channel == state_->channel);
  std::visit([this](const auto& what) { state_->on(what); }, event.what);
  std::visit([this](const auto& what) { state_->show(what); }, event.what);
}

bool ChannelWindow::live() const {
  return state_->live;
}
const std::vector<std::string>& ChannelWindow::renditions() const {
  return state_->ids;
}
const ImageWindow& ChannelWindow::images() const {
  return state_->images;
}
const RenditionWindow* ChannelWindow::find(std::string_view rendition) const {
  const auto found = state_->renditions.find(rendition);
  return found == state_->renditions.end() ? nullptr : &found->second;
}

std::optional<Rendered> ChannelWindow::multivariant() const {
  if (!state_->multivariant) {
    const std::vector<EraListing> listings = state_->listings();
    if (listings.empty()) return std::nullopt;
    state_->multivariant =
        Rendered{Buffer::copy_of(write_multivariant(listings.back())), state_->listing_generation};
  }
  return state_->multivariant;
}

std::optional<Rendered> ChannelWindow::manifest() const {
  if (!state_->manifest) {
    const std::vector<EraListing> listings = state_->listings();
    if (listings.empty()) return std::nullopt;
    state_->manifest = Rendered{Buffer::copy_of(write_dash_manifest(listings, state_->published)),
                                state_->listing_generation};
  }
  return state_->manifest;
}

}  // namespace kapok::packaging
