#include "transcoder/gstreamer/engine.hpp"

#include <set>
#include <utility>

#include "transcoder/ffmpeg/engine.hpp"
#include "transcoder/gstreamer/codecs.hpp"
#include "transcoder/gstreamer/pipe.hpp"

namespace kapok::gstreamer {

namespace {

Result<void> check_device(const std::string& device) {
  std::set<std::string_view> known{"auto"};
  for (const Encoder& encoder : encoders()) known.insert(encoder.device);
  if (known.contains(device)) return {};
  return fail(Errc::config, "device {} is none that GStreamer has elements for: say one of {}",
              device, fmt::join(known, ", "));
}

Result<void> check_graph(const std::string& text) {
  const ElementPtr bin = KAPOK_TRY(make_bin(text));
  // Drivers and libraries are opened here: later there are no files.
  const bool starts = gst_element_set_state(bin.get(), GST_STATE_READY) != GST_STATE_CHANGE_FAILURE;
  gst_element_set_state(bin.get(), GST_STATE_NULL);
  if (!starts) return fail(Errc::config, "one of its elements does not start");
  return {};
}

// Loads what an operator's graphs need; the rungs whose graph cannot be, which it tells.
std::set<std::string> broken_graphs(const media::Ladder& ladder, ladder::RungSink& sink) {
  std::set<std::string> broken;
  bool listed = false;
  for (const media::VideoRung& rung : ladder.video) {
    if (rung.bin.empty()) continue;
    if (!std::exchange(listed, true)) list_all_plugins();
    const auto done = check_graph(rung.bin);
    if (done) continue;
    broken.insert(rung.name);
    sink.notice(LogLevel::error, "rung.failed",
                fmt::format("{}: bin: {}", rung.name, done.error().message));
  }
  return broken;
}

}  // namespace

Result<Made> make_engine(media::Ladder ladder, ladder::EngineOptions options,
                         ladder::RungSink& sink) {
  KAPOK_TRY(check_device(ladder.device));
  Toolbox toolbox(ladder.device);
  std::set<std::string_view> used;
  for (const media::VideoRung& rung : ladder.video) {
    if (!rung.bin.empty()) continue;
    const auto encoder = toolbox.encoder(rung.codec, rung.bit_depth);
    used.insert(encoder ? (*encoder)->device : "software");
  }
  if (ladder.device != "auto" && ladder.device != "software" && !used.contains(ladder.device))
    sink.notice(LogLevel::warn, "device.missing",
                fmt::format("{}: no element of it works for this ladder: {}", ladder.device,
                            "kapok-transcoder --probe says why"));
  const std::string device = used.empty() ? "software" : fmt::format("{}", fmt::join(used, " "));
  const bool is_on_gpu = toolbox.uses_gpu();
  auto codecs = std::make_unique<Codecs>(std::move(toolbox), broken_graphs(ladder, sink), device);
  return Made{.engine = KAPOK_TRY(ffmpeg::make_engine(std::move(ladder), options, sink,
                                                      {.codecs = std::move(codecs)})),
              .device = device,
              .is_on_gpu = is_on_gpu};
}

}  // namespace kapok::gstreamer
