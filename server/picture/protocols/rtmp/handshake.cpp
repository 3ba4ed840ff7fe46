#include "server/picture/protocols/rtmp/handshake.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "server/base/crypto.hpp"

namespace kapok::rtmp {

namespace {
constexpr std::size_t kDigestBytes = 32;
// Both keys are a name followed by the same 32 bytes; C1 and S1 are signed with the name alone, C2
// and S2 through the whole key.
constexpr std::string_view kPlayerName = "Genuine Adobe Flash Player 001";
constexpr std::string_view kServerName = "Genuine Adobe Flash Media Server 001";
constexpr std::array<std::uint8_t, 32> kKeyTail = {
    0xF0, 0xEE, 0xC2, 0x4A, 0x80, 0x68, 0xBE, 0xE8, 0x2E, 0x00, 0xD0, 0xD1, 0x02, 0x9E, 0x7E, 0x57,
    0x6E, 0xEC, 0x5D, 0x2D, 0x29, 0x80, 0x6F, 0xAB, 0x93, 0xB8, 0xE6, 0x36, 0xCF, 0xEB, 0x31, 0xAE};

Bytes whole_key(std::string_view name) {
  Bytes key = to_bytes(name);
  ByteWriter(key).bytes(as_bytes(kKeyTail.data(), kKeyTail.size()));
  return key;
}

// The four bytes at `base` point to the digest, somewhere in the 728 bytes behind them.
std::size_t digest_offset(ByteSpan block, DigestScheme scheme) {
  const std::size_t base = scheme == DigestScheme::schema1 ? 8 : 772;
  std::size_t sum = 0;
  for (std::size_t i = 0; i < 4; ++i) sum += std::to_integer<std::size_t>(block[base + i]);
  return sum % 728 + base + 4;
}

Digest256 digest_of(ByteSpan block, std::size_t offset, std::string_view name) {
  Bytes message(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(offset));
  ByteWriter(message).bytes(block.subspan(offset + kDigestBytes));
  return hmac_sha256(as_bytes(name), message);
}

bool has_digest(ByteSpan block, DigestScheme scheme, std::string_view name) {
  const std::size_t offset = digest_offset(block, scheme);
  return std::ranges::equal(digest_of(block, offset, name), block.subspan(offset, kDigestBytes));
}

void sign(std::span<std::byte> block, DigestScheme scheme, std::string_view name) {
  const std::size_t offset = digest_offset(block, scheme);
  std::ranges::copy(digest_of(block, offset, name),
                    block.begin() + static_cast<std::ptrdiff_t>(offset));
}

// What C2 and S2 end with: a signature keyed by the other side's digest.
Digest256 answer_signature(ByteSpan answer, ByteSpan asked_digest, std::string_view name) {
  const Digest256 key = hmac_sha256(whole_key(name), asked_digest);
  return hmac_sha256(key, answer.first(kHandshakeBytes - kDigestBytes));
}

std::array<std::byte, kHandshakeBytes> fresh_block(DigestScheme scheme) {
  auto block = random_bytes<kHandshakeBytes>();
  std::fill_n(block.begin(), 8, std::byte{0});
  // A version other than zero announces a digest; 4.5.0.0 is a Flash Media Server's.
  if (scheme != DigestScheme::none) block[4] = std::byte{4}, block[5] = std::byte{5};
  return block;
}

Error not_rtmp(std::uint8_t first) {
  if (first == 0x16)
    return {Errc::malformed, "a TLS hello on the plain port: the address must begin with rtmps://"};
  if (first >= 'A' && first <= 'Z')
    return {Errc::malformed, "not RTMP; it looks like an HTTP request"};
  return {Errc::malformed, fmt::format("not RTMP: version {}, only 3 is known", first)};
}
}  // namespace

Result<std::size_t> ServerHandshake::read(ByteSpan bytes, Bytes& bytes_out) {
  if (state_ == State::done || bytes.empty()) return 0;
  if (state_ == State::c2) {
    // Nothing in C2 is worth checking: clients send anything from zeros to our own S1.
    if (bytes.size() < kHandshakeBytes) return 0;
    state_ = State::done;
    return kHandshakeBytes;
  }
  const auto version = std::to_integer<std::uint8_t>(bytes[0]);
  if (version != 3) return std::unexpected(not_rtmp(version));
  if (bytes.size() < 1 + kHandshakeBytes) return 0;
  const ByteSpan c1 = bytes.subspan(1, kHandshakeBytes);
  for (const DigestScheme scheme : {DigestScheme::schema1, DigestScheme::schema0}) {
    if (has_digest(c1, scheme, kPlayerName)) {
      scheme_ = scheme;
      break;
    }
  }
  auto s1 = fresh_block(scheme_);
  ByteWriter out(bytes_out);
  out.u8(3);
  if (scheme_ == DigestScheme::none) {
    out.bytes(s1);
    out.bytes(c1);
  } else {
    sign(s1, scheme_, kServerName);
    out.bytes(s1);
    auto s2 = random_bytes<kHandshakeBytes>();
    const ByteSpan asked = c1.subspan(digest_offset(c1, scheme_), kDigestBytes);
    std::ranges::copy(answer_signature(s2, asked, kServerName), s2.end() - kDigestBytes);
    out.bytes(s2);
  }
  state_ = State::c2;
  return 1 + kHandshakeBytes;
}

void ClientHandshake::start(DigestScheme scheme, Bytes& bytes_out) {
  scheme_ = scheme;
  auto c1 = fresh_block(scheme);
  if (scheme != DigestScheme::none) {
    sign(c1, scheme, kPlayerName);
    const auto digest = ByteSpan(c1).subspan(digest_offset(c1, scheme), kDigestBytes);
    digest_.assign(digest.begin(), digest.end());
  }
  ByteWriter out(bytes_out);
  out.u8(3);
  out.bytes(c1);
}

Result<std::size_t> ClientHandshake::read(ByteSpan bytes, Bytes& bytes_out) {
  if (done_ || bytes.size() < 1 + 2 * kHandshakeBytes) return 0;
  if (bytes[0] != std::byte{3}) return fail(Errc::malformed, "the server does not speak RTMP");
  const ByteSpan s1 = bytes.subspan(1, kHandshakeBytes);
  const ByteSpan s2 = bytes.subspan(1 + kHandshakeBytes, kHandshakeBytes);
  if (scheme_ != DigestScheme::none) {
    if (!has_digest(s1, scheme_, kServerName))
      return fail(Errc::malformed, "S1 carries no digest of this scheme");
    if (!std::ranges::equal(answer_signature(s2, digest_, kServerName), s2.last(kDigestBytes)))
      return fail(Errc::malformed, "S2 is not signed with our digest");
    auto c2 = random_bytes<kHandshakeBytes>();
    const ByteSpan asked = s1.subspan(digest_offset(s1, scheme_), kDigestBytes);
    std::ranges::copy(answer_signature(c2, asked, kPlayerName), c2.end() - kDigestBytes);
    ByteWriter(bytes_out).bytes(c2);
  } else {
    ByteWriter(bytes_out).bytes(s1);
  }
  done_ = true;
  return 1 + 2 * kHandshakeBytes;
}

}  // namespace kapok::rtmp
