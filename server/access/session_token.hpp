// The token in /s/<token>/...: who watches what, until when, signed by the server so that any shard
// and any edge with the key can check it without asking anybody. Text form: base64url, at most 200
// characters, first byte a version and then a key id, last 16 bytes a truncated HMAC-SHA-256.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/bytes.hpp"
#include "server/base/clock.hpp"
#include "server/base/result.hpp"

namespace kapok::access {

constexpr std::size_t kMaxTokenLength = 200;

struct SessionToken {
  std::array<std::byte, 16> session{};    // random, one household's watch of one programme
  std::array<std::byte, 16> household{};  // pseudonym; all zero: anonymous
  std::string channel;                    // the only channel it opens
  std::uint32_t region = 0;               // GB/T 2260 code, 0: unknown
  UtcTime issued;
  UtcTime expires;
};

struct TokenKey {
  std::uint8_t id = 0;
  Bytes secret;  // 32 bytes
};

class TokenSigner {
 public:
  // The first key signs, all of them verify: two live keys make rotation.
  explicit TokenSigner(std::vector<TokenKey> keys);
  std::string issue(const SessionToken& token) const;
  // Errors: malformed, denied (signature), timeout (expired).
  Result<SessionToken> open(std::string_view text, UtcTime now) const;

 private:
  std::vector<TokenKey> keys_;
};

}  // namespace kapok::access
