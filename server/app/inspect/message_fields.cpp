#include "server/app/inspect/message_fields.hpp"

#include <boost/json/array.hpp>

namespace kapok::inspect {

namespace {

namespace json = boost::json;

// Prose may hold any bytes; what is shown is ASCII.
std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += c >= 0x20 && c < 0x7f ? std::string(1, c)
                                 : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warn:
      return "warn";
    case LogLevel::error:
      return "error";
  }
  return "error";
}

void add(json::object& out, const media::Track& track) {
  out["track"] = track.id;
  out["codec"] = media::name_of(track.codec);
  out["timescale"] = track.timescale;
  out["codec_string"] = track.codec_string;
  out["language"] = track.language;
  out["config_bytes"] = track.config.size();
  if (const media::VideoFacts* video = track.video()) {
    out["width"] = video->width;
    out["height"] = video->height;
    out["bit_depth"] = video->bit_depth;
    out["frame_rate"] =
        fmt::format("{}/{}", video->frame_rate.numerator, video->frame_rate.denominator);
    out["colour"] = fmt::format("{}/{}/{}", video->colour.primaries, video->colour.transfer,
                                video->colour.matrix);
    out["mastering"] = video->mastering.has_value();
    out["content_light"] = video->light.has_value();
  }
  if (const media::AudioFacts* audio = track.audio()) {
    out["sample_rate"] = audio->sample_rate;
    out["channels"] = audio->channels;
  }
}

void add(json::object& out, const media::Packet& packet) {
  out["track"] = packet.track;
  out["dts"] = packet.dts.count;
  out["pts"] = packet.pts.count;
  out["duration"] = packet.duration.count;
  out["sync"] = packet.sync;
  out["payload_bytes"] = packet.payload.size();
}

struct Fields {
  json::object out;

  void operator()(const wire::Hello& hello) { out["version"] = hello.version; }
  void operator()(const media::Ladder& ladder) {
    out["ladder"] = ladder.name;
    out["engine"] = ladder.engine;
    out["device"] = ladder.device;
    json::array rungs;
    for (const media::VideoRung& rung : ladder.video)
      rungs.push_back({{"rung", rung.name},
                       {"codec", media::name_of(rung.codec)},
                       {"height", rung.height},
                       {"half_rate", rung.rate == media::RungRate::half},
                       {"bit_rate", rung.bit_rate},
                       {"vbv_ms", rung.vbv_ms},
                       {"bit_depth", rung.bit_depth},
                       {"sdr", rung.range == media::RungRange::sdr},
                       {"b_frames", rung.b_frames},
                       {"preset", rung.preset},
                       {"tune", rung.tune},
                       {"bin", rung.bin}});
    for (const media::AudioRung& rung : ladder.audio)
      rungs.push_back({{"rung", rung.name},
                       {"codec", media::name_of(rung.codec)},
                       {"channels", rung.channels},
                       {"bit_rate", rung.bit_rate},
                       {"loudness", rung.loudness},
                       {"source", rung.source}});
    out["rungs"] = std::move(rungs);
    if (ladder.poster.enabled)
      out["poster"] = {{"interval_ms", ladder.poster.interval.count() / 1000},
                       {"side", ladder.poster.side}};
    if (ladder.thumbnails.enabled) out["thumbnails"] = {{"side", ladder.thumbnails.side}};
    if (!ladder.overlay.png.empty()) out["logo_bytes"] = ladder.overlay.png.size();
    if (ladder.clock) out["clock"] = true;
  }
  void operator()(const wire::SourceTrack& source) { add(out, *source.track); }
  void operator()(const wire::SourcePacket& source) {
    add(out, source.packet);
    out["segment_start"] = source.segment_start;
  }
  void operator()(const wire::Discontinuity&) {}
  void operator()(const wire::Drain&) {}

  void operator()(const wire::WorkerHello& hello) {
    out["version"] = hello.version;
    out["engine"] = hello.engine;
    out["device"] = hello.device;
  }
  void operator()(const wire::RungTrack& rung) {
    out["rung"] = rung.rung;
    add(out, *rung.track);
  }
  void operator()(const wire::RungPacket& rung) {
    out["rung"] = rung.rung;
    add(out, rung.packet);
  }
  void operator()(const wire::Heartbeat& beat) {
    out["decoded"] = beat.decoded;
    out["decode_errors"] = beat.decode_errors;
    out["dropped"] = beat.dropped;
    out["waiting_ms"] = beat.waiting_ms;
    out["cpu_ms"] = beat.cpu_ms;
    out["memory_bytes"] = beat.memory_bytes;
    json::array rungs;
    for (const wire::RungProgress& rung : beat.rungs)
      rungs.push_back({{"rung", rung.rung}, {"encoded", rung.encoded}, {"shed", rung.shed}});
    out["rungs"] = std::move(rungs);
    out["device"] = beat.device;
  }
  void operator()(const wire::Notice& notice) {
    out["level"] = name_of(notice.level);
    out["event"] = notice.event;
    out["text"] = shown(notice.text);
  }
  void operator()(const wire::Drained&) {}
  void operator()(const media::AnomalyEvent& event) {
    constexpr std::string_view kStates[] = {"begun", "goes_on", "ended"};
    out["kind"] = name_of(event.kind);
    out["state"] = kStates[static_cast<std::size_t>(event.state)];
    out["from_us"] = event.from.count();
    out["to_us"] = event.to.count();
  }

  void operator()(const wire::FileStart& start) {
    out["from_ns"] = start.from.count();
    out["segment_ms"] = start.segment.count();
    out["ceiling_ms"] = start.ceiling.count();
    out["publish_source"] = start.publish_source;
  }
  void operator()(const wire::FileOpened& opened) {
    out["format"] = opened.format;
    out["duration_ns"] = opened.duration.count();
  }
  void operator()(const wire::FileTrack& file) {
    out["published"] = file.published;
    add(out, *file.track);
  }
  void operator()(const wire::FilePacket& file) { add(out, file.packet); }
  void operator()(const wire::FileSegment& segment) { out["at_ns"] = segment.at.count(); }
  void operator()(const wire::FileRefused& refused) {
    out["source_unfit"] = refused.why == wire::FileRefused::Why::source_unfit;
    out["text"] = shown(refused.text);
  }
  void operator()(const media::Image& image) {
    out["kind"] = media::name_of(image.kind);
    out["pts"] = image.pts.count;
    out["timescale"] = image.timescale;
    out["width"] = image.width;
    out["height"] = image.height;
    out["jpeg_bytes"] = image.jpeg.size();
  }
};

}  // namespace

Result<json::object> fields_of(const wire::Frame& frame) {
  Fields fields;
  if (wire::is_from_worker(frame.type))
    std::visit(fields, KAPOK_TRY(wire::decode_from_worker(frame)));
  else
    std::visit(fields, KAPOK_TRY(wire::decode_to_worker(frame)));
  return std::move(fields.out);
}

}  // namespace kapok::inspect
