// Writes response heads into a buffer that the caller keeps and reuses: no allocation per response.
// The order of calls is the order on the wire; finish() ends it.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "server/base/clock.hpp"

namespace kapok::http {

class ResponseHead {
 public:
  // `out` is cleared.
  ResponseHead(std::string& out, unsigned status);

  ResponseHead& field(std::string_view name, std::string_view value) {
    out_ += name;
    out_ += ": ";
    out_ += value;
    out_ += "\r\n";
    return *this;
  }
  ResponseHead& field(std::string_view name, std::uint64_t value) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    return field(name, std::string_view(digits, static_cast<std::size_t>(end - digits)));
  }
  // Whole lines, each ended with CR LF, checked by whoever made them.
  ResponseHead& lines(std::string_view ready) {
    out_ += ready;
    return *this;
  }
  std::string_view finish() {
    out_ += "\r\n";
    return out_;
  }

 private:
  std::string& out_;
};

// The Date field's value, made anew once a second. One per shard.
class DateText {
 public:
  std::string_view at(UtcTime now);

 private:
  std::chrono::sys_seconds second_{};
  std::string text_;
};

// A name or value that would break out of its line (CR, LF, NUL) is our own bug or an injection:
// handlers' fields are checked with this before they are sent.
bool is_safe_field(std::string_view text);

}  // namespace kapok::http
