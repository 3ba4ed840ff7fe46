// The command line of kapok-transcoder. It takes no address and no file to decode: pictures come
// through the inherited socket only.
#pragma once

#include <optional>
#include <string>

namespace kapok::transcoder {

struct Arguments {
  bool worker = false;
  bool file = false;  // of the worker: decodes descriptor 4
  bool probe = false;
  bool json = false;   // of the probe
  std::string record;  // a file for kapok-inspect
  std::string cores;   // that it may use: "2,3"; empty: all
  std::string busy;    // devices that other channels use: device::parse_load()
};

// Absent: `exit_code` is what the program ends with, what there was to say has been printed.
std::optional<Arguments> parse(int argc, const char* const* argv, int& exit_code);

}  // namespace kapok::transcoder
