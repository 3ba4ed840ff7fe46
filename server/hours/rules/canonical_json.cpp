#include "server/hours/rules/canonical_json.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <cassert>
#include <vector>

namespace kapok::rules {

namespace {

namespace json = boost::json;

void write_string(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        else
          out.push_back(c);
    }
  }
  out.push_back('"');
}

void write(std::string& out, const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      out += "null";
      return;
    case json::kind::bool_:
      out += value.get_bool() ? "true" : "false";
      return;
    case json::kind::int64:
      out += fmt::format("{}", value.get_int64());
      return;
    case json::kind::uint64:
      out += fmt::format("{}", value.get_uint64());
      return;
    case json::kind::double_:
      assert(false && "hours are integers");
      out += "null";
      return;
    case json::kind::string:
      write_string(out, value.get_string());
      return;
    case json::kind::array: {
      out.push_back('[');
      bool first = true;
      for (const json::value& item : value.get_array()) {
        if (!std::exchange(first, false)) out.push_back(',');
        write(out, item);
      }
      out.push_back(']');
      return;
    }
    case json::kind::object: {
      // Our keys are ASCII, for which byte order is the order of RFC 8785 3.2.3.
      std::vector<const json::key_value_pair*> members;
      for (const json::key_value_pair& member : value.get_object()) members.push_back(&member);
      std::ranges::sort(members, {}, [](const auto* member) { return member->key(); });
      out.push_back('{');
      bool first = true;
      for (const json::key_value_pair* member : members) {
        if (!std::exchange(first, false)) out.push_back(',');
        write_string(out, member->key());
        out.push_back(':');
        write(out, member->value());
      }
      out.push_back('}');
      return;
    }
  }
}

}  // namespace

std::string canonical_json(const json::value& value) {
  std::string out;
  write(out, value);
  return out;
}

Result<json::value> parse_json(std::string_view text, std::size_t longest) {
  if (text.size() > longest) return fail(Errc::limit, "JSON is longer than {} bytes", longest);
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  boost::system::error_code failed;
  json::value value = json::parse(text, failed, {}, options);
  if (failed == json::error::too_deep)
    return fail(Errc::limit, "JSON is nested deeper than {}", kMaxJsonDepth);
  if (failed) return fail(Errc::malformed, "not JSON: {}", failed.message());
  return value;
}

}  // namespace kapok::rules
