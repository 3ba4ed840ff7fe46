#include "server/picture/protocols/http/response_head.hpp"

#include <algorithm>

#include "server/picture/protocols/http/conditions.hpp"
#include "server/picture/protocols/http/message.hpp"

namespace kapok::http {

ResponseHead::ResponseHead(std::string& out, unsigned status) : out_(out) {
  out_ = "HTTP/1.1 ";
  out_ += static_cast<char>('0' + status / 100 % 10);
  out_ += static_cast<char>('0' + status / 10 % 10);
  out_ += static_cast<char>('0' + status % 10);
  out_ += ' ';
  out_ += reason_phrase(status);
  out_ += "\r\n";
}

std::string_view DateText::at(UtcTime now) {
  const auto second = std::chrono::floor<seconds>(now);
  if (second != second_ || text_.empty()) {
    second_ = second;
    text_ = format_http_date(now);
  }
  return text_;
}

bool is_safe_field(std::string_view text) {
  return std::ranges::none_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && byte != '\t') || byte == 0x7F;
  });
}

}  // namespace kapok::http
