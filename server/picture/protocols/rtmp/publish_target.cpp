#include "server/picture/protocols/rtmp/publish_target.hpp"

#include <optional>

#include "server/base/bytes.hpp"
#include "server/base/crypto.hpp"
#include "server/base/ids.hpp"

namespace kapok::rtmp {

namespace {
std::optional<std::string> unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain.push_back(text[i]);
      continue;
    }
    const auto byte = from_hex(text.substr(i + 1, 2));
    if (!byte || byte->size() != 1) return std::nullopt;
    plain.push_back(static_cast<char>((*byte)[0]));
    i += 2;
  }
  return plain;
}

// The value of `key` in the query of `address`, still escaped.
std::optional<std::string_view> key_in_query(std::string_view address) {
  const std::size_t mark = address.find('?');
  if (mark == std::string_view::npos) return std::nullopt;
  std::string_view query = address.substr(mark + 1);
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view field = query.substr(0, end);
    if (field.starts_with("key=")) return field.substr(4);
    if (end == std::string_view::npos) break;
    query.remove_prefix(end + 1);
  }
  return std::nullopt;
}
}  // namespace

std::string_view application_of(std::string_view app) {
  app = app.substr(0, app.find('?'));
  while (app.starts_with('/')) app.remove_prefix(1);
  while (app.ends_with('/')) app.remove_suffix(1);
  return app;
}

Result<PublishTarget> parse_publish_target(const PublishAddress& address) {
  const std::string_view name = address.stream_name.substr(0, address.stream_name.find('?'));
  std::optional<std::string_view> key = key_in_query(address.stream_name);
  if (!key) key = key_in_query(address.app);
  if (!key) key = key_in_query(address.tc_url);

  PublishTarget target;
  if (key) {
    if (!is_valid_id(name))
      return fail(Errc::malformed, "the stream name is not a channel id ([a-z0-9][a-z0-9_-]*)");
    target.channel = name;
  } else {
    key = name;
  }
  std::optional<std::string> plain = unescaped(*key);
  if (!plain) return fail(Errc::malformed, "the publish key has a bad %-escape");
  if (plain->empty())
    return fail(Errc::malformed, "no publish key: publish to live/<channel>?key=<key>");
  if (plain->size() > kMaxKeyBytes)
    return fail(Errc::limit, "a publish key of over {} bytes", kMaxKeyBytes);
  target.key = *std::move(plain);
  return target;
}

}  // namespace kapok::rtmp
