#include "server/access/publish_keys.hpp"

#include <algorithm>

#include "server/base/ids.hpp"

namespace kapok::access {

namespace {

constexpr std::string_view kHashPrefix = "hmac-sha256:";

Digest256 keyed_hash(std::string_view key, ByteSpan pepper) {
  return hmac_sha256(pepper, as_bytes(key));
}

Result<Digest256> hash_from(const PublishKeyEntry& entry, ByteSpan pepper) {
  const std::string_view secret = entry.secret;
  if (!secret.starts_with(kHashPrefix)) {
    if (secret.size() < kMinPublishKeyLength || secret.size() > kMaxPublishKeyLength)
      return fail(Errc::config, "the key must have {} to {} characters", kMinPublishKeyLength,
                  kMaxPublishKeyLength);
    return keyed_hash(secret, pepper);
  }
  const std::optional<Bytes> hash = from_hex(secret.substr(kHashPrefix.size()));
  Digest256 out;
  if (!hash || hash->size() != out.size())
    return fail(Errc::config, "key_hash must be \"hmac-sha256:\" and 64 hex digits");
  std::ranges::copy(*hash, out.begin());
  return out;
}

}  // namespace

Result<PublishKeys> PublishKeys::create(const std::vector<PublishKeyEntry>& entries, Bytes pepper) {
  PublishKeys keys;
  keys.pepper_ = std::move(pepper);
  for (const PublishKeyEntry& entry : entries) {
    const std::string place = fmt::format("channel {} feed {}", entry.channel, entry.feed);
    if (!is_valid_id(entry.channel) || !is_valid_id(entry.feed))
      return fail(Errc::config, "{}: not a valid name", place);
    Result<Digest256> hash = hash_from(entry, keys.pepper_);
    if (!hash) return std::unexpected(std::move(hash).error().within(place));
    // A key that opened two feeds of a channel would make "which feed is this?" a matter of order.
    // Channels may share one: then it opens nothing without the channel's name.
    for (const Held& other : keys.held_)
      if (other.channel == entry.channel && equal_constant_time(other.hash, *hash))
        return fail(Errc::config, "{}: the same key as its feed {}; give each its own", place,
                    other.feed);
    keys.held_.push_back({entry.channel, entry.feed, *hash});
  }
  return keys;
}

Result<PublishGrant> PublishKeys::open(std::string_view channel, std::string_view key) const {
  const bool readable = key.size() <= kMaxPublishKeyLength;
  const Digest256 presented = keyed_hash(readable ? key : std::string_view(), pepper_);
  const Held* found = nullptr;
  std::size_t matches = 0;
  for (const Held& held : held_) {
    // No early exit: the time says neither which key matched nor whether one did.
    const bool same = equal_constant_time(held.hash, presented);
    const bool here = channel.empty() || held.channel == channel;
    if (same && here) {
      found = &held;
      ++matches;
    }
  }
  if (matches != 1 || !readable || key.empty())
    return fail(Errc::denied, "no such channel, or the publish key is wrong");
  return PublishGrant{found->channel, found->feed};
}

Result<std::string> PublishKeys::authorise(std::string_view channel, std::string_view key) const {
  PublishGrant grant = KAPOK_TRY(open(channel, key));
  return std::move(grant.feed);
}

std::string hash_publish_key(std::string_view key, ByteSpan pepper) {
  return std::string(kHashPrefix) + to_hex(keyed_hash(key, pepper));
}

std::string make_publish_key() {
  return to_base64url(random_bytes<16>());
}

}  // namespace kapok::access
