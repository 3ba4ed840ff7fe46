// What this machine can decode, scale, tone-map and encode, found out by doing it: on each device a
// few pictures go the way that a channel's would. A row says no with the reason that a person needs
// ("libcuda.so.1 not found").
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "server/media/packet.hpp"
#include "transcoder/device/listing.hpp"
#include "transcoder/ffmpeg/path.hpp"

namespace kapok::device {

struct ProbeRow {
  std::string engine = "ffmpeg";  // or "gstreamer"
  std::string device;  // "software", "nvidia:0"; of a kind that there is none of: "nvidia"
  std::string name;    // "NVIDIA H200"
  std::string task;    // "find", "decode", "scale", "tone-map", "encode"
  std::string codec;   // "avc", "hevc", "hevc-10" (bits), "aac"; empty where the task knows none
  bool works = false;
  std::string reason;  // why not
};

// Clips to try decoders with: made in software, once for all devices.
class Samples {
 public:
  Samples();  // takes a tenth of a second
  struct Sample {
    ffmpeg::Coding coding;
    Result<void> encoded;
    std::shared_ptr<const media::Track> track;
    std::vector<media::Packet> packets;
  };
  const std::vector<Sample>& all() const { return all_; }

 private:
  std::vector<Sample> all_;
};

struct Probed {
  ffmpeg::Path path;  // what works
  std::vector<ProbeRow> rows;
};
// Afterwards libraries and drivers have read what they read at their first use, which a sandbox
// would deny them.
Probed probe_device(const Found& found, const Samples& samples);
// Everything, of both engines. Takes seconds.
std::vector<ProbeRow> probe();

std::string as_table(const std::vector<ProbeRow>& rows);
std::string as_json(const std::vector<ProbeRow>& rows);

}  // namespace kapok::device
