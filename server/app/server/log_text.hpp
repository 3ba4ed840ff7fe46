// The text of log lines: quoting, hiding of secrets, logfmt and JSON. Pure functions. Whatever a
// peer sends, a line stays one line of valid UTF-8.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "server/base/log.hpp"

namespace kapok::app {

// Longer values are cut, with "..." behind: a peer's text must not fill the disk.
constexpr std::size_t kMaxLogValueBytes = 512;

std::string_view name_of(LogLevel level);

// `key=`, `token=`, `password=` in URLs and `/s/<token>/` become "[hidden]".
std::string hide_secrets(std::string_view text);
// Whether a field of this name is hidden whole: key, token, secret, password, authorization.
bool is_secret_field(std::string_view name);

// " channel=demo part=3": a space before each.
std::string logfmt_fields(std::span<const LogField> context, std::span<const LogField> fields);
// ",\"channel\":\"demo\",\"part\":3": a comma before each.
std::string json_fields(std::span<const LogField> context, std::span<const LogField> fields);

}  // namespace kapok::app
