// Ranges, entity tags and dates: what a request wants of an object that it may already hold
// [RFC 9110 13, 14]. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "server/base/clock.hpp"

namespace kapok::http {

// Inclusive first, exclusive end; never empty, never past the object.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
  std::uint64_t size() const { return end - first; }
  bool operator==(const ByteRange&) const = default;
};
struct WholeObject {
  bool operator==(const WholeObject&) const = default;
};
struct Unsatisfiable {  // 416 with "Content-Range: bytes */<size>"
  bool operator==(const Unsatisfiable&) const = default;
};
using Wanted = std::variant<WholeObject, ByteRange, Unsatisfiable>;

// Malformed fields, other units and more than one range get the whole object, which is always
// allowed and never more than the object (many overlapping ranges were CVE-2011-3192).
Wanted parse_range(std::string_view field, std::uint64_t object_size);

struct Validators {
  std::string_view etag;            // with quotes; empty: none
  std::optional<UtcTime> modified;  // whole seconds
};
struct Conditions {
  std::string_view if_none_match;
  std::string_view if_modified_since;
  std::string_view if_range;
};
// The client's copy is still good: 304 for GET and HEAD.
bool not_modified(const Conditions& conditions, const Validators& object);
// Whether Range counts: there is no If-Range, or it names what we have.
bool range_applies(const Conditions& conditions, const Validators& object);

// Whether the client takes that content coding ("gzip", "br") [RFC 9110 12.5.3].
bool accepts(std::string_view accept_encoding, std::string_view coding);

// "Mon, 23 Nov 2026 16:02:59 GMT"; reading takes the two obsolete forms too [RFC 9110 5.6.7].
std::string format_http_date(UtcTime time);
std::optional<UtcTime> parse_http_date(std::string_view text);

}  // namespace kapok::http
