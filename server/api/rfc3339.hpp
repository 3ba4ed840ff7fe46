// Times as people and programs write them: RFC 3339 with seconds and offset. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "server/base/clock.hpp"

namespace kapok::api {

// "2026-11-23T20:00:00+08:00", "2026-11-23T12:00:00.5Z". Nothing else: a time without offset could
// mean any zone.
std::optional<UtcTime> parse_rfc3339(std::string_view text);
// The above, or a date alone, which means its first moment in Guangdong (UTC+08:00).
std::optional<UtcTime> parse_time_or_date(std::string_view text);

}  // namespace kapok::api
