#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <pugixml.hpp>
#include <tuple>
#include <vector>

#include "server/media/supplemental.hpp"
#include "server/picture/packaging/closed_window.hpp"
#include "server/picture/packaging/listing.hpp"
#include "server/picture/packaging/sheet.hpp"

namespace kapok::packaging {

namespace {

// What players aim at. A part and its fetch, a frame of decoder delay and one late scheduler slice
// fit below it; ServiceDescription lets a player that stalls back off to the maximum.
constexpr milliseconds kLatencyTarget{1'200};
constexpr milliseconds kLatencyMin{500};
// Shaka starts this far behind the live edge and holds ServiceDescription's target (give or take
// 0.5 s) behind that again, so the two add up to the target here; dash.js and others take only the
// target where there is one.
constexpr milliseconds kSuggestedDelay{400};
constexpr milliseconds kLatencyMax{6'000};
// How soon a player learns of a new Period or rendition; the text rarely changes, so nearly every
// refresh is a 304.
constexpr seconds kMinimumUpdatePeriod{2};

std::string xs_duration(microseconds time) {
  const auto us = time.count();
  if (us % 1'000'000 == 0) return fmt::format("PT{}S", us / 1'000'000);
  std::string text = fmt::format("PT{}.{:06}", us / 1'000'000, us % 1'000'000);
  while (text.ends_with('0')) text.pop_back();
  return text + "S";
}

void descriptor(pugi::xml_node parent, const char* name, const char* scheme, unsigned value) {
  pugi::xml_node node = parent.append_child(name);
  node.append_attribute("schemeIdUri") = scheme;
  node.append_attribute("value") = value;
}

void write_property(pugi::xml_node parent, const char* scheme, const std::string& value) {
  pugi::xml_node node = parent.append_child("SupplementalProperty");
  node.append_attribute("schemeIdUri") = scheme;
  node.append_attribute("value") = value.c_str();
}

// [DVB A168 5.2.5] HDR is essential (who does not know it must not play it),
// plain BT.709 is only told.
void write_colour(pugi::xml_node set, const media::VideoFacts& video) {
  const char* name = media::dynamic_range_of(video.colour) == media::DynamicRange::sdr
                         ? "SupplementalProperty"
                         : "EssentialProperty";
  constexpr unsigned kUnspecified = 2;
  if (video.colour.primaries != kUnspecified)
    descriptor(set, name, "urn:mpeg:mpegB:cicp:ColourPrimaries", video.colour.primaries);
  if (video.colour.transfer != kUnspecified)
    descriptor(set, name, "urn:mpeg:mpegB:cicp:TransferCharacteristics", video.colour.transfer);
  if (video.colour.matrix != kUnspecified)
    descriptor(set, name, "urn:mpeg:mpegB:cicp:MatrixCoefficients", video.colour.matrix);
}

void write_utc_timing(pugi::xml_node parent) {
  pugi::xml_node timing = parent.append_child("UTCTiming");
  timing.append_attribute("schemeIdUri") = "urn:mpeg:dash:utc:http-xsdate:2014";
  timing.append_attribute("value") = "/time";
}

// [ISO/IEC 23001-8] ChannelConfiguration for the layouts that have a code point.
unsigned channel_configuration(unsigned channels) {
  switch (channels) {
    case 7:
      return 11;  // 6.1
    case 8:
      return 12;  // 7.1
    default:
      return channels;
  }
}

std::optional<media::SupplementalCodec> dolby_vision_of(const media::Track& track) {
  for (const auto& supplemental : media::supplemental_codecs(track))
    if (supplemental.codec != track.codec_string) return supplemental;
  return std::nullopt;
}

// Declared only where it is used: most manifests have nothing of it.
void declare_scte214(pugi::xml_node mpd, const EraListing& listing) {
  constexpr const char* kName = "xmlns:scte214";
  if (mpd.attribute(kName)) return;
  if (std::ranges::any_of(listing.renditions, [](const RenditionListing& rendition) {
        return dolby_vision_of(*rendition.init->track).has_value();
      }))
    mpd.append_attribute(kName) = "urn:scte:dash:scte214-extensions";
}

pugi::xml_node write_representation(pugi::xml_node set, const RenditionListing& listing) {
  const RenditionInfo& info = listing.info;
  const media::Track& track = *listing.init->track;
  pugi::xml_node node = set.append_child("Representation");
  node.append_attribute("id") = info.id.c_str();
  node.append_attribute("bandwidth") = info.bandwidth;
  node.append_attribute("codecs") = media::offered_codec(track).c_str();
  if (const media::VideoFacts* video = track.video()) {
    node.append_attribute("width") = video->width;
    node.append_attribute("height") = video->height;
    node.append_attribute("sar") =
        fmt::format("{}:{}", std::max(video->sample_aspect.numerator, 1U),
                    std::max(video->sample_aspect.denominator, 1U))
            .c_str();
    if (const std::string rate = format_frame_rate(video->frame_rate); !rate.empty())
      node.append_attribute("frameRate") = rate.c_str();
    // ["Dolby Vision Streams Within the MPEG-DASH Format"; SCTE 214-1] of this one alone: rungs of
    // the same set are without.
    if (const auto dolby_vision = dolby_vision_of(track)) {
      node.append_attribute("scte214:supplementalCodecs") = dolby_vision->codec.c_str();
      node.append_attribute("scte214:supplementalProfiles") =
          std::string(dolby_vision->brand).c_str();
    }
    // [ETSI TS 103 285 5.2.6; "HDR10+ AV1 Metadata Handling" 3.3] likewise.
    // scte214:supplementalCodecs would name the same codec again.
    if (media::is_hdr10_plus(track)) {
      write_property(node, "urn:dvb:dash:hdr-dmi", "ST2094-40");
      write_property(node, "http://dashif.org/metadata/hdr", "SMPTE2094-40");
    }
  }
  if (const media::AudioFacts* audio = track.audio()) {
    node.append_attribute("audioSamplingRate") = audio->sample_rate;
    if (audio->channels > 0)
      descriptor(node, "AudioChannelConfiguration", "urn:mpeg:mpegB:cicp:ChannelConfiguration",
                 channel_configuration(audio->channels));
  }
  return node;
}

void write_live(pugi::xml_node set, const Era& era, const RenditionListing& listing) {
  const RenditionInfo& info = listing.info;
  const std::int64_t start =
      media::from_microseconds(era.start_utc.time_since_epoch(), info.timescale).count;
  pugi::xml_node node = write_representation(set, listing);
  pugi::xml_node reference = node.append_child("ProducerReferenceTime");
  reference.append_attribute("id") = 0;
  reference.append_attribute("inband") = "false";
  reference.append_attribute("type") = "encoder";
  reference.append_attribute("wallClockTime") = format_utc(era.start_utc).c_str();
  reference.append_attribute("presentationTime") = start;
  write_utc_timing(reference);
  pugi::xml_node segments = node.append_child("SegmentTemplate");
  segments.append_attribute("timescale") = info.timescale;
  segments.append_attribute("duration") =
      media::from_microseconds(era.segment_duration, info.timescale).count;
  segments.append_attribute("startNumber") = era.base;
  segments.append_attribute("presentationTimeOffset") = start;
  // The first chunk can be fetched one part after the segment began, and a rung's by its delay
  // later: that is the real delay. One that is later than a whole segment is not offered in chunks.
  const microseconds offset = era.segment_duration - info.part_target - info.delay;
  if (offset > microseconds(0)) {
    segments.append_attribute("availabilityTimeOffset") =
        fmt::format("{:.3f}", static_cast<double>(offset.count()) / 1e6).c_str();
    segments.append_attribute("availabilityTimeComplete") = "false";
  }
  segments.append_attribute("initialization") =
      fmt::format("{}/{}", info.id, listing.init->name).c_str();
  segments.append_attribute("media") =
      fmt::format("{}/{}$Number$.m4s", info.id, segment_name_prefix(era.discontinuity_sequence))
          .c_str();
}

struct Set {
  std::string key;
  std::vector<const RenditionListing*> members;
  unsigned id = 0;
  unsigned priority = 0;  // 0: none
};

media::DynamicRange range_of(const Set& set) {
  const media::VideoFacts* video = set.members.front()->init->track->video();
  return video ? media::offered_range(*video) : media::DynamicRange::sdr;
}

// Of which sound it is; a rung without a language was made of the feed's first, which has none.
std::string sound_in(const EraListing& era, const RenditionListing& listing) {
  if (!listing.info.rung || !listing.info.language.empty()) return sound_of(listing);
  for (const RenditionListing& other : era.renditions)
    if (other.info.kind == media::TrackKind::audio && !other.info.rung &&
        other.info.language.empty())
      return other.info.id;
  return {};
}

// Representations in one set can be switched between: same kind, sound, codec, dynamic range.
std::string set_key(const EraListing& era, const RenditionListing& listing) {
  const media::Track& track = *listing.init->track;
  if (const media::VideoFacts* video = track.video())
    return fmt::format("video {} {}", media::name_of(track.codec),
                       static_cast<int>(media::offered_range(*video)));
  const media::AudioFacts* audio = track.audio();
  return fmt::format(
      "audio {} {} {} {}", listing.info.language.substr(0, listing.info.language.find("-x-")),
      media::name_of(track.codec), audio ? audio->channels : 0, sound_in(era, listing));
}

std::vector<Set> sets_of(const EraListing& listing, media::TrackKind kind) {
  std::vector<Set> sets;
  for (const RenditionListing& rendition : listing.renditions) {
    if (rendition.info.kind != kind) continue;
    const std::string key = set_key(listing, rendition);
    const auto found = std::ranges::find(sets, key, &Set::key);
    if (found == sets.end())
      sets.push_back({key, {&rendition}, 0, 0});
    else
      found->members.push_back(&rendition);
  }
  return sets;
}

// Who can play several sets takes the one of the highest priority, and may stay in it: so one that
// offers a choice of rates comes before one that does not, then HDR before SDR, then the newer
// codec.
void rank(std::vector<Set>& videos) {
  if (videos.size() < 2) return;
  std::vector<Set*> order;
  for (Set& set : videos) order.push_back(&set);
  std::ranges::sort(order, {}, [](const Set* set) {
    return std::tuple(set->members.size() > 1, range_of(*set) != media::DynamicRange::sdr,
                      set->members.front()->init->track->codec, set->key);
  });
  unsigned priority = 0;
  for (Set* set : order) set->priority = ++priority;
}

// [ISO/IEC 23009-1 5.3.3.5] the sets that a player may switch to in the middle: the same pictures
// at the same times, cut alike, in another codec. Not in another dynamic range: that would be seen.
std::string switchable_from(const Set& set, const std::vector<Set>& videos) {
  std::string ids;
  for (const Set& other : videos)
    if (&other != &set && range_of(other) == range_of(set))
      ids += fmt::format("{}{}", ids.empty() ? "" : ",", other.id);
  return ids;
}

pugi::xml_node write_set(pugi::xml_node period, const Set& members) {
  const media::Track& track = *members.members.front()->init->track;
  const RenditionInfo& info = members.members.front()->info;
  pugi::xml_node set = period.append_child("AdaptationSet");
  set.append_attribute("id") = members.id;
  set.append_attribute("contentType") = track.video() ? "video" : "audio";
  set.append_attribute("mimeType") = track.video() ? "video/mp4" : "audio/mp4";
  if (!info.language.empty()) set.append_attribute("lang") = info.language.c_str();
  set.append_attribute("segmentAlignment") = "true";
  const bool independent = std::ranges::all_of(
      members.members, [](const auto* member) { return member->info.independent_segments; });
  if (independent) set.append_attribute("startWithSAP") = 1;
  if (members.priority > 0) set.append_attribute("selectionPriority") = members.priority;
  if (const media::VideoFacts* video = track.video()) write_colour(set, *video);
  return set;
}

using MemberWriter = std::function<void(pugi::xml_node set, const RenditionListing& member)>;

// Returns the next set's id.
unsigned write_sets(pugi::xml_node period, const EraListing& listing, const EraListing* before,
                    const MemberWriter& write_member) {
  std::vector<Set> videos = sets_of(listing, media::TrackKind::video);
  std::vector<Set> sounds = sets_of(listing, media::TrackKind::audio);
  std::ranges::sort(
      sounds, {}, [](const Set& set) { return std::pair(set.key, set.members.front()->info.id); });
  unsigned id = 0;
  for (Set& set : videos) set.id = id++;
  for (Set& set : sounds) set.id = id++;
  rank(videos);
  const auto write = [&](const Set& members, bool main) {
    pugi::xml_node set = write_set(period, members);
    if (const std::string ids = switchable_from(members, videos);
        members.members.front()->info.kind == media::TrackKind::video && !ids.empty())
      write_property(set, "urn:mpeg:dash:adaptation-set-switching:2016", ids);
    // [ISO/IEC 23009-1 5.3.2.4] an era that only re-anchored the grid plays on without a seam.
    if (before && before->era.discontinuity_sequence == listing.era.discontinuity_sequence)
      write_property(set, "urn:mpeg:dash:period-continuity:2015",
                     fmt::format("era-{}", before->era.id));
    pugi::xml_node role = set.append_child("Role");
    role.append_attribute("schemeIdUri") = "urn:mpeg:dash:role:2011";
    role.append_attribute("value") = main ? "main" : "alternate";
    for (const RenditionListing* member : members.members) write_member(set, *member);
  };
  for (const Set& set : videos) write(set, true);
  // The sound that the feed has first is the main one, as it is DEFAULT in HLS. A rung and what it
  // was made of are the same sound.
  const auto main = std::ranges::find(listing.renditions, media::TrackKind::audio,
                                      [](const auto& rendition) { return rendition.info.kind; });
  for (const Set& set : sounds)
    write(set, sound_in(listing, *set.members.front()) == sound_in(listing, *main));
  return id;
}

pugi::xml_node write_images(pugi::xml_node period, unsigned id) {
  pugi::xml_node set = period.append_child("AdaptationSet");
  set.append_attribute("id") = id;
  set.append_attribute("contentType") = "image";
  set.append_attribute("mimeType") = "image/jpeg";
  return set;
}

// [DASH-IF IOP 4.3, 6.2.6] Returns where its times are written.
pugi::xml_node write_image(pugi::xml_node set, const ThumbnailListing& stills, unsigned rows) {
  pugi::xml_node node = set.append_child("Representation");
  node.append_attribute("id") = rows == 1 ? "thumbnails" : "sheets";
  node.append_attribute("bandwidth") = stills.bandwidth;
  // Shaka takes image tracks of one width and codec for one track.
  if (rows > 1) node.append_attribute("codecs") = "jpeg";
  node.append_attribute("width") = stills.width;
  node.append_attribute("height") = stills.height * rows;
  pugi::xml_node tiles = node.append_child("EssentialProperty");
  tiles.append_attribute("schemeIdUri") = "http://dashif.org/guidelines/thumbnail_tile";
  tiles.append_attribute("value") = fmt::format("1x{}", rows).c_str();
  return node.append_child("SegmentTemplate");
}

// In the set of the thumbnails, because dash.js looks into the first set of images alone; behind
// them and of the same rate, because it takes the lowest rate by itself, and of equals the first:
// thumbnails have the newest moment.
void write_sheets(pugi::xml_node set, const ThumbnailListing& stills, std::uint64_t grid,
                  std::int64_t offset) {
  if (stills.sheet_tile <= microseconds(0)) return;
  constexpr Timescale kMicroseconds = 1'000'000;
  pugi::xml_node segments = write_image(set, stills, kSheetTiles);
  segments.append_attribute("timescale") = kMicroseconds;
  segments.append_attribute("duration") = (stills.sheet_tile * kSheetTiles).count();
  segments.append_attribute("startNumber") = 1;
  segments.append_attribute("presentationTimeOffset") = offset;
  segments.append_attribute("media") =
      ("thumbnails/" + sheet_template({.grid = grid, .tile = stills.sheet_tile})).c_str();
}

// A thumbnail is there when its segment is, a sheet when those of its time are.
void write_thumbnails(pugi::xml_node period, const EraListing& listing, unsigned id) {
  constexpr Timescale kMicroseconds = 1'000'000;
  const ThumbnailListing& stills = *listing.thumbnails;
  const std::int64_t start = listing.era.start_utc.time_since_epoch().count();
  pugi::xml_node set = write_images(period, id);
  pugi::xml_node segments = write_image(set, stills, 1);
  segments.append_attribute("timescale") = kMicroseconds;
  segments.append_attribute("duration") = listing.era.segment_duration.count();
  segments.append_attribute("startNumber") = listing.era.base;
  segments.append_attribute("presentationTimeOffset") = start;
  segments.append_attribute("media") = "thumbnails/$Number$.jpg";
  write_sheets(set, stills, static_cast<std::uint64_t>(start), start);
}

void write_period(pugi::xml_node mpd, const EraListing& listing, const EraListing* before) {
  pugi::xml_node period = mpd.append_child("Period");
  period.append_attribute("id") = fmt::format("era-{}", listing.era.id).c_str();
  period.append_attribute("start") = xs_duration(listing.era.start_utc.time_since_epoch()).c_str();
  if (listing.duration)
    period.append_attribute("duration") = xs_duration(*listing.duration).c_str();
  const unsigned next =
      write_sets(period, listing, before, [&](pugi::xml_node set, const RenditionListing& member) {
        write_live(set, listing.era, member);
      });
  if (listing.thumbnails) write_thumbnails(period, listing, next);
}

// Each segment with its own time: a file's GOPs are as long as its encoder pleased.
void write_times(pugi::xml_node segments, const ClosedItem& item,
                 const ClosedRendition& rendition) {
  const RenditionInfo& info = rendition.info;
  segments.append_attribute("timescale") = info.timescale;
  segments.append_attribute("startNumber") = 1;
  segments.append_attribute("presentationTimeOffset") =
      media::rescale(item.begin, item.timescale, info.timescale).count;
  pugi::xml_node timeline = segments.append_child("SegmentTimeline");
  pugi::xml_node last;
  std::int64_t repeats = 0;
  Ticks next{-1};
  for (const ClosedSegment& segment : rendition.segments) {
    if (last && segment.start == next && last.attribute("d").as_llong() == segment.duration.count) {
      if (repeats++ == 0) last.append_attribute("r") = 0;
      last.attribute("r") = repeats;
    } else {
      last = timeline.append_child("S");
      if (segment.start != next) last.append_attribute("t") = segment.start.count;
      last.append_attribute("d") = segment.duration.count;
      repeats = 0;
    }
    next = segment.start + segment.duration;
  }
}

void write_closed(pugi::xml_node set, const ClosedItem& item, const ClosedRendition& rendition) {
  const RenditionInfo& info = rendition.info;
  pugi::xml_node segments =
      write_representation(set, {info, rendition.init}).append_child("SegmentTemplate");
  segments.append_attribute("initialization") =
      fmt::format("{}/{}", info.id, rendition.init->name).c_str();
  segments.append_attribute("media") =
      fmt::format("{}/{}$Number$.m4s", info.id, segment_name_prefix(item.run)).c_str();
  write_times(segments, item, rendition);
}

struct TextWriter final : pugi::xml_writer {
  std::string text;
  void write(const void* bytes, size_t size) override {
    text.append(static_cast<const char*>(bytes), size);
  }
};

}  // namespace

std::string format_frame_rate(const media::Rational& rate) {
  if (rate.numerator == 0 || rate.denominator == 0) return {};
  const std::uint32_t divisor = std::gcd(rate.numerator, rate.denominator);
  const std::uint32_t numerator = rate.numerator / divisor;
  const std::uint32_t denominator = rate.denominator / divisor;
  return denominator == 1 ? fmt::format("{}", numerator)
                          : fmt::format("{}/{}", numerator, denominator);
}

std::string write_dash_manifest(const std::vector<EraListing>& eras, UtcTime published) {
  if (eras.empty()) return {};
  const Era& newest = eras.back().era;
  microseconds longest{0};
  for (const EraListing& listing : eras) longest = std::max(longest, listing.era.segment_duration);
  pugi::xml_document document;
  pugi::xml_node declaration = document.append_child(pugi::node_declaration);
  declaration.append_attribute("version") = "1.0";
  declaration.append_attribute("encoding") = "UTF-8";
  pugi::xml_node mpd = document.append_child("MPD");
  mpd.append_attribute("xmlns") = "urn:mpeg:dash:schema:mpd:2011";
  for (const EraListing& listing : eras) declare_scte214(mpd, listing);
  mpd.append_attribute("profiles") =
      "urn:mpeg:dash:profile:isoff-live:2011,"
      "http://www.dashif.org/guidelines/low-latency-live-v5";
  mpd.append_attribute("type") = "dynamic";
  // Fixed for ever: channel time is UTC since 1970, so that no restart or republish moves it.
  mpd.append_attribute("availabilityStartTime") = "1970-01-01T00:00:00Z";
  mpd.append_attribute("publishTime") = format_utc(published).c_str();
  mpd.append_attribute("minimumUpdatePeriod") = xs_duration(kMinimumUpdatePeriod).c_str();
  mpd.append_attribute("timeShiftBufferDepth") = xs_duration(newest.window).c_str();
  mpd.append_attribute("suggestedPresentationDelay") = xs_duration(kSuggestedDelay).c_str();
  mpd.append_attribute("minBufferTime") = "PT1S";
  mpd.append_attribute("maxSegmentDuration") = xs_duration(longest).c_str();
  pugi::xml_node service = mpd.append_child("ServiceDescription");
  service.append_attribute("id") = 0;
  pugi::xml_node latency = service.append_child("Latency");
  latency.append_attribute("referenceId") = 0;
  // Every rendition must be there by then, or who switches to a slow rung would stall.
  microseconds slowest{0};
  for (const RenditionListing& rendition : eras.back().renditions)
    slowest = std::max(slowest, rendition.info.delay);
  const milliseconds target = kLatencyTarget + std::chrono::ceil<milliseconds>(slowest);
  latency.append_attribute("target") = target.count();
  latency.append_attribute("min") = kLatencyMin.count();
  latency.append_attribute("max") = std::max(kLatencyMax, 2 * target).count();
  pugi::xml_node rate = service.append_child("PlaybackRate");
  rate.append_attribute("min") = "0.96";
  rate.append_attribute("max") = "1.04";
  for (std::size_t i = 0; i < eras.size(); ++i)
    write_period(mpd, eras[i], i > 0 ? &eras[i - 1] : nullptr);
  write_utc_timing(mpd);
  TextWriter writer;
  document.save(writer, " ", pugi::format_indent, pugi::encoding_utf8);
  return std::move(writer.text);
}

std::string write_static_manifest(const ClosedItem& item, microseconds duration,
                                  const std::optional<ThumbnailListing>& thumbnails) {
  microseconds longest{0};
  EraListing listing;
  for (const ClosedRendition& rendition : item.renditions) {
    listing.renditions.push_back({rendition.info, rendition.init});
    for (const ClosedSegment& segment : rendition.segments)
      longest =
          std::max(longest, media::to_microseconds(segment.duration, rendition.info.timescale));
  }
  pugi::xml_document document;
  pugi::xml_node declaration = document.append_child(pugi::node_declaration);
  declaration.append_attribute("version") = "1.0";
  declaration.append_attribute("encoding") = "UTF-8";
  pugi::xml_node mpd = document.append_child("MPD");
  mpd.append_attribute("xmlns") = "urn:mpeg:dash:schema:mpd:2011";
  declare_scte214(mpd, listing);
  // [ISO/IEC 23009-1 8.4] the "live" profile is what SegmentTemplate is called, static or not.
  mpd.append_attribute("profiles") = "urn:mpeg:dash:profile:isoff-live:2011";
  mpd.append_attribute("type") = "static";
  mpd.append_attribute("mediaPresentationDuration") = xs_duration(duration).c_str();
  mpd.append_attribute("minBufferTime") = "PT2S";
  mpd.append_attribute("maxSegmentDuration") = xs_duration(longest).c_str();
  pugi::xml_node period = mpd.append_child("Period");
  period.append_attribute("id") = "0";
  period.append_attribute("start") = "PT0S";
  const auto write_member = [&](pugi::xml_node set, const RenditionListing& member) {
    const auto found = std::ranges::find_if(item.renditions, [&](const auto& rendition) {
      return rendition.info.id == member.info.id;
    });
    write_closed(set, item, *found);
  };
  const unsigned next = write_sets(period, listing, nullptr, write_member);
  if (const ClosedRendition* led = leading_of(item); thumbnails && led != nullptr) {
    pugi::xml_node set = write_images(period, next);
    pugi::xml_node segments = write_image(set, *thumbnails, 1);
    segments.append_attribute("media") =
        fmt::format("thumbnails/{}$Number$.jpg", segment_name_prefix(item.run)).c_str();
    write_times(segments, item, *led);
    write_sheets(set, *thumbnails, item.run, 0);
  }
  TextWriter writer;
  document.save(writer, " ", pugi::format_indent, pugi::encoding_utf8);
  return std::move(writer.text);
}

}  // namespace kapok::packaging
