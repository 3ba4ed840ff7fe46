#include "server/api/api.hpp"

#include <exception>

#include "server/base/ids.hpp"

namespace kapok::api {
namespace {

bool suits(Audience audience, const Roles& roles) {
  switch (audience) {
    case Audience::everybody:
      return true;
    case Audience::admin:
      return roles.admin;
    case Audience::regulator:
      return roles.regulator;
    case Audience::admin_or_regulator:
      return roles.admin || roles.regulator;
  }
  return false;
}

std::string_view name_of(Audience audience) {
  switch (audience) {
    case Audience::everybody:
      return "everybody";
    case Audience::admin:
      return "an administrator";
    case Audience::regulator:
      return "a regulator";
    case Audience::admin_or_regulator:
      return "an administrator or a regulator";
  }
  return "";
}

bool changes_something(http::Method method) {
  return method != http::Method::get && method != http::Method::head;
}

}  // namespace

std::expected<std::string, Problem> Call::id(std::string_view name) const {
  const auto found = parameters.find(name);
  if (found != parameters.end() && is_valid_id(found->second)) return found->second;
  return std::unexpected(Problem(404, "not_found", "there is no such name",
                                 "names are a-z, 0-9, '-' and '_', at most 64 characters"));
}

Api::Api(ApiServices services, ApiLimits limits)
    : services_(std::move(services)),
      requests_(services_.metrics.counter("kapok_api_requests_total", "API requests", {})),
      problems_(services_.metrics.counter("kapok_api_problems_total",
                                          "API requests that were answered with a problem", {})),
      denied_(services_.metrics.counter("kapok_api_denied_total",
                                        "API requests with a wrong or without a token", {})),
      session_rate_(limits.sessions_per_address_per_minute) {}

void Api::register_on(delivery::Router& router) {
  for (const Route& route : routes()) {
    const auto handler = [this, route](std::shared_ptr<const http::Request> request,
                                       delivery::PathParameters parameters) {
      return answer(route, std::move(request), std::move(parameters));
    };
    router.add(route.method, std::string(route.pattern), handler);
    // [RFC 9110 9.3.2] HEAD is GET without the body, which the connection leaves out.
    if (route.method == http::Method::get)
      router.add(http::Method::head, std::string(route.pattern), handler);
  }
  router.refuse_below("/api/v1/", [](unsigned status) {
    constexpr std::string_view kRemedy = "/api/v1/openapi.json describes what there is";
    return to_response(
        status == 405 ? Problem(405, "method_not_allowed", "this path does not have that method",
                                std::string(kRemedy))
                      : Problem(404, "not_found", "there is no such path", std::string(kRemedy)));
  });
}

bool Api::admit_session(std::string_view address) {
  const std::lock_guard lock(mutex_);
  return session_rate_.take(address, services_.clock.mono());
}

std::expected<Api::Grant, Problem> Api::authorise(const Route& route,
                                                  const http::Request& request) {
  // A page of another site may make a browser send a request that changes something, though it
  // could not read the answer. [Fetch metadata]
  if (changes_something(route.method) && request.header("Sec-Fetch-Site") == "cross-site")
    return std::unexpected(Problem(403, "cross_site", "this came from another site's page",
                                   "call the API from a page of this server"));
  if (route.audience == Audience::everybody) return Grant{};
  const MonoTime now = services_.clock.mono();
  const std::string group = net::rate_group(request.peer);
  {
    const std::lock_guard lock(mutex_);
    if (failures_.check(group, now) != access::Admission::go_on) {
      denied_.increment();
      Problem problem(429, "rate_limited", "too many wrong tokens from this address",
                      "wait, then try again with the right one");
      problem.retry_after = seconds(60);
      return std::unexpected(std::move(problem));
    }
  }
  const auto given = request.header("Authorization");
  if (!given) {
    denied_.increment();
    return std::unexpected(Problem(401, "token_missing",
                                   fmt::format("this is for {}", name_of(route.audience)),
                                   "send the header Authorization: Bearer <token>"));
  }
  const Roles roles = services_.authoriser.roles_of(*given);
  const std::lock_guard lock(mutex_);
  if (!roles.admin && !roles.regulator) {
    failures_.record_failure(group, now);
    denied_.increment();
    services_.log.warn("api.denied", {{"operation", route.name}, {"peer", request.peer}});
    return std::unexpected(
        Problem(401, "token_wrong", "the token is not known",
                "send one of the tokens that the server made at its first start"));
  }
  failures_.record_success(group);
  if (!suits(route.audience, roles)) {
    denied_.increment();
    return std::unexpected(Problem(403, "denied",
                                   fmt::format("this is for {}", name_of(route.audience)),
                                   "use a token of that role"));
  }
  return Grant{roles.regulator ? "regulator" : "admin"};
}

Task<Answer> Api::run(const Route& route, Call call) {
  // Ports and Boost.JSON may throw for want of memory: one request fails, not the server.
  std::string what;
  try {
    auto answered = co_await route.operation(std::move(call));
    co_return answered;
  } catch (const std::exception& error) {
    what = error.what();
  }
  services_.log.error("api.failed", {{"operation", route.name}, {"what", what}});
  co_return std::unexpected(Problem(Error{Errc::internal, what}));
}

Task<http::Response> Api::answer(const Route& route, std::shared_ptr<const http::Request> request,
                                 delivery::PathParameters parameters) {
  const Route mine = route;  // the caller's may go while this is suspended
  requests_.increment();
  const auto grant = authorise(mine, *request);
  Answer answered = grant ? Answer{} : std::unexpected(grant.error());
  if (grant) {
    auto ran = co_await run(mine, Call{*this, request, std::move(parameters), grant->who});
    answered = std::move(ran);
  }
  if (!answered) problems_.increment();
  http::Response response = answered ? std::move(*answered) : to_response(answered.error());
  response.with("X-Content-Type-Options", "nosniff");
  // Who asked for what that is not for everybody, and whether it was done.
  if (mine.audience != Audience::everybody && grant)
    services_.log.info("api.audit", {{"operation", mine.name},
                                     {"role", grant->who},
                                     {"path", request->path},
                                     {"query", request->query},
                                     {"peer", request->peer},
                                     {"status", response.status}});
  co_return response;
}

std::vector<Route> routes() {
  std::vector<Route> all;
  for (const auto list : {channel_routes(), ladder_routes(), session_routes(), vod_routes(),
                          report_routes(), log_routes(), operations_routes()})
    all.insert(all.end(), list.begin(), list.end());
  return all;
}

}  // namespace kapok::api
