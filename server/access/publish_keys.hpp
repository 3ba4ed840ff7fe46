// Who may publish what: the table of publish keys, by channel and feed. A key is held only as its
// HMAC-SHA-256 under the server's pepper, however it came (plain in the config file, or as
// "hmac-sha256:<hex>" when the API made it). Default deny. A lookup compares with every key of the
// table in the same time, whichever matches. Immutable: a reload makes a new table, so one may be
// shared between shards.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/base/bytes.hpp"
#include "server/base/crypto.hpp"
#include "server/base/result.hpp"

namespace kapok::access {

constexpr std::size_t kMaxPublishKeyLength = 256;  // longer ones are refused unread
constexpr std::size_t kMinPublishKeyLength = 8;    // shorter ones can be guessed over the network

struct PublishKeyEntry {
  std::string channel;
  std::string feed;
  std::string secret;  // plain, or "hmac-sha256:<64 hex digits>"
};

struct PublishGrant {
  std::string channel;
  std::string feed;
  bool operator==(const PublishGrant&) const = default;
};

class PublishKeys {
 public:
  // Errors: config (bad hash, key too short, two feeds with one key on a channel).
  static Result<PublishKeys> create(const std::vector<PublishKeyEntry>& entries, Bytes pepper);

  // Which feed the key opens. An empty channel means: search by the key alone (stream name = key),
  // which a key that several channels share does not satisfy.
  // Errors: denied, and nothing more: whether the channel exists is not told to strangers.
  Result<PublishGrant> open(std::string_view channel, std::string_view key) const;
  // The feed alone.
  Result<std::string> authorise(std::string_view channel, std::string_view key) const;

 private:
  struct Held {
    std::string channel;
    std::string feed;
    Digest256 hash;
  };
  std::vector<Held> held_;
  Bytes pepper_;
};

// "hmac-sha256:<hex>" for the config or the store.
std::string hash_publish_key(std::string_view key, ByteSpan pepper);

// 128 bits of randomness as base64url; shown once, then only its hash is kept.
std::string make_publish_key();

}  // namespace kapok::access
