#include "server/api/json_reader.hpp"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <cmath>

namespace kapok::api {

namespace json = boost::json;

Result<json::object> parse_json_object(std::string_view text, std::size_t max_bytes) {
  if (text.size() > max_bytes)
    return fail(Errc::malformed, "the body is longer than {} bytes", max_bytes);
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  json::error_code error;
  json::value value = json::parse({text.data(), text.size()}, error, {}, options);
  if (error) return fail(Errc::malformed, "the body is not JSON: {}", error.message());
  if (!value.is_object()) return fail(Errc::malformed, "the body is not a JSON object");
  return std::move(value.as_object());
}

const json::value* JsonReader::find(std::string_view name) const {
  const json::value* value = object_.if_contains({name.data(), name.size()});
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::unexpected<Error> JsonReader::wrong(std::string_view name, std::string_view why) const {
  return fail(Errc::malformed, "{}{}: {}", where_, name, why);
}

Result<std::string> JsonReader::text(std::string_view name, std::size_t max_bytes) const {
  const json::value* value = find(name);
  if (value == nullptr) return wrong(name, "missing");
  if (!value->is_string()) return wrong(name, "text expected");
  const json::string& held = value->get_string();
  if (held.size() > max_bytes) return wrong(name, fmt::format("longer than {} bytes", max_bytes));
  return std::string(held.data(), held.size());
}

Result<std::int64_t> JsonReader::whole(std::string_view name, Range range) const {
  const json::value* value = find(name);
  if (value == nullptr) return wrong(name, "missing");
  double number = 0;
  if (const auto* whole = value->if_int64())
    number = static_cast<double>(*whole);
  else if (const auto* large = value->if_uint64())
    number = static_cast<double>(*large);
  else if (const auto* decimal = value->if_double())
    number = *decimal;
  else
    return wrong(name, "number expected");
  // Compared as double first: only what is in range may be converted.
  if (!(number >= static_cast<double>(range.least) && number <= static_cast<double>(range.most)))
    return wrong(name, fmt::format("not in {} to {}", range.least, range.most));
  if (const auto* whole = value->if_int64()) return *whole;
  return static_cast<std::int64_t>(std::llround(number));
}

Result<std::int64_t> JsonReader::whole_or(std::string_view name, Range range,
                                          std::int64_t otherwise) const {
  if (find(name) == nullptr) return otherwise;
  return whole(name, range);
}

Result<double> JsonReader::number_or(std::string_view name, double least, double most,
                                     double otherwise) const {
  const json::value* value = find(name);
  if (value == nullptr) return otherwise;
  double number = 0;
  if (const auto* whole = value->if_int64())
    number = static_cast<double>(*whole);
  else if (const auto* decimal = value->if_double())
    number = *decimal;
  else
    return wrong(name, "number expected");
  if (!(number >= least && number <= most))
    return wrong(name, fmt::format("not in {} to {}", least, most));
  return number;
}

Result<bool> JsonReader::boolean_or(std::string_view name, bool otherwise) const {
  const json::value* value = find(name);
  if (value == nullptr) return otherwise;
  if (!value->is_bool()) return wrong(name, "true or false expected");
  return value->get_bool();
}

Result<const json::array*> JsonReader::array(std::string_view name, std::size_t max_size) const {
  const json::value* value = find(name);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) return wrong(name, "list expected");
  if (value->get_array().size() > max_size)
    return wrong(name, fmt::format("more than {} entries", max_size));
  return &value->get_array();
}

}  // namespace kapok::api
