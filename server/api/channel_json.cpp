#include "server/api/channel_json.hpp"

#include <fmt/format.h>

#include <cmath>

#include "server/api/srt_json.hpp"
#include "server/media/dolby_vision.hpp"
#include "server/media/supplemental.hpp"

namespace kapok::api {

namespace json = boost::json;

namespace {

json::string text(std::string_view value) {
  return json::string(value.data(), value.size());
}
json::value time_or_null(const std::optional<UtcTime>& time) {
  return time ? json::value(text(format_utc(*time))) : json::value(nullptr);
}
// Three decimals: more would be noise of the measurement.
double rounded(double value) {
  return std::isfinite(value) ? std::round(value * 1000) / 1000 : 0;
}

std::string_view name_of(media::TrackKind kind) {
  switch (kind) {
    case media::TrackKind::video:
      return "video";
    case media::TrackKind::audio:
      return "audio";
    case media::TrackKind::text:
      return "text";
    case media::TrackKind::metadata:
      return "metadata";
    case media::TrackKind::opaque:
      return "opaque";
  }
  return "opaque";
}
std::string_view name_of(media::DynamicRange range) {
  switch (range) {
    case media::DynamicRange::sdr:
      return "SDR";
    case media::DynamicRange::pq:
      return "PQ";
    case media::DynamicRange::hlg:
      return "HLG";
  }
  return "SDR";
}
std::string_view name_of(media::IngestProtocol protocol) {
  switch (protocol) {
    case media::IngestProtocol::rtmp:
      return "rtmp";
    case media::IngestProtocol::rtmps:
      return "rtmps";
    case media::IngestProtocol::srt:
      return "srt";
  }
  return "rtmp";
}

double milliseconds_json(microseconds time) {
  return rounded(static_cast<double>(time.count()) / 1000);
}

json::object video_json(const media::VideoFacts& video) {
  json::object out;
  out["width"] = video.width;
  out["height"] = video.height;
  out["bit_depth"] = video.bit_depth;
  out["range"] = text(name_of(media::offered_range(video)));
  // Code points of ISO/IEC 23091-2.
  out["colour_primaries"] = video.colour.primaries;
  out["transfer"] = video.colour.transfer;
  out["matrix"] = video.colour.matrix;
  out["hdr_vivid"] = video.hdr_vivid;
  out["hdr10_plus"] = video.hdr10_plus;
  out["dolby_vision"] = nullptr;
  if (const auto& stream = video.dolby_vision) {
    out["dolby_vision"] = text(media::dolby_vision::profile_name(*stream));
    if (stream->level) out["dolby_vision_level"] = *stream->level;
  }
  // [SMPTE ST 2086] in 0.0001 cd/m2; [CTA-861.3] in cd/m2.
  if (video.mastering) {
    out["mastering_max_nits"] = rounded(video.mastering->max_luminance / 10'000.0);
    out["mastering_min_nits"] = rounded(video.mastering->min_luminance / 10'000.0);
  }
  if (video.light) {
    out["max_content_light"] = video.light->max_content;
    out["max_frame_average_light"] = video.light->max_frame_average;
  }
  return out;
}

json::object track_json(const channel::TrackFacts& track) {
  json::object out;
  out["kind"] = text(name_of(track.kind));
  out["codec"] = text(media::name_of(track.codec));
  out["codec_string"] = text(track.codec_string);
  out["language"] = text(track.language);
  out["rendition"] = text(track.rendition);
  if (track.ts_stream_type) out["ts_stream_type"] = *track.ts_stream_type;
  out["bits_per_second"] = track.bits_per_second;
  if (track.video) {
    out["video"] = video_json(*track.video);
    out["frames_per_second"] = rounded(track.frames_per_second);
    out["gop_frames"] = track.gop_frames;
    out["gop_ms"] = milliseconds_json(track.gop);
  }
  if (track.audio) {
    json::object audio;
    audio["sample_rate"] = track.audio->sample_rate;
    audio["channels"] = track.audio->channels;
    out["audio"] = std::move(audio);
  }
  return out;
}

const RenditionView* best_video(const ChannelView& view) {
  const RenditionView* best = nullptr;
  for (const RenditionView& rendition : view.renditions)
    if (rendition.kind == media::TrackKind::video &&
        (best == nullptr || rendition.height > best->height))
      best = &rendition;
  return best;
}

json::object feed_json(const channel::FeedFacts& feed) {
  json::object out;
  out["name"] = text(feed.name);
  out["priority"] = feed.priority;
  out["connected"] = feed.connected;
  out["on_air"] = feed.on_air;
  if (!feed.connected) return out;
  out["protocol"] = text(name_of(feed.protocol));
  out["since"] = text(format_utc(feed.since));
  json::array tracks;
  for (const channel::TrackFacts& track : feed.tracks) tracks.push_back(track_json(track));
  out["tracks"] = std::move(tracks);
  out["drift_ppm"] = rounded(feed.drift_ppm);
  return out;
}

json::object worker_json(const channel::WorkerFacts& worker) {
  json::object out;
  out["state"] = text(channel::name_of(worker.state));
  out["engine"] = text(worker.engine);
  out["device"] = text(worker.device);
  out["since"] = time_or_null(worker.since);
  out["restarts"] = worker.restarts;
  out["hangs"] = worker.hangs;
  out["crash_loop"] = worker.crash_loop;
  out["last_end"] = text(worker.last_end);
  out["frames_decoded"] = worker.frames_decoded;
  out["decode_errors"] = worker.decode_errors;
  out["queue_bytes"] = worker.queue_bytes;
  out["queue_ms"] = milliseconds_json(worker.queue);
  out["behind_ms"] = milliseconds_json(worker.behind);
  out["dropped_packets"] = worker.dropped_packets;
  return out;
}

json::value ladder_json(const std::optional<channel::LadderFacts>& ladder, LadderOrigin origin) {
  if (!ladder) return nullptr;
  json::object out;
  out["name"] = text(ladder->name);
  out["set_by"] = origin == LadderOrigin::api ? "api" : "configuration";
  out["worker"] = worker_json(ladder->worker);
  json::array rungs;
  for (const channel::RungFacts& rung : ladder->rungs) {
    json::object entry = track_json(rung.track);
    entry["lag_ms"] = rung.lag ? json::value(milliseconds_json(*rung.lag)) : json::value(nullptr);
    entry["frames_shed"] = rung.frames_shed;
    entry["dropped_packets"] = rung.dropped_packets;
    rungs.push_back(std::move(entry));
  }
  out["rungs"] = std::move(rungs);
  json::array left_out;
  for (const media::RungLeftOut& left : ladder->left_out)
    left_out.push_back({{"rung", text(left.rung)}, {"why", text(left.why)}});
  out["left_out"] = std::move(left_out);
  return out;
}

json::value picture_events_json(const channel::ChannelFacts& facts) {
  if (!facts.ladder) return nullptr;  // nobody looks
  json::array out;
  for (const channel::AnomalyFacts& event : facts.anomalies)
    out.push_back({{"kind", text(media::name_of(event.kind))},
                   {"from", text(format_utc(event.from))},
                   {"to", text(format_utc(event.to))},
                   {"goes_on", event.goes_on}});
  return out;
}

}  // namespace

json::object channel_summary(const ChannelView& view) {
  json::object out;
  out["id"] = text(view.facts.id);
  out["title"] = text(view.facts.title.empty() ? view.facts.id : view.facts.title);
  out["live"] = view.facts.live;
  out["since"] = time_or_null(view.facts.live_since);
  const RenditionView* video = best_video(view);
  out["width"] = video != nullptr ? json::value(video->width) : json::value(nullptr);
  out["height"] = video != nullptr ? json::value(video->height) : json::value(nullptr);
  out["range"] = video != nullptr ? json::value(text(name_of(video->range))) : json::value(nullptr);
  out["hls"] = text(fmt::format("/live/{}/master.m3u8", view.facts.id));
  out["dash"] = text(fmt::format("/live/{}/manifest.mpd", view.facts.id));
  // The time makes each picture an address of its own, so that a page that shows it anew loads it.
  constexpr std::int64_t kPerSecond = 1'000'000;
  out["poster"] = view.facts.poster
                      ? json::value(text(fmt::format(
                            "/live/{}/poster.jpg?t={}", view.facts.id,
                            view.facts.poster->time_since_epoch().count() / kPerSecond)))
                      : json::value(nullptr);
  json::value programme = nullptr;
  if (view.programme) {
    json::object now;
    now["id"] = text(view.programme->id);
    now["title"] = text(view.programme->title);
    now["start"] = time_or_null(view.programme->start);
    now["end"] = time_or_null(view.programme->end);
    now["free"] = view.programme->free;
    programme = std::move(now);
  }
  out["programme"] = std::move(programme);
  return out;
}

json::object channel_detail(const ChannelView& view) {
  json::object out = channel_summary(view);
  json::array renditions;
  for (const RenditionView& rendition : view.renditions) {
    json::object entry;
    entry["id"] = text(rendition.id);
    entry["kind"] = text(name_of(rendition.kind));
    entry["codec_string"] = text(rendition.codec_string);
    entry["language"] = text(rendition.language);
    if (rendition.kind == media::TrackKind::video) {
      entry["width"] = rendition.width;
      entry["height"] = rendition.height;
      entry["frame_rate"] = rounded(rendition.frame_rate);
      entry["range"] = text(name_of(rendition.range));
    }
    entry["bandwidth"] = rendition.bandwidth;
    renditions.push_back(std::move(entry));
  }
  out["renditions"] = std::move(renditions);
  json::array feeds;
  for (const channel::FeedFacts& feed : view.facts.feeds) feeds.push_back(feed_json(feed));
  out["feeds"] = std::move(feeds);
  out["ladder"] = ladder_json(view.facts.ladder, view.ladder_origin);
  out["picture_events"] = picture_events_json(view.facts);
  return out;
}

json::array feeds_for_admin(const ChannelView& view, const std::vector<SrtFeedView>& srt) {
  json::array feeds;
  for (const channel::FeedFacts& feed : view.facts.feeds) {
    json::object out = feed_json(feed);
    out["last_end"] =
        feed.last_end ? json::value(text(name_of(*feed.last_end))) : json::value(nullptr);
    if (feed.connected) {
      out["peer"] = text(feed.peer);
      out["encoder"] = text(feed.encoder);
      out["slew_ppm"] = rounded(feed.slew_ppm);
      out["packets"] = feed.packets;
      out["bytes"] = feed.bytes;
      out["dropped_packets"] = feed.dropped_packets;
      out["discontinuities"] = feed.discontinuities;
      out["last_packet_age_ms"] = feed.last_packet_age
                                      ? json::value(milliseconds_json(*feed.last_packet_age))
                                      : json::value(nullptr);
    }
    for (const SrtFeedView& travels : srt)
      if (feed.connected && travels.feed == feed.name) out["srt"] = srt_json(travels);
    feeds.push_back(std::move(out));
  }
  return feeds;
}

}  // namespace kapok::api
