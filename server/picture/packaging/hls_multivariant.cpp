#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "server/media/supplemental.hpp"
#include "server/picture/packaging/listing.hpp"

namespace kapok::packaging {

namespace {

std::string_view video_range(const media::VideoFacts& facts) {
  switch (media::offered_range(facts)) {
    case media::DynamicRange::pq:
      return "PQ";
    case media::DynamicRange::hlg:
      return "HLG";
    case media::DynamicRange::sdr:
      break;
  }
  return "SDR";
}

// Renditions of one audio group are interchangeable, so a group has one codec and one layout.
struct AudioGroup {
  std::string id;
  std::vector<const RenditionListing*> members;
  std::string codec;
  std::uint32_t bandwidth = 0;
  std::uint32_t average = 0;
};

// [RFC 8216bis 4.4.6.1.1] members that correspond have the same name in each group: sound_of().
bool holds(const AudioGroup& group, const std::string& name) {
  return std::ranges::any_of(
      group.members, [&](const RenditionListing* member) { return sound_of(*member) == name; });
}

bool fits(const AudioGroup& group, const RenditionListing& rendition) {
  const media::Track& track = *rendition.init->track;
  const media::Track& other = *group.members.front()->init->track;
  if (track.codec != other.codec || track.audio()->channels != other.audio()->channels)
    return false;
  return !holds(group, sound_of(rendition));
}

void add_to_groups(std::vector<AudioGroup>& groups, const RenditionListing& rendition) {
  auto group = std::ranges::find_if(groups, [&](const auto& g) { return fits(g, rendition); });
  if (group == groups.end()) {
    const std::string id = fmt::format("audio-{}", media::name_of(rendition.init->track->codec));
    const auto same = std::ranges::count_if(
        groups, [&](const AudioGroup& g) { return g.id == id || g.id.starts_with(id + "-"); });
    groups.push_back({same == 0 ? id : fmt::format("{}-{}", id, same + 1), {}, {}, 0, 0});
    group = std::prev(groups.end());
    group->codec = rendition.init->track->codec_string;
  }
  group->members.push_back(&rendition);
  group->bandwidth = std::max(group->bandwidth, rendition.info.bandwidth);
  group->average = std::max(group->average, rendition.info.average_bandwidth);
}

// [RFC 8216bis 4.4.6.1.1] groups that are encodings of the same have the same members: what one
// lacks it borrows, or its viewers could not choose that language.
void complete(std::vector<AudioGroup>& groups) {
  const std::vector<AudioGroup> as_made = groups;
  for (AudioGroup& group : groups)
    for (const AudioGroup& other : as_made)
      for (const RenditionListing* member : other.members) {
        const media::Track& track = *member->init->track;
        const media::Track& own = *group.members.front()->init->track;
        if (track.codec != own.codec || track.audio()->channels != own.audio()->channels ||
            holds(group, sound_of(*member)))
          continue;
        group.members.push_back(member);
        group.bandwidth = std::max(group.bandwidth, member->info.bandwidth);
        group.average = std::max(group.average, member->info.average_bandwidth);
      }
}

// `main`: the sound that the feed has first, chosen in every group that has it.
void write_audio_group(std::string& out, const AudioGroup& group, const std::string& main) {
  const std::string chosen = holds(group, main) ? main : sound_of(*group.members.front());
  for (const RenditionListing* member : group.members) {
    const std::string& language = member->info.language;
    fmt::format_to(std::back_inserter(out), "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{}\",NAME=\"{}\"",
                   group.id, sound_of(*member));
    if (!language.empty()) fmt::format_to(std::back_inserter(out), ",LANGUAGE=\"{}\"", language);
    fmt::format_to(std::back_inserter(out), ",DEFAULT={},AUTOSELECT=YES",
                   sound_of(*member) == chosen ? "YES" : "NO");
    if (const media::AudioFacts* audio = member->init->track->audio(); audio && audio->channels > 0)
      fmt::format_to(std::back_inserter(out), ",CHANNELS=\"{}\"", audio->channels);
    fmt::format_to(std::back_inserter(out), ",URI=\"{}/media.m3u8\"\n", member->info.id);
  }
}

enum class Captions : std::uint8_t { none, unknown };

// [RFC 8216bis 4.4.6.2] NONE must be said by all variants or by none of them.
Captions captions_of(const std::vector<const RenditionListing*>& videos) {
  const bool some = std::any_of(videos.begin(), videos.end(), [](const RenditionListing* listing) {
    const media::VideoFacts* video = listing->init->track->video();
    return video && video->closed_captions;
  });
  return some ? Captions::unknown : Captions::none;
}

void write_variant(std::string& out, const RenditionListing& rendition, const AudioGroup* group,
                   Captions captions) {
  const media::Track& track = *rendition.init->track;
  std::string codecs = media::offered_codec(track);
  std::uint32_t bandwidth = rendition.info.bandwidth;
  std::uint32_t average = rendition.info.average_bandwidth;
  if (group) {
    codecs += ',' + group->codec;
    bandwidth += group->bandwidth;
    average += group->average;
  }
  fmt::format_to(std::back_inserter(out), "#EXT-X-STREAM-INF:BANDWIDTH={}", bandwidth);
  if (average > 0) fmt::format_to(std::back_inserter(out), ",AVERAGE-BANDWIDTH={}", average);
  fmt::format_to(std::back_inserter(out), ",CODECS=\"{}\"", codecs);
  std::string supplemental;
  for (const auto& [codec, brand] : media::supplemental_codecs(track))
    supplemental += fmt::format("{}{}/{}", supplemental.empty() ? "" : ",", codec, brand);
  if (!supplemental.empty())
    fmt::format_to(std::back_inserter(out), ",SUPPLEMENTAL-CODECS=\"{}\"", supplemental);
  if (const media::VideoFacts* video = track.video()) {
    fmt::format_to(std::back_inserter(out), ",RESOLUTION={}x{}", video->width, video->height);
    if (video->frame_rate.numerator > 0)
      fmt::format_to(std::back_inserter(out), ",FRAME-RATE={:.3f}", video->frame_rate.value());
    fmt::format_to(std::back_inserter(out), ",VIDEO-RANGE={}", video_range(*video));
  }
  if (group) fmt::format_to(std::back_inserter(out), ",AUDIO=\"{}\"", group->id);
  // Told that there are none, a player need not fetch whole segments to look for them before it
  // begins (Shaka: up to three, and it fails where one of them is still growing).
  if (captions == Captions::none) out += ",CLOSED-CAPTIONS=NONE";
  fmt::format_to(std::back_inserter(out), "\n{}/media.m3u8\n", rendition.info.id);
}

}  // namespace

std::string write_multivariant(const EraListing& era) {
  std::vector<AudioGroup> groups;
  std::vector<const RenditionListing*> videos;
  bool independent = true;
  for (const RenditionListing& rendition : era.renditions) {
    independent = independent && rendition.info.independent_segments;
    if (rendition.info.kind == media::TrackKind::video) videos.push_back(&rendition);
    if (rendition.info.kind == media::TrackKind::audio) add_to_groups(groups, rendition);
  }
  std::string out = "#EXTM3U\n#EXT-X-VERSION:9\n";
  if (independent) out += "#EXT-X-INDEPENDENT-SEGMENTS\n";
  if (videos.empty()) {
    // Audio alone: each rendition is a variant of its own.
    for (const AudioGroup& group : groups)
      for (const RenditionListing* member : group.members)
        write_variant(out, *member, nullptr, Captions::unknown);
    return out;
  }
  complete(groups);
  for (const AudioGroup& group : groups)
    write_audio_group(out, group, sound_of(*groups.front().members.front()));
  const Captions captions = captions_of(videos);
  for (const RenditionListing* video : videos) {
    if (groups.empty()) write_variant(out, *video, nullptr, captions);
    for (const AudioGroup& group : groups) write_variant(out, *video, &group, captions);
  }
  // Players that do not know it pass it over. One tells the size of a tile, and takes the first by
  // itself: that has the newest moment.
  if (const auto& stills = era.thumbnails)
    for (const std::string_view name : {"media", "sheets"})
      if (name == "media" || stills->sheet_tile > microseconds(0))
        fmt::format_to(std::back_inserter(out),
                       "#EXT-X-IMAGE-STREAM-INF:BANDWIDTH={},RESOLUTION={}x{},CODECS=\"jpeg\","
                       "URI=\"thumbnails/{}.m3u8\"\n",
                       stills->bandwidth, stills->width, stills->height, name);
  return out;
}

}  // namespace kapok::packaging
