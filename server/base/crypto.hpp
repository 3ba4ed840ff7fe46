// Hashes, keyed hashes, randomness and text encodings, over OpenSSL. No secrets are kept here.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/base/bytes.hpp"

namespace kapok {

using Digest256 = std::array<std::byte, 32>;

Digest256 sha256(ByteSpan bytes);
Digest256 hmac_sha256(ByteSpan key, ByteSpan message);

// SHA-256 of bytes that come in pieces. update() any number of times, then finish() once.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(ByteSpan bytes);
  Digest256 finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// Cryptographically secure; never fails (the process ends if the system has no randomness).
void fill_random(std::span<std::byte> out);
template <std::size_t N>
std::array<std::byte, N> random_bytes() {
  std::array<std::byte, N> out;
  fill_random(out);
  return out;
}

// Takes the same time wherever the first difference is; differing lengths are unequal at once.
bool equal_constant_time(ByteSpan a, ByteSpan b);

std::string to_hex(ByteSpan bytes);                          // lower case
std::optional<Bytes> from_hex(std::string_view text);        // either case, even length
std::string to_base64(ByteSpan bytes);                       // RFC 4648 section 4, padded
std::optional<Bytes> from_base64(std::string_view text);     // padded, strict
std::string to_base64url(ByteSpan bytes);                    // section 5, no padding
std::optional<Bytes> from_base64url(std::string_view text);  // no padding, strict: canonical only

}  // namespace kapok
