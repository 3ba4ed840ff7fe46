// What a caller asks for in its stream id: which channel, to publish or to receive, with which key.
// Three forms are understood:
//   #!::r=<channel>,m=publish,u=<key>          the standard syntax [draft appendix B]; also s, h, t
//   publish:<channel>?key=<key>                read: or request: to receive
//   publish:<channel>:<key>                    as MediaMTX; with a user:
//   publish:<channel>:<user>:<key>
// The channel may stand as `live/<channel>`. A StreamId holds a secret: never log it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/base/result.hpp"

namespace kapok::srt {

enum class StreamMode : std::uint8_t { request, publish };

struct StreamId {
  StreamMode mode = StreamMode::request;  // [draft appendix B] the default of m
  std::string channel;                    // a valid id, or empty when only a key was given
  std::string key;                        // `u` of the standard form
  std::string session;                    // `s`
  std::string host;                       // `h`
};

// Errors: malformed (control bytes, bad syntax, a key twice, a channel that is no id), unsupported
// (nested form, m=bidirectional, t other than stream), limit (over 512 bytes). The messages repeat
// none of the input.
Result<StreamId> parse_stream_id(std::string_view text);

// The standard form, as kapok-send sends it.
std::string format_stream_id(const StreamId& id);

}  // namespace kapok::srt
