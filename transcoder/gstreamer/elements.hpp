// Which GStreamer elements decode and encode what on which device, with the settings that the
// ladder's mean for each. Only names and words: whether one works is found out by toolbox.hpp.
#pragma once

#include <span>
#include <string>

#include "server/media/ladder.hpp"

namespace kapok::gstreamer {

struct Decoder {
  std::string_view device;  // "software", "nvidia", "vaapi", "qsv"
  media::Codec codec;
  std::string_view element;
  std::string_view settings;
};
struct Encoder {
  std::string_view device;
  media::Codec codec;
  std::string_view element;
  std::string_view settings;  // with the fields of encoder_text()
};

// The best first: devices in order, software last.
std::span<const Decoder> decoders();
std::span<const Encoder> encoders();

struct EncoderSetup {
  media::VideoRung rung;
  media::VideoFacts light;  // of the source; mastering display and light for an HDR rung
  bool is_hdr = false;
  unsigned threads = 1;
};
// From I420 or I420_10LE to what parser_of() takes, as gst-launch-1.0 reads it.
std::string encoder_text(const Encoder& encoder, const EncoderSetup& setup);
// From a codec's packets to frames in system memory.
std::string decoder_text(const Decoder& decoder, unsigned threads);

std::string_view parser_of(media::Codec codec);
// What comes out of an encoder and its parser.
std::string coded_caps(media::Codec codec);

}  // namespace kapok::gstreamer
