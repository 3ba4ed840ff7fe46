// Channels and feeds as JSON: what everybody sees, and what an administrator sees (keys never,
// peers' addresses only there).
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "server/api/ports.hpp"

namespace kapok::api {

boost::json::object channel_summary(const ChannelView& view);
boost::json::object channel_detail(const ChannelView& view);
boost::json::array feeds_for_admin(const ChannelView& view, const std::vector<SrtFeedView>& srt);

}  // namespace kapok::api
