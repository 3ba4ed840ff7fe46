#include "server/picture/protocols/srt/key_material.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "server/base/crypto.hpp"

namespace kapok::srt {

namespace {

constexpr std::uint8_t kVersionAndType = 0x12;  // version 1, type 2: keying material
constexpr std::uint16_t kSignature = 0x2029;    // "HAI" as a PnP vendor id
constexpr std::uint8_t kEncapsulation = 2;      // MPEG-TS over SRT
constexpr std::uint8_t kAuthGcm = 1;
constexpr std::size_t kHeadBytes = 16;
constexpr std::size_t kIntegrityBytes = 8;  // [RFC 3394]
constexpr std::size_t kKdfSaltBytes = 8;
constexpr int kKdfRounds = 2048;

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

const EVP_CIPHER* wrap_cipher(std::size_t key_bytes) {
  switch (key_bytes) {
    case 16:
      return EVP_aes_128_wrap();
    case 24:
      return EVP_aes_192_wrap();
    default:
      return EVP_aes_256_wrap();
  }
}

enum class Way : std::uint8_t { unwrap, wrap };

// False when the integrity check fails (unwrap only).
bool run_wrap(Way way, const SecretKey& wrapping_key, ByteSpan from, std::byte* to) {
  const Context context(EVP_CIPHER_CTX_new());
  if (!context) std::abort();
  EVP_CIPHER_CTX_set_flags(context.get(), EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  if (EVP_CipherInit_ex(context.get(), wrap_cipher(wrapping_key.size()), nullptr,
                        as_u8(wrapping_key.bytes()), nullptr, way == Way::wrap ? 1 : 0) != 1)
    std::abort();
  int written = 0;
  return EVP_CipherUpdate(context.get(), reinterpret_cast<std::uint8_t*>(to), &written, as_u8(from),
                          static_cast<int>(from.size())) == 1 &&
         written > 0;
}

}  // namespace

SecretKey::SecretKey(ByteSpan bytes) : size_(bytes.size()) {
  if (!is_key_size(size_)) std::abort();
  std::ranges::copy(bytes, bytes_.begin());
}

SecretKey SecretKey::random(std::size_t size) {
  std::array<std::byte, kMaxKeyBytes> bytes;
  fill_random(bytes);
  SecretKey key(ByteSpan(bytes).first(size));
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return key;
}

SecretKey::~SecretKey() {
  OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

Result<void> check_passphrase(std::string_view passphrase) {
  if (passphrase.size() < kMinPassphraseBytes || passphrase.size() > kMaxPassphraseBytes)
    return fail(Errc::config, "an SRT passphrase has {} to {} bytes, this one {}",
                kMinPassphraseBytes, kMaxPassphraseBytes, passphrase.size());
  return {};
}

Result<KeyMaterialHead> parse_key_material(ByteSpan message) {
  ByteReader in(message);
  KeyMaterialHead head;
  if (KAPOK_TRY(in.u8()) != kVersionAndType)
    return fail(Errc::malformed, "key material of another version or type");
  if (KAPOK_TRY(in.u16()) != kSignature)
    return fail(Errc::malformed, "key material without its signature");
  const std::uint8_t flags = KAPOK_TRY(in.u8()) & 3;
  head.has_even = (flags & 1) != 0;
  head.has_odd = (flags & 2) != 0;
  if (head.key_count() == 0) return fail(Errc::malformed, "key material without a key");
  if (KAPOK_TRY(in.u32()) != 0)
    return fail(Errc::unsupported, "key material for another wrapping key than the passphrase's");
  const std::uint8_t cipher = KAPOK_TRY(in.u8());
  const std::uint8_t auth = KAPOK_TRY(in.u8());
  if (cipher == static_cast<std::uint8_t>(CipherMode::ctr) && auth == 0)
    head.mode = CipherMode::ctr;
  else if (cipher == static_cast<std::uint8_t>(CipherMode::gcm) && auth == kAuthGcm)
    head.mode = CipherMode::gcm;
  else
    return fail(Errc::unsupported, "key material for cipher {} with authentication {}", cipher,
                auth);
  if (KAPOK_TRY(in.u8()) != kEncapsulation)
    return fail(Errc::unsupported, "key material for another encapsulation than SRT");
  KAPOK_TRY(in.skip(3));  // reserved
  const std::size_t salt_bytes = std::size_t{KAPOK_TRY(in.u8())} * 4;
  head.key_bytes = std::size_t{KAPOK_TRY(in.u8())} * 4;
  if (salt_bytes != kSaltBytes || !is_key_size(head.key_bytes))
    return fail(Errc::unsupported, "key material with a salt of {} and keys of {} bytes",
                salt_bytes, head.key_bytes);
  if (in.left() != kSaltBytes + head.key_count() * head.key_bytes + kIntegrityBytes)
    return fail(Errc::malformed, "key material of {} bytes for {} keys of {}", message.size(),
                head.key_count(), head.key_bytes);
  std::ranges::copy(KAPOK_TRY(in.take(kSaltBytes)), head.salt.begin());
  head.wrapped = in.rest();
  return head;
}

SecretKey derive_wrapping_key(std::string_view passphrase, const Salt& salt,
                              std::size_t key_bytes) {
  std::array<std::byte, kMaxKeyBytes> derived;
  const ByteSpan last = ByteSpan(salt).last(kKdfSaltBytes);
  if (PKCS5_PBKDF2_HMAC_SHA1(passphrase.data(), static_cast<int>(passphrase.size()), as_u8(last),
                             static_cast<int>(last.size()), kKdfRounds, static_cast<int>(key_bytes),
                             reinterpret_cast<std::uint8_t*>(derived.data())) != 1)
    std::abort();
  SecretKey key(ByteSpan(derived).first(key_bytes));
  OPENSSL_cleanse(derived.data(), derived.size());
  return key;
}

Bytes write_key_material(const KeyMaterial& material, const SecretKey& wrapping_key) {
  std::array<std::byte, 2 * kMaxKeyBytes> keys;
  std::size_t size = 0;
  for (const auto* key : {&material.even, &material.odd}) {  // even first [draft 3.2.2]
    if (!*key) continue;
    std::ranges::copy((*key)->bytes(), keys.begin() + static_cast<std::ptrdiff_t>(size));
    size += (*key)->size();
  }
  Bytes message;
  message.reserve(kMaxKeyMaterialBytes);
  ByteWriter out(message);
  out.u8(kVersionAndType);
  out.u16(kSignature);
  out.u8(static_cast<std::uint8_t>((material.even ? 1 : 0) | (material.odd ? 2 : 0)));
  out.u32(0);
  out.u8(static_cast<std::uint8_t>(material.mode));
  out.u8(material.mode == CipherMode::gcm ? kAuthGcm : 0);
  out.u8(kEncapsulation);
  out.zeros(3);
  out.u8(kSaltBytes / 4);
  out.u8(static_cast<std::uint8_t>(material.key_bytes() / 4));
  out.bytes(material.salt);
  out.zeros(size + kIntegrityBytes);
  if (!run_wrap(Way::wrap, wrapping_key, ByteSpan(keys).first(size),
                message.data() + kHeadBytes + kSaltBytes))
    std::abort();
  OPENSSL_cleanse(keys.data(), keys.size());
  return message;
}

Result<KeyMaterial> unwrap_key_material(const KeyMaterialHead& head,
                                        const SecretKey& wrapping_key) {
  std::array<std::byte, 2 * kMaxKeyBytes + kIntegrityBytes> keys{};
  const bool fits = run_wrap(Way::unwrap, wrapping_key, head.wrapped, keys.data());
  KeyMaterial material{.mode = head.mode, .salt = head.salt, .even = {}, .odd = {}};
  if (fits) {
    ByteSpan left(keys);
    if (head.has_even) {
      material.even.emplace(left.first(head.key_bytes));
      left = left.subspan(head.key_bytes);
    }
    if (head.has_odd) material.odd.emplace(left.first(head.key_bytes));
  }
  OPENSSL_cleanse(keys.data(), keys.size());
  if (!fits) return fail(Errc::denied, "the passphrase is not the one of the other side");
  return material;
}

Bytes write_key_state(KmState state) {
  return {static_cast<std::byte>(state), std::byte{0}, std::byte{0}, std::byte{0}};
}

std::optional<KmState> parse_key_state(ByteSpan response) {
  if (response.size() != 4) return std::nullopt;
  ByteReader in(response);
  std::uint32_t state = *in.u32();
  if ((state & 0x00FF'FFFF) == 0) state >>= 24;  // a little-endian machine's
  if (state > static_cast<std::uint32_t>(KmState::bad_cipher_mode)) return std::nullopt;
  return static_cast<KmState>(state);
}

}  // namespace kapok::srt
