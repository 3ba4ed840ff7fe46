#include "server/api/openapi.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "server/api/route.hpp"

namespace kapok::api {
namespace {

namespace json = boost::json;

json::object document() {
  return json::parse(openapi_document()).as_object();
}

void collect_references(const json::value& value, std::set<std::string>& out) {
  if (const auto* object = value.if_object())
    for (const auto& [name, member] : *object) {
      if (name == "$ref") out.insert(std::string(member.as_string()));
      collect_references(member, out);
    }
  if (const auto* array = value.if_array())
    for (const auto& member : *array) collect_references(member, out);
}

TEST(OpenApi, TheCommittedFileIsWhatTheServerAnswers) {
  const char* source = std::getenv("KAPOK_SOURCE_DIR");
  if (source == nullptr) GTEST_SKIP() << "KAPOK_SOURCE_DIR is not set";
  const auto path = std::filesystem::path(source) / "server" / "api" / "openapi.json";
  // The way to renew the file after a change of the API.
  if (std::getenv("KAPOK_UPDATE_FILES") != nullptr) std::ofstream(path) << openapi_document();
  std::ifstream in(path);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  EXPECT_TRUE(text == openapi_document())
      << "remedy: KAPOK_UPDATE_FILES=1 KAPOK_SOURCE_DIR=. kapok_api_test "
         "--gtest_filter='OpenApi.*'";
}

TEST(OpenApi, HasEveryRouteAndNoOther) {
  std::set<std::string> wanted;
  for (const Route& route : routes()) {
    std::string path(route.pattern);
    if (const auto at = path.find("...}"); at != std::string::npos) path.erase(at, 3);
    std::string method(http::name_of(route.method));
    std::ranges::transform(method, method.begin(), [](char c) {
      return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    });
    EXPECT_TRUE(wanted.insert(method + " " + path).second) << path << " is there twice";
  }
  std::set<std::string> found;
  for (const auto& [path, operations] : document().at("paths").as_object())
    for (const auto& [method, operation] : operations.as_object())
      found.insert(std::string(method) + " " + std::string(path));
  EXPECT_EQ(found, wanted);
}

TEST(OpenApi, EveryReferenceLeadsSomewhereAndEverySchemaIsUsed) {
  const json::object whole = document();
  std::set<std::string> references;
  collect_references(whole, references);
  std::set<std::string> schemas;
  for (const auto& [name, schema] : whole.at("components").at("schemas").as_object())
    schemas.insert("#/components/schemas/" + std::string(name));
  EXPECT_EQ(references, schemas);
}

TEST(OpenApi, OperationNamesAreUniqueAndEveryParameterOfAPathIsDeclared) {
  std::set<std::string> names;
  for (const auto& [path, operations] : document().at("paths").as_object())
    for (const auto& [method, operation] : operations.as_object()) {
      EXPECT_TRUE(names.insert(std::string(operation.at("operationId").as_string())).second);
      const auto braces = std::count(path.begin(), path.end(), '{');
      std::ptrdiff_t declared = 0;
      if (const auto* list = operation.as_object().if_contains("parameters"))
        for (const auto& parameter : list->as_array())
          declared += parameter.at("in").as_string() == "path" ? 1 : 0;
      EXPECT_EQ(declared, braces) << path;
    }
}

}  // namespace
}  // namespace kapok::api
