// What a publisher means by app, tcUrl and stream name: which channel, with which key. Three ways
// are in use: `live` + `<channel>?key=<key>`, the key in the query of the app or tcUrl, and the key
// itself as the stream name (encoders with a single "stream key" field); then the channel is empty
// and whoever checks the key finds it. Never log a PublishTarget: in the third form its name is the
// secret.
#pragma once

#include <string>
#include <string_view>

#include "server/base/result.hpp"

namespace kapok::rtmp {

constexpr std::size_t kMaxKeyBytes = 256;

struct PublishTarget {
  std::string channel;  // a valid id, or empty
  std::string key;
};

struct PublishAddress {
  std::string_view app;          // as in connect
  std::string_view tc_url;       // as in connect, may be empty
  std::string_view stream_name;  // as in publish
};

// Errors: malformed (no key, a name that is no id, a bad escape). Messages repeat none of the
// input.
Result<PublishTarget> parse_publish_target(const PublishAddress& address);

// The application without query and slashes: "live?key=x" and "/live/" are "live".
std::string_view application_of(std::string_view app);

}  // namespace kapok::rtmp
