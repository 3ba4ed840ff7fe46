// One operation of the API: where it is, who may use it, what it takes and answers, and the
// function that does it. The table of these (routes()) is what is registered and what openapi.json
// is made from, so neither can have an operation that the other lacks.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/problem.hpp"
#include "server/base/task.hpp"
#include "server/picture/protocols/http/message.hpp"

namespace kapok::api {

class Api;

enum class Audience : std::uint8_t { everybody, admin, regulator, admin_or_regulator };

struct Call {
  Api& api;
  std::shared_ptr<const http::Request> request;
  std::map<std::string, std::string, std::less<>> parameters;  // of the path
  std::string_view who;  // "admin", "regulator", "" for everybody: for the audit log

  // A channel's or feed's name from the path. Errors: a 404 problem, for a name that none can have.
  std::expected<std::string, Problem> id(std::string_view name) const;
};
using Operation = Task<Answer> (*)(Call call);

struct QueryParameter {
  std::string_view name;
  std::string_view description;
  std::string_view schema;  // JSON
};
struct Outcome {
  unsigned status;
  std::string_view description;
  std::string_view content_type;  // empty: no body
  std::string_view schema;        // name under components/schemas; empty: text or bytes
};

struct Route {
  http::Method method;
  std::string_view pattern;
  std::string_view name;  // operationId
  std::string_view tag;
  std::string_view summary;
  Audience audience;
  Operation operation;
  std::string_view body_schema;  // name under components/schemas; empty: no body
  std::span<const QueryParameter> query;
  std::span<const Outcome> outcomes;
};

// Every route, in the order in which they are matched.
std::vector<Route> routes();

// By subject; routes() joins them.
std::span<const Route> channel_routes();
std::span<const Route> ladder_routes();
std::span<const Route> session_routes();
std::span<const Route> report_routes();
std::span<const Route> log_routes();
std::span<const Route> vod_routes();
std::span<const Route> operations_routes();

}  // namespace kapok::api
