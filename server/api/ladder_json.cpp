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
  const auto duration = [](microseconds time) {
    return text(fmt::format("{}ms", std::chrono::duration_cast<milliseconds>(time).count()));
  };
  out["detect"] = {{"black", duration(ladder.detect.black)},
                   {"frozen", duration(ladder.detect.frozen)},
                   {"frozen_noise", ladder.detect.frozen_noise},
                   {"bars", duration(ladder.detect.bars)},
                   {"silence", duration(ladder.detect.silence)}};
  return out;
}

}  // namespace kapok::api
