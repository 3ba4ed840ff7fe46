#include "server/api/problem.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

namespace kapok::api {
namespace {

struct Known {
  unsigned status;
  std::string_view remedy;
  bool tell;  // whether the error's own words are for the caller
};

Known known(Errc code) {
  switch (code) {
    case Errc::malformed:
      return {400, "correct the request; /api/v1/openapi.json describes it", true};
    case Errc::unsupported:
      return {400, "ask for something that is supported", true};
    case Errc::limit:
      return {429, "wait, then try again", true};
    case Errc::denied:
      return {403, "use a token that is valid for this", true};
    case Errc::not_found:
      return {404, "check the name", true};
    case Errc::conflict:
      return {409, "look at the present state, then try again", true};
    case Errc::timeout:
      return {410, "open a new session", true};
    case Errc::closed:
      return {503, "the server is stopping; try again", true};
    case Errc::full:
      return {503, "the server has no room for more; try again later", true};
    case Errc::io:
    case Errc::config:
    case Errc::internal:
      break;
  }
  return {500, "try again; if it stays, the server's log tells more", false};
}

}  // namespace

Problem::Problem(Error error) : code(name_of(error.code)) {
  const Known about = known(error.code);
  status = about.status;
  detail = about.tell ? std::move(error.message) : "the server could not do this";
  remedy = about.remedy;
  if (status == 429 || status == 503) retry_after = seconds(status == 429 ? 10 : 2);
}

http::Response to_response(const Problem& problem) {
  boost::json::object out;
  out["type"] = fmt::format("urn:kapok:problem:{}", problem.code);
  out["title"] = http::reason_phrase(problem.status);
  out["status"] = problem.status;
  out["detail"] = problem.detail;
  out["remedy"] = problem.remedy;
  http::Response response = http::Response::text(problem.status, "application/problem+json",
                                                 boost::json::serialize(out) + "\n");
  response.with("Cache-Control", "no-store");
  if (problem.retry_after)
    response.with("Retry-After", fmt::format("{}", problem.retry_after->count()));
  // [RFC 6750 3]
  if (problem.status == 401) response.with("WWW-Authenticate", "Bearer realm=\"kapok\"");
  return response;
}

}  // namespace kapok::api
