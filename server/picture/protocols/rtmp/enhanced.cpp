#include "server/picture/protocols/rtmp/enhanced.hpp"

namespace kapok::rtmp {

namespace {
constexpr int kForward = 4;             // FourCcInfoMask: we pass it on and never decode
constexpr int kVideoFunctions = 2 | 4;  // HDR, and PacketTypeMetadata to carry it
}  // namespace

amf::Object enhanced_capabilities() {
  return {
      {"fourCcList", amf::Array{"avc1", "hvc1", "av01", "Opus", "ac-3", "ec-3", "fLaC", "mp4a"}},
      {"videoFourCcInfoMap",
       amf::Object{{"avc1", kForward}, {"hvc1", kForward}, {"av01", kForward}}},
      {"audioFourCcInfoMap", amf::Object{{"mp4a", kForward},
                                         {"Opus", kForward},
                                         {"ac-3", kForward},
                                         {"ec-3", kForward},
                                         {"fLaC", kForward}}},
      {"videoFunction", kVideoFunctions},
      {"capsEx", static_cast<double>(kCapsReconnect | kCapsMultitrack | kCapsModEx |
                                     kCapsTimestampNanoOffset)},
  };
}

}  // namespace kapok::rtmp
