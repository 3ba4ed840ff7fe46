// What one message of the wire says, as names and values for people and programs.
#pragma once

#include <boost/json/object.hpp>

#include "server/base/result.hpp"
#include "server/picture/wire/reader.hpp"

namespace kapok::inspect {

// Payloads and configuration records by their size.
Result<boost::json::object> fields_of(const wire::Frame& frame);

}  // namespace kapok::inspect
