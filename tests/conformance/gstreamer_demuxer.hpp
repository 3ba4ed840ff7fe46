// What GStreamer's demultiplexer says to a transport stream.
#pragma once

#include <filesystem>
#include <string>

namespace kapok::conformance {

// Reads all of it, every stream of every version of its program map, and gives the warnings and
// errors; "" if there are none. GStreamer is there for the caller's process from then on.
std::string gstreamer_says(const std::filesystem::path& transport_stream);

}  // namespace kapok::conformance
