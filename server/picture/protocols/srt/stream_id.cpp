#include "server/picture/protocols/srt/stream_id.hpp"

#include <algorithm>
#include <optional>

#include "server/base/ids.hpp"
#include "server/picture/protocols/srt/options.hpp"

namespace kapok::srt {

namespace {

constexpr std::string_view kStandardPrefix = "#!::";
constexpr std::string_view kApplication = "live/";

bool has_control_byte(std::string_view text) {
  return std::ranges::any_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

Result<std::string> channel_of(std::string_view resource) {
  if (resource.starts_with('/')) resource.remove_prefix(1);
  if (resource.starts_with(kApplication)) resource.remove_prefix(kApplication.size());
  if (!is_valid_id(resource))
    return fail(Errc::malformed,
                "the stream id's channel is no id: a-z, 0-9, - and _, at most 64 of them");
  return std::string(resource);
}

std::optional<StreamMode> mode_of(std::string_view name) {
  if (name == "publish") return StreamMode::publish;
  if (name == "request" || name == "read" || name == "play") return StreamMode::request;
  return std::nullopt;
}

// [draft appendix B] Keys that we do not know are ignored; one that we know may stand but once, or
// two programs would read two different channels from one stream id.
Result<StreamId> parse_standard(std::string_view content) {
  StreamId id;
  std::string seen;
  const auto first = [&](char key) {
    if (seen.contains(key)) return false;
    seen.push_back(key);
    return true;
  };
  while (!content.empty()) {
    const std::size_t end = content.find(',');
    const std::string_view pair = content.substr(0, end);
    content = end == std::string_view::npos ? std::string_view{} : content.substr(end + 1);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0)
      return fail(Errc::malformed, "the stream id is not a list of key=value");
    const std::string_view name = pair.substr(0, equals);
    const std::string_view value = pair.substr(equals + 1);
    if (name.size() != 1 || !std::string_view("rmushta").contains(name[0])) continue;
    if (!first(name[0])) return fail(Errc::malformed, "a key of the stream id stands twice");
    switch (name[0]) {
      case 'r':
        id.channel = KAPOK_TRY(channel_of(value));
        break;
      case 'm': {
        if (value == "bidirectional")
          return fail(Errc::unsupported, "the stream id's mode is bidirectional");
        const auto mode = mode_of(value);
        if (!mode) return fail(Errc::malformed, "the stream id's mode is not known");
        id.mode = *mode;
        break;
      }
      case 'u':
        id.key = value;
        break;
      case 's':
        id.session = value;
        break;
      case 'h':
        id.host = value;
        break;
      case 't':
        if (value != "stream")
          return fail(Errc::unsupported, "the stream id's type is not \"stream\"");
        break;
      default:
        break;
    }
  }
  return id;
}

Result<StreamId> parse_plain(StreamMode mode, std::string_view rest) {
  StreamId id;
  id.mode = mode;
  const std::size_t end = rest.find_first_of("?:");
  id.channel = KAPOK_TRY(channel_of(rest.substr(0, end)));
  if (end == std::string_view::npos) return id;
  const bool query = rest[end] == '?';
  rest.remove_prefix(end + 1);
  if (query) {
    if (!rest.starts_with("key=") || rest.contains('&'))
      return fail(Errc::malformed, "the stream id's query is not key=<key>");
    id.key = rest.substr(4);
  } else {
    // <key> or <user>:<key>; a user means nothing to us.
    id.key = rest.substr(rest.rfind(':') + 1);
  }
  return id;
}

}  // namespace

Result<StreamId> parse_stream_id(std::string_view text) {
  if (text.size() > kMaxStreamIdBytes)
    return fail(Errc::limit, "the stream id has {} bytes, at most {} are allowed", text.size(),
                kMaxStreamIdBytes);
  if (has_control_byte(text)) return fail(Errc::malformed, "the stream id has control bytes");
  if (text.starts_with(kStandardPrefix)) return parse_standard(text.substr(kStandardPrefix.size()));
  if (text.starts_with("#!{") || text.starts_with("#!:{"))
    return fail(Errc::unsupported,
                "the stream id is nested; use #!::r=<channel>,m=publish,u=<key>");
  if (text.starts_with("#!")) return fail(Errc::malformed, "the stream id starts with \"#!\" only");
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos)
    return fail(
        Errc::malformed,
        "the stream id is empty or of no known form; use #!::r=<channel>,m=publish,u=<key>");
  const auto mode = mode_of(text.substr(0, colon));
  if (!mode) return fail(Errc::malformed, "the stream id's mode is not known");
  return parse_plain(*mode, text.substr(colon + 1));
}

std::string format_stream_id(const StreamId& id) {
  std::string text(kStandardPrefix);
  text += "r=" + id.channel;
  text += id.mode == StreamMode::publish ? ",m=publish" : ",m=request";
  const auto add = [&](std::string_view key, const std::string& value) {
    if (!value.empty()) text.append(key).append(value);
  };
  add(",u=", id.key);
  add(",s=", id.session);
  add(",h=", id.host);
  return text;
}

}  // namespace kapok::srt
