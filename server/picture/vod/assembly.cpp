#include "server/picture/vod/assembly.hpp"

#include <algorithm>
#include <limits>

#include "server/media/describe.hpp"
#include "server/media/image.hpp"
#include "server/picture/containers/cmaf/init.hpp"

namespace kapok::vod {

namespace {

constexpr std::size_t kMaxTracks = 16;
constexpr std::uint64_t kMaxSegments = 200'000;  // nine days of four seconds
constexpr media::Timescale kMaxTimescale = 10'000'000;

// That an init segment can be made of it, whoever sent it.
Result<void> check(const media::Track& track) {
  const bool has_facts = track.video() != nullptr || track.audio() != nullptr;
  if (!cmaf::can_write(track.codec) || !media::is_packaged(track.codec) || !has_facts ||
      track.timescale > kMaxTimescale)
    return fail(Errc::malformed, "a track of {} that cannot be published", name_of(track.codec));
  media::TrackDraft draft;
  draft.id = track.id;
  draft.codec = track.codec;
  draft.timescale = track.timescale;
  draft.config = track.config;
  KAPOK_TRY(media::describe_track(std::move(draft)));
  return {};
}

Result<void> check(const media::Packet& packet, media::Timescale timescale) {
  constexpr std::int64_t kMaxOffset = std::numeric_limits<std::int32_t>::max();
  const std::int64_t most = media::from_nanoseconds(std::chrono::hours(24 * 366), timescale).count;
  if (packet.payload.empty() || packet.pts.count < 0 || packet.pts.count > most ||
      packet.dts.count < 0 || packet.dts.count > most ||
      std::abs(packet.pts.count - packet.dts.count) > kMaxOffset ||
      packet.duration.count > kMaxOffset)
    return fail(Errc::malformed, "a packet of {} bytes at {}, shown at {}", packet.payload.size(),
                packet.dts.count, packet.pts.count);
  return {};
}

}  // namespace

Assembly::Assembly(ItemFolder& folder, media::Ladder ladder, std::uint64_t segments)
    : folder_(folder), ladder_(std::move(ladder)), boundaries_(segments + 1) {}

Result<void> Assembly::take(const wire::FileTrack& file) {
  if (fitted_ || published_.size() >= kMaxTracks)
    return fail(Errc::malformed, "a track too many, or too late");
  if (file.track->id != published_.size() + 1) return fail(Errc::malformed, "tracks out of order");
  const media::TrackKind kind = file.track->kind;
  if (kind != media::TrackKind::video && kind != media::TrackKind::audio)
    return fail(Errc::malformed, "a track that is neither picture nor sound");
  if (kind == media::TrackKind::video) {
    if (!video_) video_ = file.track;
  } else {
    const media::AudioFacts* heard = file.track->audio();
    sounds_.push_back(
        {file.track->codec, heard != nullptr ? *heard : media::AudioFacts{}, file.track->language});
  }
  if (const media::VideoFacts* video = file.track->video()) frame_rate_ = video->frame_rate;
  std::string name;
  if (file.published) {
    name = names_.name(*file.track);
    KAPOK_TRY(begin(name, file.track, false));
    if (leading_.empty()) leading_ = name;
  }
  published_.push_back(std::move(name));
  return {};
}

Result<void> Assembly::begin(const std::string& name,
                             const std::shared_ptr<const media::Track>& track, bool rung) {
  KAPOK_TRY(check(*track));
  KAPOK_TRY(folder_.add_rendition(name, *track, rung));
  auto& cutter = renditions_[name].cutter;
  if (!cutter)
    cutter = std::make_unique<Cutter>(track, boundaries_);
  else if (cutter->track().timescale != track->timescale)
    return fail(Errc::malformed, "{} changed its timescale", name);
  return {};
}

// Once all tracks are known: which rungs there will be.
Result<void> Assembly::fit() {
  fitted_ = true;
  auto fitted = media::fit(ladder_, video_ ? video_->video() : nullptr, sounds_);
  left_out_ = std::move(fitted.left_out);
  sound_rungs_ = fitted.ladder.audio;
  for (const auto& rung : fitted.ladder.video) rungs_.insert(rung.name);
  for (const auto& rung : sound_rungs_) rungs_.insert(rung.name);
  for (const std::string& rung : rungs_) renditions_[rung];
  // The picture is the first track, where there is one, and sound never leads it.
  const bool picture = video_ && !published_.empty() && !published_.front().empty();
  const bool shown = picture || !fitted.ladder.video.empty();
  if (!picture && !fitted.ladder.video.empty()) leading_ = fitted.ladder.video.front().name;
  if (leading_.empty() && !fitted.ladder.audio.empty()) leading_ = fitted.ladder.audio.front().name;
  if (leading_.empty() || (video_ && !shown))
    return fail(Errc::unsupported,
                "no rung of the ladder fits the file, and it cannot be published as it is: choose "
                "a ladder with a rung of {} lines or fewer",
                video_ && video_->video() ? video_->video()->height : 0);
  return {};
}

Result<void> Assembly::take(const wire::FileSegment& segment) {
  if (!fitted_) KAPOK_TRY(fit());
  if (boundaries_.end() > kMaxSegments)
    return fail(Errc::limit, "more than {} segments", kMaxSegments);
  return boundaries_.add(segment.at);
}

Result<void> Assembly::take(const wire::FilePacket& file) {
  const std::size_t index = file.packet.track - 1;
  if (index >= published_.size() || published_[index].empty())
    return fail(Errc::malformed, "a packet of a track that is not published");
  return append(published_[index], file.packet);
}

Result<void> Assembly::take(const wire::RungTrack& rung) {
  if (!rungs_.contains(rung.rung)) return fail(Errc::malformed, "no rung is called {}", rung.rung);
  std::vector<std::string> languages;
  for (const media::AudioSource& sound : sounds_) languages.push_back(sound.language);
  return begin(rung.rung, channel::told_apart(sound_rungs_, languages, rung.rung, rung.track),
               true);
}

Result<void> Assembly::take(wire::RungPacket rung) {
  if (!rungs_.contains(rung.rung)) return fail(Errc::malformed, "no rung is called {}", rung.rung);
  return append(rung.rung, rung.packet);
}

Result<void> Assembly::take(const media::Image& image) {
  KAPOK_TRY(media::validate(image));
  const nanoseconds at = media::to_nanoseconds(image.pts, image.timescale);
  if (image.kind == media::ImageKind::poster) return folder_.offer_poster(image, at);
  const auto number = boundaries_.number_at(at);
  if (!number || *number <= newest_thumbnail_) return {};
  newest_thumbnail_ = *number;
  return folder_.add_thumbnail(*number, image);
}

Result<void> Assembly::append(const std::string& name, const media::Packet& packet) {
  const auto found = renditions_.find(name);
  if (found == renditions_.end() || !found->second.cutter)
    return fail(Errc::malformed, "a packet of {} before its track", name);
  Cutter& cutter = *found->second.cutter;
  // The delay of a sound encoder.
  if (packet.pts.count < 0) return {};
  KAPOK_TRY(check(packet, cutter.track().timescale));
  KAPOK_TRY(cutter.append(packet, cut_));
  return write(name);
}

Result<void> Assembly::write(const std::string& name) {
  for (const CutSegment& segment : std::exchange(cut_, {}))
    KAPOK_TRY(folder_.append(name, segment));
  return {};
}

Result<void> Assembly::finish() {
  for (auto& [name, rendition] : renditions_) {
    if (!rendition.cutter) {
      // The worker has said why in a notice.
      left_out_.push_back({name, "the worker made nothing of it"});
      continue;
    }
    if (rendition.cutter->reached() == nanoseconds(0) &&
        rendition.cutter->next() == boundaries_.first())
      return fail(Errc::malformed, "{} came without a picture or sound", name);
    rendition.cutter->finish(cut_);
    KAPOK_TRY(write(name));
  }
  std::erase_if(renditions_, [](const auto& one) { return !one.second.cutter; });
  if (renditions_.empty()) return fail(Errc::unsupported, "the worker made no rendition at all");
  if (segments() + 1 != boundaries_.end())
    return fail(Errc::malformed, "renditions end at segment {} of {}", segments(),
                boundaries_.end() - 1);
  return {};
}

std::uint64_t Assembly::segments() const {
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  for (const auto& [name, rendition] : renditions_)
    least =
        std::min(least, rendition.cutter ? rendition.cutter->next() - 1 : boundaries_.first() - 1);
  return renditions_.empty() ? boundaries_.first() - 1 : least;
}

nanoseconds Assembly::made() const {
  nanoseconds least = nanoseconds::max();
  for (const auto& [name, rendition] : renditions_)
    if (rendition.cutter && rendition.cutter->track().kind == media::TrackKind::video)
      least = std::min(least, rendition.cutter->reached());
  if (least == nanoseconds::max())
    for (const auto& [name, rendition] : renditions_)
      if (rendition.cutter) least = std::min(least, rendition.cutter->reached());
  if (least == nanoseconds::max() || least < wire::kFileBegin) return nanoseconds(0);
  return least - wire::kFileBegin;
}

}  // namespace kapok::vod
