// For those who run the server: health, readiness, metrics, version, and the API's description.
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "server/api/api.hpp"
#include "server/api/openapi.hpp"
#include "server/api/route.hpp"

namespace kapok::api {
namespace {

namespace json = boost::json;

// Alive: this thread answers. It says nothing of the disk or the feeds.
Task<Answer> healthz(Call) {
  co_return http::Response::json(200, "{\"status\":\"ok\"}\n");
}

Task<Answer> readyz(Call call) {
  json::array reasons;
  for (const NotReady& reason : call.api.services().operations.not_ready()) {
    json::object entry;
    entry["part"] = reason.part;
    entry["cause"] = reason.cause;
    entry["remedy"] = reason.remedy;
    reasons.push_back(std::move(entry));
  }
  json::object out;
  out["ready"] = reasons.empty();
  const unsigned status = reasons.empty() ? 200 : 503;
  out["reasons"] = std::move(reasons);
  co_return http::Response::json(status, json::serialize(out) + "\n");
}

Task<Answer> metrics(Call call) {
  auto response = http::Response::text(200, "text/plain; version=0.0.4; charset=utf-8",
                                       call.api.services().operations.metrics_text());
  response.with("Cache-Control", "no-store");
  co_return response;
}

Task<Answer> version(Call) {
  co_return http::Response::json(200,
                                 "{\"name\":\"kapok-server\",\"version\":\"" KAPOK_VERSION "\"}\n");
}

Task<Answer> openapi(Call) {
  co_return http::Response::json(200, openapi_document());
}

constexpr Outcome kHealth[] = {{200, "Alive", "application/json", "Health"}};
constexpr Outcome kReady[] = {{200, "Ready", "application/json", "Readiness"},
                              {503, "Not ready, and why", "application/json", "Readiness"}};
constexpr Outcome kMetrics[] = {{200, "Prometheus text format 0.0.4", "text/plain", ""}};
constexpr Outcome kVersion[] = {{200, "The running version", "application/json", "Version"}};
constexpr Outcome kOpenapi[] = {{200, "This document", "application/json", "AnyObject"}};

constexpr Route kRoutes[] = {
    {http::Method::get,
     "/healthz",
     "healthz",
     "operations",
     "Whether the server is alive",
     Audience::everybody,
     healthz,
     "",
     {},
     kHealth},
    {http::Method::get,
     "/readyz",
     "readyz",
     "operations",
     "Whether the server can do its work, and if not why",
     Audience::everybody,
     readyz,
     "",
     {},
     kReady},
    {http::Method::get,
     "/metrics",
     "metrics",
     "operations",
     "Metrics for Prometheus",
     Audience::everybody,
     metrics,
     "",
     {},
     kMetrics},
    {http::Method::get,
     "/api/v1/version",
     "version",
     "operations",
     "The running version",
     Audience::everybody,
     version,
     "",
     {},
     kVersion},
    {http::Method::get,
     "/api/v1/openapi.json",
     "openapi",
     "operations",
     "The description of this API",
     Audience::everybody,
     openapi,
     "",
     {},
     kOpenapi},
};

}  // namespace

std::span<const Route> operations_routes() {
  return kRoutes;
}

}  // namespace kapok::api
