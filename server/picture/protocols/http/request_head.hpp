// One request head (request line and header fields) as views into the bytes it was read from, so
// that answering from memory allocates nothing. HTTP/2 fills the same struct from its header list.
// parse_head() refuses whatever two servers could read differently (request smuggling): see
// [RFC 9112 2.2, 5, 6.3]. Pure; the limits are those of limits.hpp.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "server/picture/protocols/http/limits.hpp"
#include "server/picture/protocols/http/message.hpp"

namespace kapok::http {

struct HeaderView {
  std::string_view name;
  std::string_view value;  // without surrounding blanks
};

struct RequestHead {
  Method method = Method::other;
  std::string_view raw_path;
  std::string_view query;
  std::uint8_t minor_version = 1;  // HTTP/1.<minor>
  bool keep_alive = true;
  bool expects_continue = false;
  bool chunked = false;                         // the body is, in the request
  std::optional<std::uint64_t> content_length;  // of the body
  // What the routes of media look at, found in the one pass over the fields.
  std::string_view range;
  std::string_view if_range;
  std::string_view if_none_match;
  std::string_view if_modified_since;
  std::string_view accept_encoding;
  std::array<HeaderView, kMaxHeaders> fields;
  std::size_t field_count = 0;

  std::span<const HeaderView> headers() const { return {fields.data(), field_count}; }
  std::optional<std::string_view> header(std::string_view name) const;
  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

// Finds the end of a head in bytes that arrive in pieces, looking at each byte once.
class HeadScanner {
 public:
  // The size of the head, its empty line included; 0: not all there yet.
  std::size_t scan(std::string_view bytes);
  void reset() { searched_ = 0; }

 private:
  std::size_t searched_ = 0;
};

// A head that cannot be served: answer with the status and close.
struct Refusal {
  unsigned status = 400;
  std::string_view why;  // a constant: safe to log and to send
  std::size_t at = 0;    // where in the head; 0: the request line
};

// `bytes` is exactly one head as HeadScanner delimits it. Empty lines before a request line are
// the caller's to skip. nullopt on success.
std::optional<Refusal> parse_head(std::string_view bytes, RequestHead& into);
// For a head that has no end within kMaxHeadBytes.
Refusal refuse_endless(std::string_view bytes);

}  // namespace kapok::http
