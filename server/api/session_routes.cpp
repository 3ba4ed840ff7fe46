// Viewing sessions: opened by a player, kept honest by its beacons, counted for administrators.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "server/access/session_token.hpp"
#include "server/api/api.hpp"
#include "server/api/json_reader.hpp"
#include "server/api/route.hpp"
#include "server/base/crypto.hpp"
#include "server/base/ids.hpp"

namespace kapok::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxSessionRequestBytes = 4 * 1024;

Task<Answer> open_session(Call call) {
  const auto body =
      KAPOK_CO_TRY(parse_json_object(call.request->body.text(), kMaxSessionRequestBytes));
  const JsonReader in(body);
  std::string channel = KAPOK_CO_TRY(in.text("channel", kMaxIdLength));
  if (!is_valid_id(channel))
    co_return std::unexpected(
        Problem(404, "not_found", "there is no such channel", "GET /api/v1/channels lists them"));
  if (!call.api.admit_session(call.request->peer)) {
    Problem problem(429, "rate_limited", "too many new sessions from this address",
                    "wait, then try again; one session is enough for one viewer");
    problem.retry_after = seconds(10);
    co_return std::unexpected(std::move(problem));
  }
  SessionRequest request{std::move(channel), call.request->peer};
  auto opened = co_await call.api.services().sessions.open(std::move(request));
  const OpenedSession session = KAPOK_CO_TRY(std::move(opened));
  json::object out;
  out["session"] = session.id;
  out["token"] = session.token;
  out["base"] = fmt::format("/s/{}/", session.token);
  out["expires"] = format_utc(session.expires);
  out["beacon_interval_s"] = session.beacon_interval.count();
  co_return http::Response::json(201, json::serialize(out) + "\n");
}

std::expected<std::string, Problem> session_id(const Call& call) {
  const auto found = call.parameters.find("session");
  // 16 random bytes in hex, as we gave it out.
  const auto bytes = found != call.parameters.end() && found->second.size() == 32
                         ? from_hex(found->second)
                         : std::nullopt;
  if (bytes) return to_hex(*bytes);
  return std::unexpected(Problem(404, "not_found", "there is no such session", "open a new one"));
}

// Whatever its Content-Type: sendBeacon can send text/plain only without a preflight.
Task<Answer> take_beacon(Call call) {
  const std::string session = KAPOK_CO_TRY(session_id(call));
  auto report = KAPOK_CO_TRY(metering::parse_beacon(call.request->body.text()));
  auto taken = co_await call.api.services().sessions.beacon(session, std::move(report));
  KAPOK_CO_TRY(std::move(taken));
  co_return http::Response{204, {{"Cache-Control", "no-store"}}, {}};
}

Task<Answer> close_session(Call call) {
  const std::string session = KAPOK_CO_TRY(session_id(call));
  const auto given = call.request->header("Authorization");
  constexpr std::string_view kScheme = "Bearer ";
  if (!given || !given->starts_with(kScheme) ||
      given->size() > kScheme.size() + access::kMaxTokenLength)
    co_return std::unexpected(Problem(401, "token_missing", "the session's token is needed",
                                      "send the header Authorization: Bearer <token>"));
  std::string token(given->substr(kScheme.size()));
  auto closed = co_await call.api.services().sessions.close(session, std::move(token));
  KAPOK_CO_TRY(std::move(closed));
  co_return http::Response{204, {{"Cache-Control", "no-store"}}, {}};
}

Task<Answer> count_sessions(Call call) {
  const SessionCounts counts = co_await call.api.services().sessions.counts();
  json::array channels;
  for (const auto& of : counts.channels) {
    json::object entry;
    entry["channel"] = of.channel;
    entry["open"] = of.open;
    channels.push_back(std::move(entry));
  }
  json::object out;
  out["open"] = counts.open;
  out["channels"] = std::move(channels);
  co_return http::Response::json(200, json::serialize(out) + "\n");
}

constexpr Outcome kOpened[] = {
    {201, "The session; its media is below `base`", "application/json", "Session"}};
constexpr Outcome kTaken[] = {{204, "Taken", "", ""}};
constexpr Outcome kClosed[] = {{204, "Closed", "", ""}};
constexpr Outcome kCounts[] = {{200, "How many are open", "application/json", "SessionCounts"}};

constexpr Route kRoutes[] = {
    {http::Method::post,
     "/api/v1/sessions",
     "openSession",
     "sessions",
     "Open a viewing session on a channel",
     Audience::everybody,
     open_session,
     "SessionRequest",
     {},
     kOpened},
    {http::Method::post,
     "/api/v1/sessions/{session}/beacon",
     "sendBeacon",
     "sessions",
     "Report what was played; also taken as text/plain, as navigator.sendBeacon sends it",
     Audience::everybody,
     take_beacon,
     "Beacon",
     {},
     kTaken},
    {http::Method::del,
     "/api/v1/sessions/{session}",
     "closeSession",
     "sessions",
     "End a session; its token goes into the Authorization header",
     Audience::everybody,
     close_session,
     "",
     {},
     kClosed},
    {http::Method::get,
     "/api/v1/sessions",
     "countSessions",
     "sessions",
     "How many are watching",
     Audience::admin,
     count_sessions,
     "",
     {},
     kCounts},
};

}  // namespace

std::span<const Route> session_routes() {
  return kRoutes;
}

}  // namespace kapok::api
