#include "transcoder/gstreamer/codecs.hpp"

#include <utility>

#include "transcoder/gstreamer/frame.hpp"
#include "transcoder/gstreamer/video_decoder.hpp"
#include "transcoder/gstreamer/video_encoder.hpp"

namespace kapok::gstreamer {

Result<std::unique_ptr<ffmpeg::PictureDecoder>> Codecs::decoder(
    std::shared_ptr<const media::Track> track, unsigned threads, ffmpeg::Counters& counters,
    ffmpeg::OnPicture out) const {
  const Decoder* chosen = KAPOK_TRY(toolbox_.decoder(track->codec));
  std::string text = decoder_text(*chosen, ffmpeg::decoder_threads(*track->video(), threads));
  return VideoDecoder::open(std::move(track), std::move(text), counters, std::move(out));
}

Result<std::unique_ptr<ffmpeg::PictureEncoder>> Codecs::encoder(
    const ffmpeg::VideoRungSetup& setup, const AVFrame& first, const media::VideoFacts& source,
    ladder::RungSink& sink, ffmpeg::RungCounters& counters) const {
  std::string text = setup.rung.bin;
  // Its pictures are the decoder's own.
  Fields fields = source.interlaced ? Fields::mixed : Fields::progressive;
  if (text.empty()) {
    const Encoder* chosen = KAPOK_TRY(toolbox_.encoder(setup.rung.codec, setup.rung.bit_depth));
    const media::Colour colour{.transfer = static_cast<std::uint8_t>(first.color_trc)};
    text = encoder_text(*chosen, {.rung = setup.rung,
                                  .light = source,
                                  .is_hdr = dynamic_range_of(colour) != media::DynamicRange::sdr,
                                  .threads = setup.threads});
    fields = Fields::progressive;
  }
  return VideoEncoder::open({.rung = setup.rung,
                             .id = setup.id,
                             .timescale = setup.timescale,
                             .frame_rate = setup.frame_rate,
                             .text = std::move(text),
                             .pictures = KAPOK_TRY(raw_caps(first, setup.frame_rate, fields))},
                            sink, counters);
}

}  // namespace kapok::gstreamer
