// What this machine can decode, scale, tone-map and encode, found out by doing it: a device is
// opened, the software path really encodes and decodes a few pictures. A row says no with the
// reason that a person needs ("Cannot load libcuda.so.1").
#pragma once

#include <string>
#include <vector>

namespace kapok::device {

struct ProbeRow {
  std::string engine = "ffmpeg";  // or "gstreamer"
  std::string device;             // "software", "nvidia", "vaapi", "qsv", "vulkan"
  std::string task;               // "decode", "scale", "tone-map", "encode"
  std::string codec;  // "avc", "hevc", "hevc-10" (bits), "aac"; empty where the task knows none
  bool works = false;
  std::string reason;  // why not
};

// Of both engines; takes a second or two.
std::vector<ProbeRow> probe();
// Of software alone, in a tenth of that. Afterwards libraries have read what they read at their
// first use (libnuma: /sys), which a sandbox would deny them.
std::vector<ProbeRow> probe_software();

std::string as_table(const std::vector<ProbeRow>& rows);
std::string as_json(const std::vector<ProbeRow>& rows);

}  // namespace kapok::device
