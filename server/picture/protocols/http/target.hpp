// Paths and queries: decoded once, and refused rather than repaired. Whatever gets through is safe
// to split at '/' and to compare with names; there is no second way to write the same path.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/base/result.hpp"

namespace kapok::http {

struct Target {
  std::string_view path;   // raw
  std::string_view query;  // raw, without '?'
};

// The request target of [RFC 9112 3.2]: origin form, absolute form, or "*". Errors: malformed.
Result<Target> split_target(std::string_view target);

// A raw path, decoded into `storage` where it holds an escape, and checked: starts with '/', no
// empty segment but a last one, no "." or "..", no escaped '/', '\', '.' or '%', no NUL or control
// character, no backslash, UTF-8, segments of at most 255 bytes. The view is valid as long as both
// arguments. Errors: malformed.
Result<std::string_view> normalise_path(std::string_view raw, std::string& storage);

// The raw value of the first parameter of that name (names are compared raw: ours hold no escapes).
std::optional<std::string_view> raw_query_value(std::string_view query, std::string_view name);
// The same, percent-decoded, '+' is a space; nullopt also for a broken escape.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace kapok::http
