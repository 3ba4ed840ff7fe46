#include "server/picture/protocols/http/target.hpp"

#include <array>
#include <cstdint>

#include "server/picture/protocols/http/limits.hpp"
#include "server/picture/protocols/http/message.hpp"

namespace kapok::http {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// [RFC 3986 3.3] pchar and '/', without '%'.
constexpr std::array<bool, 256> make_path_table() {
  std::array<bool, 256> table{};
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (const char c :
       {'-', '.', '_', '~', '!', '$', '&', '\'', '(', ')', '*', '+', ',', ';', '=', ':', '@', '/'})
    table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr auto kPathCharacter = make_path_table();

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t more = lead < 0x80                   ? 0
                             : lead >= 0xC2 && lead < 0xE0 ? 1
                             : lead >= 0xE0 && lead < 0xF0 ? 2
                             : lead >= 0xF0 && lead < 0xF5 ? 3
                                                           : 4;
    if (more == 4 || i + more >= text.size() + (more == 0 ? 1 : 0)) return false;
    for (std::size_t k = 1; k <= more; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return false;
    const auto second = more > 0 ? static_cast<unsigned char>(text[i + 1]) : 0;
    // Overlong forms, surrogates and what lies above U+10FFFF.
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
        (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F))
      return false;
    i += more + 1;
  }
  return true;
}

Result<void> decode(std::string_view raw, std::string& out) {
  out.clear();
  out.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '%') {
      out.push_back(raw[i]);
      continue;
    }
    const int high = i + 2 < raw.size() ? hex_digit(raw[i + 1]) : -1;
    const int low = i + 2 < raw.size() ? hex_digit(raw[i + 2]) : -1;
    if (high < 0 || low < 0) return fail(Errc::malformed, "broken escape in the path");
    const auto c = static_cast<unsigned char>(high * 16 + low);
    // An escaped separator or dot means one thing to a cache and another to us; '%' would invite a
    // second decoding further on.
    if (c < 0x20 || c == 0x7F || c == '/' || c == '\\' || c == '.' || c == '%')
      return fail(Errc::malformed, "the path escapes a character that it may not");
    out.push_back(static_cast<char>(c));
    i += 2;
  }
  if (!is_utf8(out)) return fail(Errc::malformed, "the path is not UTF-8");
  return {};
}

Result<void> check_segments(std::string_view path) {
  std::size_t start = 1;
  while (start <= path.size()) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string_view segment = path.substr(start, end - start);
    if (segment == "." || segment == "..") return fail(Errc::malformed, "the path walks with dots");
    if (segment.empty() && end < path.size())
      return fail(Errc::malformed, "the path has an empty segment");
    if (segment.size() > kMaxPathSegment)
      return fail(Errc::malformed, "a name in the path is longer than {} bytes", kMaxPathSegment);
    start = end + 1;
  }
  return {};
}

}  // namespace

Result<Target> split_target(std::string_view target) {
  if (target == "*") return Target{target, {}};
  if (!target.starts_with('/')) {
    // [RFC 9112 3.2.2] a server must accept the absolute form; the authority is not used.
    const std::size_t colon = target.find("://");
    const std::string_view scheme = target.substr(0, colon);
    if (colon == std::string_view::npos ||
        !(equal_without_case(scheme, "http") || equal_without_case(scheme, "https")))
      return fail(Errc::malformed, "the request target is no path");
    target.remove_prefix(colon + 3);
    const std::size_t slash = target.find('/');
    if (slash == std::string_view::npos || slash == 0 || target.find('?') < slash)
      return fail(Errc::malformed, "the request target has no path");
    target.remove_prefix(slash);
  }
  const std::size_t question = target.find('?');
  if (question == std::string_view::npos) return Target{target, {}};
  return Target{target.substr(0, question), target.substr(question + 1)};
}

Result<std::string_view> normalise_path(std::string_view raw, std::string& storage) {
  if (!raw.starts_with('/')) return fail(Errc::malformed, "the path does not start with '/'");
  bool escaped = false;
  for (const char c : raw) {
    if (c == '%')
      escaped = true;
    else if (!kPathCharacter[static_cast<unsigned char>(c)])
      return fail(Errc::malformed, "the path holds a character that it must escape");
  }
  std::string_view path = raw;
  if (escaped) {
    KAPOK_TRY(decode(raw, storage));
    path = storage;
  }
  KAPOK_TRY(check_segments(path));
  return path;
}

std::optional<std::string_view> raw_query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) == name)
      return equals == pair.size() ? std::string_view() : pair.substr(equals + 1);
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return std::nullopt;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  const auto raw = raw_query_value(query, name);
  if (!raw) return std::nullopt;
  std::string value;
  value.reserve(raw->size());
  for (std::size_t i = 0; i < raw->size(); ++i) {
    const char c = (*raw)[i];
    if (c != '%') {
      value.push_back(c == '+' ? ' ' : c);
      continue;
    }
    const int high = i + 2 < raw->size() ? hex_digit((*raw)[i + 1]) : -1;
    const int low = i + 2 < raw->size() ? hex_digit((*raw)[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    value.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return value;
}

}  // namespace kapok::http
