// How an SRT feed travels, for the API: one object per feed with one per link.
#pragma once

#include <boost/json/object.hpp>

#include "server/api/ports.hpp"

namespace kapok::api {

boost::json::object srt_json(const SrtFeedView& feed);

}  // namespace kapok::api
