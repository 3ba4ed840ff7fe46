// A ladder as the API gives it: the fields of a ladder's file.
#pragma once

#include <boost/json/object.hpp>

#include "server/media/ladder.hpp"

namespace kapok::api {

boost::json::object ladder_definition(const media::Ladder& ladder);

}  // namespace kapok::api
