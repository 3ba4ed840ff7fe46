// A rung's settings in the words of libx264, libx265 and libsvtav1, and of devices' encoders.
#pragma once

#include <string>

#include "transcoder/ffmpeg/av.hpp"
#include "transcoder/ffmpeg/video_encoder.hpp"

namespace kapok::ffmpeg {

// "libx264"; empty for what we do not encode.
const char* encoder_name(media::Codec codec);
// `light`: the facts of the source where the rung is HDR, else null.
void configure(AVCodecContext& context, Options& options, const VideoRungSetup& setup,
               const media::VideoFacts* light);

}  // namespace kapok::ffmpeg
