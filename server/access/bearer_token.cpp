#include "server/access/bearer_token.hpp"

#include <utility>

namespace kapok::access {

namespace {

constexpr std::string_view kScheme = "bearer ";

bool has_scheme(std::string_view text) {
  if (text.size() < kScheme.size()) return false;
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    const char c = text[i];
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (lower != kScheme[i]) return false;
  }
  return true;
}

}  // namespace

Result<BearerToken> BearerToken::load_or_create(const SecretStore& store, const std::string& name) {
  SecretStore::Secret secret = KAPOK_TRY(store.load_or_create(name));
  BearerToken token;
  token.text_ = to_hex(secret.bytes);
  token.hash_ = sha256(as_bytes(token.text_));
  token.created_ = secret.created;
  token.path_ = std::move(secret.path);
  return token;
}

bool BearerToken::accepts(std::string_view authorization) const {
  // [RFC 9110 11.1] the scheme is case-insensitive.
  if (!has_scheme(authorization)) return false;
  authorization.remove_prefix(kScheme.size());
  // Digests of both: the comparison then takes the same time for every length too.
  const Digest256 presented = sha256(as_bytes(authorization));
  return equal_constant_time(presented, hash_);
}

}  // namespace kapok::access
