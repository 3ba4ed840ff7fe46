// Ladders for administrators: which presets there are, and what a channel's rungs shall be.
#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include "server/api/api.hpp"
#include "server/api/json_reader.hpp"
#include "server/api/ladder_json.hpp"
#include "server/api/route.hpp"

namespace kapok::api {
namespace {

namespace json = boost::json;

// A ladder of 28 rungs with every field has some 6 kB.
constexpr std::size_t kMaxLadderBytes = std::size_t{32} * 1024;

Task<Answer> list_ladders(Call call) {
  auto presets = co_await call.api.services().ladders.presets();
  const auto known = KAPOK_CO_TRY(std::move(presets));
  json::array ladders;
  for (const media::Ladder& ladder : known) ladders.push_back(ladder_definition(ladder));
  json::object out;
  out["ladders"] = std::move(ladders);
  co_return http::Response::json(200, json::serialize(out) + "\n");
}

Task<Answer> set_ladder(Call call) {
  const std::string channel = KAPOK_CO_TRY(call.id("channel"));
  const std::string_view body = call.request->body.text();
  if (body.size() > kMaxLadderBytes)
    co_return std::unexpected(Problem(413, "too_large",
                                      fmt::format("a ladder of {} bytes", body.size()),
                                      fmt::format("send at most {}", kMaxLadderBytes)));
  auto wanted = KAPOK_CO_TRY(parse_json_object(body, kMaxLadderBytes));
  auto set = co_await call.api.services().ladders.set_ladder(channel, std::move(wanted));
  const media::Ladder ladder = KAPOK_CO_TRY(std::move(set));
  co_return http::Response::json(200, json::serialize(ladder_definition(ladder)) + "\n");
}

Task<Answer> reset_ladder(Call call) {
  const std::string channel = KAPOK_CO_TRY(call.id("channel"));
  auto reset = co_await call.api.services().ladders.reset_ladder(channel);
  KAPOK_CO_TRY(std::move(reset));
  co_return http::Response{204, {{"Cache-Control", "no-store"}}, {}};
}

constexpr Outcome kList[] = {
    {200, "The presets of transcoder.ladders", "application/json", "LadderList"}};
constexpr Outcome kSet[] = {
    {200, "The ladder, with what the wish left out", "application/json", "LadderDefinition"}};
constexpr Outcome kReset[] = {{204, "The configuration's ladder, or none, holds again", "", ""}};

constexpr Route kRoutes[] = {
    {http::Method::get,
     "/api/v1/ladders",
     "listLadders",
     "channels",
     "Ladder presets",
     Audience::admin,
     list_ladders,
     "",
     {},
     kList},
    {http::Method::put,
     "/api/v1/channels/{channel}/ladder",
     "setLadder",
     "channels",
     "Give a channel another ladder than the configuration's; it outlives a restart",
     Audience::admin,
     set_ladder,
     "LadderWish",
     {},
     kSet},
    {http::Method::del,
     "/api/v1/channels/{channel}/ladder",
     "resetLadder",
     "channels",
     "Back to the ladder of the configuration",
     Audience::admin,
     reset_ladder,
     "",
     {},
     kReset},
};

}  // namespace

std::span<const Route> ladder_routes() {
  return kRoutes;
}

}  // namespace kapok::api
