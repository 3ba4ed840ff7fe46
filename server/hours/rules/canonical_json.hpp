// JSON in the one form that can be hashed and signed (RFC 8785, for the subset that we write: no
// floating point): sorted keys, no spaces, shortest escapes. And reading of JSON that may come from
// outside, with a limit on depth and size.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "server/base/result.hpp"

namespace kapok::rules {

constexpr std::size_t kMaxJsonDepth = 16;

// Asserts that there are no floating-point numbers.
std::string canonical_json(const boost::json::value& value);

// Errors: malformed, limit (longer than `longest`, or deeper than kMaxJsonDepth).
Result<boost::json::value> parse_json(std::string_view text, std::size_t longest);

}  // namespace kapok::rules
