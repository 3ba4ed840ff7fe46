// What we tell peers about Enhanced RTMP. [Enhanced RTMP v2, "Enhancing NetConnection connect
// Command"] Negotiation is never required: FFmpeg 8.1 sends extended headers without asking.
#pragma once

#include <cstdint>

#include "server/picture/containers/amf/amf.hpp"

namespace kapok::rtmp {

enum CapsEx : std::uint32_t {
  kCapsReconnect = 1,
  kCapsMultitrack = 2,
  kCapsModEx = 4,
  kCapsTimestampNanoOffset = 8,
};

// The properties that connect and its _result carry.
amf::Object enhanced_capabilities();

}  // namespace kapok::rtmp
