// Measures as JSON, the part of a report that kapok-verify recomputes: figures under the numbers
// that the leaves carry, without names. And back, to compare.
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "server/base/result.hpp"
#include "server/hours/verify/measures.hpp"

namespace kapok::verify {

boost::json::object to_json(const MeasureFilter& filter);
Result<MeasureFilter> parse_filter(const boost::json::value& value);

boost::json::object to_json(const Measured& measured);

// How leaf numbers stand in JSON: JavaScript cannot hold 64 bits.
std::string number_text(std::uint64_t number, std::size_t bytes);

// Where two differ, as "viewing_hours[3].strict_ms: 5000, recomputed 4000"; empty when they do not.
std::string first_difference(const boost::json::value& claimed, const boost::json::value& computed,
                             const std::string& place);

}  // namespace kapok::verify
