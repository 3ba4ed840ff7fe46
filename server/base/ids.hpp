// The names that people and URLs use for channels, feeds and renditions: [a-z0-9][a-z0-9_-]{0,63}.
// Nothing else ever reaches a file path, a URL or a log field as a name.
#pragma once

#include <string_view>

namespace kapok {

constexpr std::size_t kMaxIdLength = 64;

constexpr bool is_valid_id(std::string_view id) {
  const auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (id.empty() || id.size() > kMaxIdLength || !alnum(id.front())) return false;
  for (const char c : id)
    if (!alnum(c) && c != '_' && c != '-') return false;
  return true;
}

}  // namespace kapok
