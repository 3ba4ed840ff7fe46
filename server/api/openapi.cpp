#include "server/api/openapi.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "server/api/route.hpp"

namespace kapok::api {
namespace {

namespace json = boost::json;

json::string text(std::string_view value) {
  return json::string(value.data(), value.size());
}

void write_indented(std::string& out, const json::value& value, std::size_t depth) {
  const std::string pad(2 * (depth + 1), ' ');
  const std::string end(2 * depth, ' ');
  if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
    out += "{\n";
    std::size_t left = object->size();
    for (const auto& [name, member] : *object) {
      out += pad + json::serialize(json::string(name)) + ": ";
      write_indented(out, member, depth + 1);
      out += --left > 0 ? ",\n" : "\n";
    }
    out += end + "}";
  } else if (const auto* array = value.if_array(); array != nullptr && !array->empty()) {
    out += "[\n";
    std::size_t left = array->size();
    for (const json::value& member : *array) {
      out += pad;
      write_indented(out, member, depth + 1);
      out += --left > 0 ? ",\n" : "\n";
    }
    out += end + "]";
  } else {
    out += json::serialize(value);
  }
}

json::object reference(std::string_view schema) {
  json::object out;
  out["$ref"] = fmt::format("#/components/schemas/{}", schema);
  return out;
}

json::object content(std::string_view type, std::string_view schema) {
  json::object media;
  if (!schema.empty()) media["schema"] = reference(schema);
  json::object out;
  out[json::string_view(type.data(), type.size())] = std::move(media);
  return out;
}

// OpenAPI has no parameter for the rest of a path: "{path...}" becomes "{path}".
std::string openapi_path(std::string_view pattern) {
  std::string out(pattern);
  if (const auto at = out.find("...}"); at != std::string::npos) out.erase(at, 3);
  return out;
}

json::array parameters_of(const Route& route) {
  json::array out;
  const std::string path = openapi_path(route.pattern);
  for (std::size_t at = path.find('{'); at != std::string::npos; at = path.find('{', at + 1)) {
    json::object parameter;
    parameter["name"] = path.substr(at + 1, path.find('}', at) - at - 1);
    parameter["in"] = "path";
    parameter["required"] = true;
    parameter["schema"] = {{"type", "string"}};
    out.push_back(std::move(parameter));
  }
  for (const QueryParameter& query : route.query) {
    json::object parameter;
    parameter["name"] = text(query.name);
    parameter["in"] = "query";
    parameter["description"] = text(query.description);
    parameter["schema"] = json::parse({query.schema.data(), query.schema.size()});
    out.push_back(std::move(parameter));
  }
  return out;
}

json::object operation_of(const Route& route) {
  json::object out;
  out["operationId"] = text(route.name);
  out["tags"] = json::array{text(route.tag)};
  out["summary"] = text(route.summary);
  if (json::array parameters = parameters_of(route); !parameters.empty())
    out["parameters"] = std::move(parameters);
  if (!route.body_schema.empty())
    out["requestBody"] = {{"required", true},
                          {"content", content("application/json", route.body_schema)}};
  json::object responses;
  for (const Outcome& outcome : route.outcomes) {
    json::object response;
    response["description"] = text(outcome.description);
    if (!outcome.content_type.empty())
      response["content"] = content(outcome.content_type, outcome.schema);
    responses[fmt::format("{}", outcome.status)] = std::move(response);
  }
  json::object problem;
  problem["description"] = "What was wrong, and what to do about it";
  problem["content"] = content("application/problem+json", "Problem");
  responses["default"] = std::move(problem);
  out["responses"] = std::move(responses);
  json::array security;
  if (route.audience == Audience::admin || route.audience == Audience::admin_or_regulator)
    security.push_back({{"admin", json::array{}}});
  if (route.audience == Audience::regulator || route.audience == Audience::admin_or_regulator)
    security.push_back({{"regulator", json::array{}}});
  if (!security.empty()) out["security"] = std::move(security);
  return out;
}

json::object bearer(std::string_view description) {
  json::object out;
  out["type"] = "http";
  out["scheme"] = "bearer";
  out["description"] = text(description);
  return out;
}

std::string method_key(http::Method method) {
  switch (method) {
    case http::Method::get:
      return "get";
    case http::Method::post:
      return "post";
    case http::Method::put:
      return "put";
    case http::Method::patch:
      return "patch";
    case http::Method::del:
      return "delete";
    default:
      return "head";
  }
}

std::string make_document() {
  json::object paths;
  for (const Route& route : routes()) {
    json::value& path = paths[openapi_path(route.pattern)];
    if (!path.is_object()) path.emplace_object();
    path.get_object()[method_key(route.method)] = operation_of(route);
  }
  json::object document;
  document["openapi"] = "3.1.0";
  document["info"] = {
      {"title", "Kapok"},
      {"version", KAPOK_VERSION},
      {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}},
      {"description",
       "Live UHD channels, viewing sessions, hours and the log that proves them. Errors are "
       "application/problem+json with a remedy. Times are RFC 3339 in UTC. Media is below "
       "/live/<channel>/ and, within a session, below its base."}};
  document["servers"] = json::array{json::object{{"url", "/"}}};
  document["paths"] = std::move(paths);
  const std::string_view schemas = openapi_schemas();
  document["components"] = {
      {"schemas", json::parse({schemas.data(), schemas.size()})},
      {"securitySchemes",
       {{"admin", bearer("The administrator's token, made at the server's first start")},
        {"regulator", bearer("A regulator's token: reads reports and entries, changes nothing")}}}};
  std::string out;
  write_indented(out, document, 0);
  return out += "\n";
}

}  // namespace

const std::string& openapi_document() {
  static const std::string document = make_document();
  return document;
}

}  // namespace kapok::api
