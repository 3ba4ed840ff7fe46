// HTTP requests and responses as values, the same for every HTTP version: routes see only these.
// Bodies that come from files or grow while they are sent are delivery's business (delivery/http).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/buffer.hpp"

namespace kapok::http {

enum class Method : std::uint8_t { get, head, post, put, patch, del, options, other };

std::string_view name_of(Method method);    // "GET"; "" for other
Method method_from(std::string_view name);  // case matters [RFC 9110 9.1]

struct Header {
  std::string name;  // as sent; compared without case
  std::string value;
};

struct Request {
  Method method = Method::get;
  std::string path;  // percent-decoded once; starts with '/', no empty, "." or ".." segment, no NUL
  std::string query;  // raw, without '?'
  std::vector<Header> headers;
  Buffer body;
  std::string peer;  // "192.0.2.1" of the connection
  bool secure = false;

  std::optional<std::string_view> header(std::string_view name) const;
  // Percent-decoded value of the first parameter of that name.
  std::optional<std::string> query_value(std::string_view name) const;
};

struct Response {
  unsigned status = 200;
  std::vector<Header> headers;  // Content-Length, Date and Connection are added by the connection
  Buffer body;

  static Response text(unsigned status, std::string_view content_type, std::string body);
  static Response json(unsigned status, std::string body);  // Cache-Control: no-store
  Response& with(std::string name, std::string value) &;
};

// "Not Found"; "" for a code that nobody registered.
std::string_view reason_phrase(unsigned status);
// ASCII only, as field names and tokens are.
bool equal_without_case(std::string_view a, std::string_view b);

}  // namespace kapok::http
