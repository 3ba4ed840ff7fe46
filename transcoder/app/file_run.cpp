#include "transcoder/app/file_run.hpp"

#include <algorithm>
#include <utility>

namespace kapok::transcoder {

namespace {

using file::SegmentGrid;

constexpr nanoseconds kAssumedFrame = milliseconds(20);
// Two GOPs of anything that is edited: more is no GOP.
constexpr std::size_t kMaxHeldBytes = std::size_t{512} << 20;
// Sound before a segment that an encoder needs to be settled when it begins.
constexpr nanoseconds kSoundBefore = milliseconds(500);

nanoseconds frame_of(const media::Track& track) {
  const media::VideoFacts* video = track.video();
  if (video == nullptr || video->frame_rate.numerator == 0) return kAssumedFrame;
  return nanoseconds(std::int64_t{1'000'000'000} * video->frame_rate.denominator /
                     video->frame_rate.numerator);
}

SegmentGrid::Rules rules_of(const wire::FileStart& start, const file::Source& leading,
                            bool published) {
  return {.cut = published ? SegmentGrid::Cut::at_sync : SegmentGrid::Cut::at_frames,
          .begin = wire::kFileBegin,
          .from = start.from,
          .segment = start.segment,
          .ceiling = start.ceiling,
          .frame = frame_of(*leading.track)};
}

std::vector<bool> published_of(const wire::FileStart& start,
                               const std::vector<file::Source>& sources) {
  std::vector<bool> published;
  for (const file::Source& source : sources)
    published.push_back(source.unfit.empty() &&
                        (start.publish_source || source.track->audio() != nullptr));
  return published;
}

// As the server may be told of it.
std::shared_ptr<const media::Track> shown(const media::Track& track) {
  auto told = std::make_shared<media::Track>(track);
  if (track.codec == media::Codec::unknown) {
    std::ranges::replace(told->codec_string, '_', '-');
    told->config = {};
  }
  return told;
}

}  // namespace

std::unique_ptr<FileRun> FileRun::begin(int descriptor, const wire::FileStart& start,
                                        ladder::Engine& engine, Say say) {
  auto input = file::Input::open({.descriptor = descriptor, .begin = wire::kFileBegin});
  if (!input) {
    say(wire::FileRefused{wire::FileRefused::Why::unreadable, input.error().message});
    return nullptr;
  }
  std::unique_ptr<FileRun> run(new FileRun(start, std::move(*input), engine, std::move(say)));
  run->announce();
  return run;
}

FileRun::FileRun(const wire::FileStart& start, std::unique_ptr<file::Input> input,
                 ladder::Engine& engine, Say say)
    : start_(start),
      input_(std::move(input)),
      engine_(engine),
      say_(std::move(say)),
      published_(published_of(start, input_->sources())),
      grid_(rules_of(start, input_->sources().front(), published_.front())) {}

void FileRun::announce() {
  say_(wire::FileOpened{input_->format(), input_->duration()});
  for (std::size_t i = 0; i < published_.size(); ++i) {
    const file::Source& source = input_->sources()[i];
    say_(wire::FileTrack{shown(*source.track), published_[i]});
    if (!source.unfit.empty())
      say_(wire::Notice{LogLevel::info, "source.not_published", source.unfit});
    if (const auto taken = engine_.track(source.track); !taken)
      say_(wire::Notice{LogLevel::warn, "source.track_refused", taken.error().message});
  }
}

const file::Source& FileRun::source_of(const media::Packet& packet) const {
  return input_->sources()[packet.track - 1];
}

bool FileRun::is_published(const media::Packet& packet) const {
  return published_[packet.track - 1];
}

nanoseconds FileRun::time_of(const media::Packet& packet, media::Ticks ticks) const {
  return media::to_nanoseconds(ticks, source_of(packet).track->timescale);
}

FileRun::Step FileRun::refuse(wire::FileRefused::Why why, std::string text) {
  say_(wire::FileRefused{why, std::move(text)});
  return Step::refused;
}

Result<FileRun::Step> FileRun::step() {
  auto next = input_->next();
  if (!next) return refuse(wire::FileRefused::Why::unreadable, next.error().message);
  if (!*next) {
    if (begun_) return Step::finished;
    return refuse(wire::FileRefused::Why::unreadable,
                  "the file ends before a picture, or sound, that could be decoded");
  }
  file::Input::Item item = *std::move(*next);
  constexpr media::TrackId kLeading = 1;
  if (item.changed) {
    if (is_published(item.packet))
      return refuse(wire::FileRefused::Why::source_unfit,
                    "its parameters change under way, which one rendition cannot show");
    if (const auto taken = engine_.track(source_of(item.packet).track); !taken)
      say_(wire::Notice{LogLevel::warn, "source.track_refused", taken.error().message});
  }
  if (item.packet.track == kLeading) return take_leading(std::move(item));
  return take_other(item);
}

Result<FileRun::Step> FileRun::take_leading(file::Input::Item item) {
  const nanoseconds pts = time_of(item.packet, item.packet.pts);
  const auto place = grid_.place({pts, time_of(item.packet, item.packet.dts), item.packet.sync});
  switch (place) {
    case SegmentGrid::Place::too_long:
      if (is_published(item.packet))
        return refuse(
            wire::FileRefused::Why::source_unfit,
            fmt::format("its closed GOPs are longer than {} s", start_.ceiling.count() / 1000));
      [[fallthrough]];
    case SegmentGrid::Place::inside:
      KAPOK_TRY(give(item, ladder::SegmentStart::no));
      return Step::again;
    case SegmentGrid::Place::before:
      if (start_.from == wire::kFileBegin && is_published(item.packet))
        return refuse(wire::FileRefused::Why::source_unfit, "it does not begin with a closed GOP");
      hold(std::move(item));
      if (held_bytes_ > kMaxHeldBytes)
        return refuse(wire::FileRefused::Why::unreadable,
                      "it has no picture where decoding could begin again");
      return Step::again;
    case SegmentGrid::Place::begins:
      begun_ = true;
      KAPOK_TRY(give_held());
      say_(wire::FileSegment{pts});
      KAPOK_TRY(give(item, ladder::SegmentStart::yes));
      return Step::again;
  }
  return Step::again;
}

// A published source begins with its segment; frames in between need the GOP that they are in, and
// the one before it, of which open GOPs' first pictures are made.
void FileRun::hold(file::Input::Item item) {
  if (is_published(item.packet)) return;
  if (item.decodable) {
    const auto second =
        std::find_if(held_.rbegin(), held_.rend(), [](const auto& held) { return held.decodable; });
    const auto keep = second == held_.rend() ? held_.begin() : std::prev(second.base());
    held_.erase(held_.begin(), keep);
    held_bytes_ = 0;
    for (const auto& held : held_) held_bytes_ += held.packet.payload.size();
  }
  held_bytes_ += item.packet.payload.size();
  held_.push_back(std::move(item));
}

Result<void> FileRun::give_held() {
  for (const file::Input::Item& item : std::exchange(held_, {}))
    KAPOK_TRY(give(item, ladder::SegmentStart::no));
  held_bytes_ = 0;
  return {};
}

Result<FileRun::Step> FileRun::take_other(const file::Input::Item& item) {
  if (time_of(item.packet, item.packet.pts) >= start_.from - kSoundBefore)
    KAPOK_TRY(give(item, ladder::SegmentStart::no));
  return Step::again;
}

Result<void> FileRun::give(const file::Input::Item& item, ladder::SegmentStart start) {
  if (is_published(item.packet)) say_(wire::FilePacket{item.packet});
  media::Packet decodable = item.packet;
  decodable.sync = item.decodable;
  return engine_.packet(decodable, start);
}

}  // namespace kapok::transcoder
