// Channels for everybody; feeds and publish keys for administrators.
#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include "server/api/api.hpp"
#include "server/api/channel_json.hpp"
#include "server/api/route.hpp"

namespace kapok::api {
namespace {

namespace json = boost::json;

Task<Answer> list_channels(Call call) {
  const auto views = co_await call.api.services().channels.list();
  json::array channels;
  for (const ChannelView& view : views) channels.push_back(channel_summary(view));
  json::object out;
  out["channels"] = std::move(channels);
  co_return http::Response::json(200, json::serialize(out) + "\n");
}

Task<Result<ChannelView>> find_channel(Api& api, std::string channel) {
  auto found = co_await api.services().channels.find(channel);
  if (!found && found.error().code == Errc::not_found)
    found.error().message = fmt::format("there is no channel '{}'", channel);
  co_return found;
}

Task<Answer> show_channel(Call call) {
  const std::string channel = KAPOK_CO_TRY(call.id("channel"));
  auto found = co_await find_channel(call.api, channel);
  const ChannelView view = KAPOK_CO_TRY(std::move(found));
  co_return http::Response::json(200, json::serialize(channel_detail(view)) + "\n");
}

Task<Answer> list_feeds(Call call) {
  const std::string channel = KAPOK_CO_TRY(call.id("channel"));
  auto found = co_await find_channel(call.api, channel);
  const ChannelView view = KAPOK_CO_TRY(std::move(found));
  const auto srt = co_await call.api.services().channels.srt_feeds(channel);
  json::object out;
  out["feeds"] = feeds_for_admin(view, srt);
  co_return http::Response::json(200, json::serialize(out) + "\n");
}

Task<Answer> make_key(Call call) {
  const std::string channel = KAPOK_CO_TRY(call.id("channel"));
  const std::string feed = KAPOK_CO_TRY(call.id("feed"));
  auto made = co_await call.api.services().keys.make(channel, feed);
  const MadeKey key = KAPOK_CO_TRY(std::move(made));
  json::object out;
  out["channel"] = channel;
  out["feed"] = feed;
  out["key"] = key.key;
  out["publish_path"] = fmt::format("/live/{}?key={}", channel, key.key);
  co_return http::Response::json(201, json::serialize(out) + "\n");
}

Task<Answer> revoke_key(Call call) {
  const std::string channel = KAPOK_CO_TRY(call.id("channel"));
  const std::string feed = KAPOK_CO_TRY(call.id("feed"));
  auto revoked = co_await call.api.services().keys.revoke(channel, feed);
  KAPOK_CO_TRY(std::move(revoked));
  co_return http::Response{204, {{"Cache-Control", "no-store"}}, {}};
}

constexpr Outcome kList[] = {{200, "The channels", "application/json", "ChannelList"}};
constexpr Outcome kDetail[] = {{200, "The channel", "application/json", "ChannelDetail"}};
constexpr Outcome kFeeds[] = {{200, "Its feeds", "application/json", "FeedList"}};
constexpr Outcome kMade[] = {
    {201, "The key, shown this once; only its hash is kept", "application/json", "MadeKey"}};
constexpr Outcome kRevoked[] = {{204, "Revoked; a feed being published with it is ended", "", ""}};

constexpr Route kRoutes[] = {
    {http::Method::get,
     "/api/v1/channels",
     "listChannels",
     "channels",
     "Channels and what is on",
     Audience::everybody,
     list_channels,
     "",
     {},
     kList},
    {http::Method::get,
     "/api/v1/channels/{channel}",
     "showChannel",
     "channels",
     "One channel with its renditions and live facts",
     Audience::everybody,
     show_channel,
     "",
     {},
     kDetail},
    {http::Method::get,
     "/api/v1/channels/{channel}/feeds",
     "listFeeds",
     "channels",
     "Feeds with all live facts: who publishes, codec, size, rates, GOP, HDR, drift",
     Audience::admin,
     list_feeds,
     "",
     {},
     kFeeds},
    {http::Method::post,
     "/api/v1/channels/{channel}/feeds/{feed}/key",
     "makeKey",
     "channels",
     "Make a new publish key for a feed, in place of the old one",
     Audience::admin,
     make_key,
     "",
     {},
     kMade},
    {http::Method::del,
     "/api/v1/channels/{channel}/feeds/{feed}/key",
     "revokeKey",
     "channels",
     "Revoke a feed's publish key",
     Audience::admin,
     revoke_key,
     "",
     {},
     kRevoked},
};

}  // namespace

std::span<const Route> channel_routes() {
  return kRoutes;
}

}  // namespace kapok::api
