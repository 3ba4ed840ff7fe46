// Reading what peers send as JSON: parsed with bounds on size, depth and counts, then taken field
// by field, with errors that name the field. Fields that nobody asks for are ignored, so that
// clients may be newer than the server. Boost.JSON's exceptions are not used.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "server/base/result.hpp"

namespace kapok::api {

// Our deepest request has three levels.
constexpr std::size_t kMaxJsonDepth = 8;

// Errors: limit (too long), malformed.
Result<boost::json::object> parse_json_object(std::string_view text, std::size_t max_bytes);

class JsonReader {
 public:
  // `where` goes in front of field names in errors: "played[3].".
  explicit JsonReader(const boost::json::object& object, std::string where = {})
      : object_(object), where_(std::move(where)) {}

  Result<std::string> text(std::string_view name, std::size_t max_bytes) const;
  struct Range {
    std::int64_t least = 0;
    std::int64_t most = 0;
  };
  // A decimal number is rounded: browsers' clocks have fractions.
  Result<std::int64_t> whole(std::string_view name, Range range) const;
  // Absent or null: `otherwise`.
  Result<std::int64_t> whole_or(std::string_view name, Range range, std::int64_t otherwise) const;
  Result<double> number_or(std::string_view name, double least, double most,
                           double otherwise) const;
  Result<bool> boolean_or(std::string_view name, bool otherwise) const;
  // Absent: null.
  Result<const boost::json::array*> array(std::string_view name, std::size_t max_size) const;

 private:
  const boost::json::value* find(std::string_view name) const;  // null for absent and null
  std::unexpected<Error> wrong(std::string_view name, std::string_view why) const;

  const boost::json::object& object_;
  std::string where_;
};

}  // namespace kapok::api
