// The OpenAPI 3.1 description of the API, made from the route table and the schemas here. The same
// text is committed as openapi.json beside this file, for people and tools; a test compares.
#pragma once

#include <string>
#include <string_view>

namespace kapok::api {

// Indented JSON; made once, then the same text.
const std::string& openapi_document();
// components/schemas, as JSON.
std::string_view openapi_schemas();

}  // namespace kapok::api
