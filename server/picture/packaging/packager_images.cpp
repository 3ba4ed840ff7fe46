// What the packager does with still pictures: they are of the source's frames, so the source's
// segments number them. Nothing waits for one.
#include <algorithm>
#include <utility>

#include "server/picture/packaging/packager_state.hpp"

namespace kapok::packaging {

namespace {

// Of the first GOP, while it is measured: a few sync pictures at most.
constexpr std::size_t kMaxEarlyImages = 4;

}  // namespace

void Packager::State::add_image(media::Image image) {
  if (waiting) {
    if (early_images.size() < kMaxEarlyImages) early_images.push_back(std::move(image));
    return;
  }
  if (!running) return;
  const UtcTime at(media::to_microseconds(image.pts, image.timescale));
  // A worker decodes what strangers send, so its times are not believed.
  if (at > newest + kRungAhead || at < newest - kThumbnailBehind) return;
  if (image.kind == media::ImageKind::poster)
    add_poster(std::move(image), at);
  else
    add_thumbnail(std::move(image));
}

void Packager::State::add_poster(media::Image image, UtcTime at) {
  const std::size_t bytes = image.jpeg.size();
  const bool taken = submit_media(
      [channel = options.channel, image = std::move(image)](Spool& files) {
        Outcome outcome;
        outcome.rendition = "poster";
        auto written = files.images().write_poster(image);
        if (written)
          outcome.events.push_back(std::make_shared<const WindowEvent>(
              WindowEvent{channel, PosterChanged{std::move(*written)}}));
        else
          outcome.error = std::move(written).error();
        return outcome;
      },
      bytes);
  if (!taken) return;
  poster_at = at;
  series.posters.increment();
}

void Packager::State::add_thumbnail(media::Image image) {
  const auto led_by = live.find(leader);
  if (led_by == live.end() || !led_by->second.segmenter) return;
  // Where the pictures of the leading rendition are cut, give or take half a frame.
  const Ticks slack = media::rescale(Ticks{led_by->second.segmenter->timing().frame.count / 2},
                                     led_by->second.info.timescale, image.timescale);
  const auto led = grid->led_at(image.pts, slack, image.timescale);
  // A name is used once: what a worker that took over makes anew is not published.
  if (!led || led->number < next_thumbnail) return;
  const std::uint64_t number = led->number;
  const std::uint32_t era = grid->era_of(number).id;
  const std::size_t bytes = image.jpeg.size();
  const bool taken = submit_media(
      [channel = options.channel, image = std::move(image), number, era](Spool& files) {
        Outcome outcome;
        outcome.rendition = "thumbnails";
        auto written = files.images().write_thumbnail(number, image);
        if (!written) {
          outcome.error = std::move(written).error();
          return outcome;
        }
        written->era = era;
        outcome.events.push_back(std::make_shared<const WindowEvent>(
            WindowEvent{channel, ThumbnailAdded{std::move(*written)}}));
        return outcome;
      },
      bytes);
  if (!taken) return;
  next_thumbnail = number + 1;
  series.thumbnails.increment();
}

void Packager::State::release_images() {
  for (media::Image& image : std::exchange(early_images, {})) add_image(std::move(image));
}

void Packager::State::republish_images() {
  const auto& renditions = spool->index().renditions();
  const auto led = std::ranges::find_if(renditions, [](const auto& entry) {
    const auto& appearances = entry.second.appearances;
    return !appearances.empty() && !appearances.back().info.rung &&
           appearances.back().info.kind == media::TrackKind::video;
  });
  std::map<std::uint64_t, std::uint32_t> eras;  // of the segments that are there
  if (led != renditions.end())
    for (const SpoolIndex::KeptSegment& segment : led->second.segments)
      eras[segment.opened.number] = segment.opened.era;
  ImageFiles::Recovery found =
      spool->images().recover([&](std::uint64_t number) { return eras.contains(number); });
  if (found.poster) {
    poster_at = found.poster->taken;
    services.windows.publish(event(PosterChanged{std::move(found.poster)}));
  }
  for (Thumbnail& thumbnail : found.thumbnails) {
    thumbnail.era = eras.at(thumbnail.number);
    next_thumbnail = thumbnail.number + 1;
    services.windows.publish(event(ThumbnailAdded{std::move(thumbnail)}));
  }
}

}  // namespace kapok::packaging
