#include "server/api/ladder_json.hpp"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <chrono>

namespace kapok::api {

namespace json = boost::json;

namespace {

json::string text(std::string_view value) {
  return json::string(value.data(), value.size());
}

json::object definition(const media::VideoRung& rung) {
  json::object out;
  out["name"] = text(rung.name);
  out["codec"] = text(media::name_of(rung.codec));
  out["height"] = rung.height;
  out["rate"] = rung.rate == media::RungRate::half ? "half" : "full";
  out["bit_rate"] = rung.bit_rate;
  out["vbv_ms"] = rung.vbv_ms;
  out["bit_depth"] = rung.bit_depth;
  out["range"] = rung.range == media::RungRange::sdr ? "sdr" : "keep";
  out["b_frames"] = rung.b_frames;
  out["preset"] = text(rung.preset);
  out["tune"] = text(rung.tune);
  out["bin"] = text(rung.bin);
  return out;
}

json::object definition(const media::AudioRung& rung) {
  json::object out;
  out["name"] = text(rung.name);
  out["codec"] = text(media::name_of(rung.codec));
  out["channels"] = rung.channels;
  out["bit_rate"] = rung.bit_rate;
  out["loudness"] = rung.loudness;
  return out;
}

// As a ladder's file has it.
json::string duration(microseconds time) {
  constexpr std::int64_t kPerMs = 1'000;
  constexpr std::int64_t kPerSecond = 1'000'000;
  return text(time.count() % kPerSecond == 0 ? fmt::format("{}s", time.count() / kPerSecond)
                                             : fmt::format("{}ms", time.count() / kPerMs));
}

std::string_view name_of(media::Corner corner) {
  constexpr std::string_view kNames[] = {"top-left", "top-right", "bottom-left", "bottom-right"};
  return kNames[static_cast<std::size_t>(corner)];
}

}  // namespace

json::object ladder_definition(const media::Ladder& ladder) {
  json::object out;
  out["name"] = text(ladder.name);
  out["engine"] = text(ladder.engine);
  out["device"] = text(ladder.device);
  json::array video;
  for (const media::VideoRung& rung : ladder.video) video.push_back(definition(rung));
  out["video"] = std::move(video);
  json::array audio;
  for (const media::AudioRung& rung : ladder.audio) audio.push_back(definition(rung));
  out["audio"] = std::move(audio);
  out["detect"] = {{"black", duration(ladder.detect.black)},
                   {"frozen", duration(ladder.detect.frozen)},
                   {"frozen_noise", ladder.detect.frozen_noise},
                   {"bars", duration(ladder.detect.bars)},
                   {"silence", duration(ladder.detect.silence)}};
  out["poster"] = {{"enabled", ladder.poster.enabled},
                   {"interval", duration(ladder.poster.interval)},
                   {"side", ladder.poster.side}};
  out["thumbnails"] = {{"enabled", ladder.thumbnails.enabled}, {"side", ladder.thumbnails.side}};
  out["overlay"] = {{"image", text(ladder.overlay.image)},
                    {"corner", text(name_of(ladder.overlay.corner))},
                    {"height_percent", ladder.overlay.height_percent},
                    {"margin_percent", ladder.overlay.margin_percent},
                    {"opacity_percent", ladder.overlay.opacity_percent}};
  out["clock"] = ladder.clock;
  return out;
}

}  // namespace kapok::api
