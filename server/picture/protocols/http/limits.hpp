// What one HTTP request may cost before anybody has looked at what it asks.
#pragma once

#include <cstddef>

namespace kapok::http {

// A session token is at most 200 characters and a query of ours 60: 8 KiB is what other servers
// allow, so no proxy in front sends more.
constexpr std::size_t kMaxRequestLine = 8 * 1024;
// All header fields together, and how many.
constexpr std::size_t kMaxHeaderBytes = 16 * 1024;
constexpr std::size_t kMaxHeaders = 64;
constexpr std::size_t kMaxHeadBytes = kMaxRequestLine + kMaxHeaderBytes;
// Beacons and API calls are below 4 KiB; a route that needs more says so.
constexpr std::size_t kMaxBodyBytes = 64 * 1024;
// One name in a path: a file name's limit on every system.
constexpr std::size_t kMaxPathSegment = 255;
// Chunk extensions and trailers of a request body mean nothing to us.
constexpr std::size_t kMaxChunkLine = 256;

}  // namespace kapok::http
