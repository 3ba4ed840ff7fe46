// The key material message [draft-sharabayko-srt 3.2.2, 6]: how the two keys of a stream, wrapped
// by a key that both sides derive from the passphrase, travel in the handshake and in key
// refreshes. Pure functions and values; whoever holds a value holds a secret: each wipes itself.
// Lengths are exact: a message that is a byte too short or too long is malformed (libsrt took any
// length into a buffer of 104 bytes, CVE-2026-55868 and -55869).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "server/base/bytes.hpp"

namespace kapok::srt {

// The Cipher field [draft 3.2.2; GCM: libsrt haicrypt/hcrypt_msg.h].
enum class CipherMode : std::uint8_t { ctr = 2, gcm = 4 };

// The KK field of data packets: which of the two keys encrypts. Their values are the bits of KK.
enum class Parity : std::uint8_t { even = 1, odd = 2 };
constexpr Parity other(Parity parity) {
  return parity == Parity::even ? Parity::odd : Parity::even;
}

// What a refusing side answers in place of the message [libsrt srtcore/srt.h, SRT_KM_STATE].
enum class KmState : std::uint8_t {
  unsecured = 0,
  securing = 1,
  secured = 2,
  no_secret = 3,
  bad_secret = 4,
  bad_cipher_mode = 5,
};

constexpr std::size_t kSaltBytes = 16;  // the only length defined [draft 3.2.2]
constexpr std::size_t kMaxKeyBytes = 32;
// Both keys of 32 bytes: 16 of header, 16 of salt, 64 of keys, 8 of integrity check.
constexpr std::size_t kMaxKeyMaterialBytes = 16 + kSaltBytes + 2 * kMaxKeyBytes + 8;
// [libsrt docs/API/API-socket-options.md, SRTO_PASSPHRASE]
constexpr std::size_t kMinPassphraseBytes = 10;
constexpr std::size_t kMaxPassphraseBytes = 79;

using Salt = std::array<std::byte, kSaltBytes>;

// 16, 24 or 32 secret bytes, wiped when they go.
class SecretKey {
 public:
  explicit SecretKey(ByteSpan bytes);  // of a valid length: our own invariant
  static SecretKey random(std::size_t size);
  ~SecretKey();
  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;

  ByteSpan bytes() const { return ByteSpan(bytes_).first(size_); }
  std::size_t size() const { return size_; }

 private:
  std::array<std::byte, kMaxKeyBytes> bytes_{};
  std::size_t size_ = 0;
};
constexpr bool is_key_size(std::size_t bytes) {
  return bytes == 16 || bytes == 24 || bytes == 32;
}

struct KeyMaterial {
  CipherMode mode = CipherMode::ctr;
  Salt salt{};
  // At least one; of equal length.
  std::optional<SecretKey> even;
  std::optional<SecretKey> odd;

  std::size_t key_bytes() const { return even ? even->size() : odd->size(); }
};

// Errc::config unless the length is 10 to 79 bytes; the message holds none of it.
Result<void> check_passphrase(std::string_view passphrase);

// What may be read of a message without the passphrase.
struct KeyMaterialHead {
  CipherMode mode = CipherMode::ctr;
  bool has_even = false;
  bool has_odd = false;
  std::size_t key_bytes = 0;
  Salt salt{};
  ByteSpan wrapped;  // of the parsed message

  std::size_t key_count() const { return std::size_t{has_even} + std::size_t{has_odd}; }
};
// Errors: malformed; unsupported (a cipher, key length or encapsulation that SRT does not have).
Result<KeyMaterialHead> parse_key_material(ByteSpan message);

// KEK = PBKDF2-HMAC-SHA1(passphrase, last 8 bytes of the salt, 2048 rounds) [draft 6.1.5]: about a
// millisecond, so it is derived once per link, for a refresh keeps salt and key length.
SecretKey derive_wrapping_key(std::string_view passphrase, const Salt& salt, std::size_t key_bytes);

// [RFC 3394]. unwrap fails with Errc::denied when the passphrase was another one.
Bytes write_key_material(const KeyMaterial& material, const SecretKey& wrapping_key);
Result<KeyMaterial> unwrap_key_material(const KeyMaterialHead& head, const SecretKey& wrapping_key);

// The refusal in place of the message: four bytes, the state first (libsrt writes it in the order
// of its machine, and the machines are little-endian).
Bytes write_key_state(KmState state);
// Also takes the other byte order. Empty when the bytes are no refusal.
std::optional<KmState> parse_key_state(ByteSpan response);

}  // namespace kapok::srt
