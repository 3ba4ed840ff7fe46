#include "server/access/session_token.hpp"

#include <cassert>
#include <utility>

#include "server/base/crypto.hpp"
#include "server/base/ids.hpp"

namespace kapok::access {

namespace {

// Layout, big-endian: version u8, key id u8, session[16], household[16], region u32,
// issued u64 and expires u64 (microseconds since 1970), channel (u8 length + text), mac[16].
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kMacBytes = 16;
constexpr std::size_t kLongestBytes = 2 + 16 + 16 + 4 + 8 + 8 + 1 + kMaxIdLength + kMacBytes;
static_assert((kLongestBytes * 8 + 5) / 6 <= kMaxTokenLength);

// The purpose stands before the message, so that no other use of the same key makes a valid token.
ByteSpan mac_purpose() {
  return as_bytes("kapok session token 1\n");
}

Digest256 mac_of(const TokenKey& key, ByteSpan body) {
  Bytes message(mac_purpose().begin(), mac_purpose().end());
  message.insert(message.end(), body.begin(), body.end());
  return hmac_sha256(key.secret, message);
}

std::uint64_t as_count(UtcTime time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}
UtcTime as_time(std::uint64_t count) {
  return UtcTime(microseconds(static_cast<std::int64_t>(count)));
}

void copy_into(std::array<std::byte, 16>& out, ByteSpan from) {
  std::copy(from.begin(), from.end(), out.begin());
}

}  // namespace

TokenSigner::TokenSigner(std::vector<TokenKey> keys) : keys_(std::move(keys)) {
  assert(!keys_.empty() && "a signer without keys would accept nothing and sign nothing");
}

std::string TokenSigner::issue(const SessionToken& token) const {
  assert(is_valid_id(token.channel));
  Bytes bytes;
  bytes.reserve(kLongestBytes);
  ByteWriter out(bytes);
  out.u8(kVersion);
  out.u8(keys_.front().id);
  out.bytes(token.session);
  out.bytes(token.household);
  out.u32(token.region);
  out.u64(as_count(token.issued));
  out.u64(as_count(token.expires));
  out.u8(static_cast<std::uint8_t>(token.channel.size()));
  out.text(token.channel);
  const Digest256 mac = mac_of(keys_.front(), bytes);
  out.bytes(ByteSpan(mac).first(kMacBytes));
  return to_base64url(bytes);
}

Result<SessionToken> TokenSigner::open(std::string_view text, UtcTime now) const {
  if (text.size() > kMaxTokenLength) return fail(Errc::malformed, "session token too long");
  const std::optional<Bytes> bytes = from_base64url(text);
  if (!bytes || bytes->size() < 2 + kMacBytes)
    return fail(Errc::malformed, "session token is not a token");
  const ByteSpan body = ByteSpan(*bytes).first(bytes->size() - kMacBytes);
  const ByteSpan mac = ByteSpan(*bytes).last(kMacBytes);

  // The signature comes before anything else is read: unsigned bytes reach no parser.
  ByteReader in(body);
  const std::uint8_t version = KAPOK_TRY(in.u8());
  if (version != kVersion) return fail(Errc::malformed, "session token of an unknown version");
  const std::uint8_t key_id = KAPOK_TRY(in.u8());
  const TokenKey* key = nullptr;
  for (const TokenKey& candidate : keys_)
    if (candidate.id == key_id) key = &candidate;
  if (key == nullptr) return fail(Errc::denied, "session token signed with an unknown key");
  const Digest256 expected = mac_of(*key, body);
  if (!equal_constant_time(ByteSpan(expected).first(kMacBytes), mac))
    return fail(Errc::denied, "session token signature is wrong");

  SessionToken token;
  copy_into(token.session, KAPOK_TRY(in.take(16)));
  copy_into(token.household, KAPOK_TRY(in.take(16)));
  token.region = KAPOK_TRY(in.u32());
  token.issued = as_time(KAPOK_TRY(in.u64()));
  token.expires = as_time(KAPOK_TRY(in.u64()));
  const std::size_t length = KAPOK_TRY(in.u8());
  token.channel = as_text(KAPOK_TRY(in.take(length)));
  if (!in.empty() || !is_valid_id(token.channel))
    return fail(Errc::malformed, "session token body is malformed");
  if (now >= token.expires) return fail(Errc::timeout, "session token expired");
  return token;
}

}  // namespace kapok::access
