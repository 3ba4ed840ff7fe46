// Chunked transfer coding [RFC 9112 7.1]: reading request bodies, and the framing of what grows
// while it is sent. Extensions and trailers are read over. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"

namespace kapok::http {

class ChunkedDecoder {
 public:
  explicit ChunkedDecoder(std::size_t limit_bytes) : limit_(limit_bytes) {}

  // Takes what it can of `bytes`, returns how much that was: all, or up to the body's end.
  // Errors: malformed, limit.
  Result<std::size_t> receive(std::string_view bytes);
  bool complete() const { return state_ == State::end; }
  // Bytes looked at so far: after an error, where it is.
  std::uint64_t offset() const { return offset_; }
  Bytes take() { return std::move(body_); }

 private:
  enum class State : std::uint8_t { size, payload, payload_end, trailer, end };
  Result<void> line_ended();

  std::size_t limit_;
  State state_ = State::size;
  std::string line_;
  std::size_t trailer_bytes_ = 0;
  std::uint64_t left_ = 0;
  std::uint64_t offset_ = 0;
  Bytes body_;
};

// "1a2b\r\n": what goes before a chunk's bytes; "\r\n" goes after them.
struct ChunkHead {
  std::array<char, 18> text;
  std::size_t size;
  std::string_view view() const { return {text.data(), size}; }
};
ChunkHead chunk_head(std::uint64_t bytes);
constexpr std::string_view kChunkEnd = "\r\n";
constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace kapok::http
