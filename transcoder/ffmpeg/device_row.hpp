// What libav calls things on each kind of device: one table, read by generic code. Frames come from
// the device's decoder or from hwupload, stay there through `scale` or `map`, and go into its
// encoder; where it lacks one of these, they are moved.
#pragma once

#include <string>

#include "server/media/device.hpp"
#include "transcoder/ffmpeg/av.hpp"

extern "C" {
#include <libavutil/hwcontext.h>
}

namespace kapok::ffmpeg {

struct DeviceRow {
  media::DeviceKind kind;
  AVHWDeviceType type;
  AVPixelFormat frames;    // what its frames are called
  AVPixelFormat memory_8;  // how they lie inside
  AVPixelFormat memory_10;
  // Filters, with {w}, {h} and {format}; empty where it has none.
  const char* scale;
  const char* map;  // scales, then maps HDR or wide colours to SDR in BT.709
  const char* deinterlace;
  bool to_limited_range;  // whether `scale` makes it of full range
  const char* avc;        // encoders
  const char* hevc;
  const char* av1;
  // libav before 6.1 does not lock a Vulkan queue, which one thread at a time may use.
  bool one_thread;
};

// Null: software.
const DeviceRow* row_of(media::DeviceKind kind);
const char* encoder_name(const DeviceRow& row, media::Codec codec);  // "" for none
AVPixelFormat memory_format(const DeviceRow& row, unsigned bit_depth);

}  // namespace kapok::ffmpeg
