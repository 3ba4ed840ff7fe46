#include "server/picture/protocols/srt/cipher.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>

namespace kapok::srt {

namespace {

constexpr std::size_t kGcmNonceBytes = 12;
constexpr std::size_t kCounterBytes = 16;
// The packet index stands in bytes 10 to 13, the count of blocks behind it [draft 6.2.2].
constexpr std::size_t kCounterSaltBytes = 14;
constexpr std::byte kRetransmitted{0x04};  // of the header's fifth byte

const EVP_CIPHER* evp_cipher(CipherMode mode, std::size_t key_bytes) {
  const bool gcm = mode == CipherMode::gcm;
  switch (key_bytes) {
    case 16:
      return gcm ? EVP_aes_128_gcm() : EVP_aes_128_ctr();
    case 24:
      return gcm ? EVP_aes_192_gcm() : EVP_aes_192_ctr();
    default:
      return gcm ? EVP_aes_256_gcm() : EVP_aes_256_ctr();
  }
}

std::uint8_t* out_u8(std::span<std::byte> to) {
  return reinterpret_cast<std::uint8_t*>(to.data());
}

void must(int openssl_result) {
  if (openssl_result != 1) std::abort();  // a context of ours, never the peer's bytes
}

}  // namespace

void Cipher::Free::operator()(evp_cipher_ctx_st* context) const {
  EVP_CIPHER_CTX_free(context);  // which wipes the key schedule
}

Cipher::Cipher(Direction direction, const Options& options, const SecretKey& key)
    : options_(options), context_(EVP_CIPHER_CTX_new()) {
  if (!context_) std::abort();
  must(EVP_CipherInit_ex(context_.get(), evp_cipher(options.mode, key.size()), nullptr,
                         as_u8(key.bytes()), nullptr, direction == Direction::encrypt ? 1 : 0));
}
Cipher::~Cipher() = default;
Cipher::Cipher(Cipher&&) noexcept = default;
Cipher& Cipher::operator=(Cipher&&) noexcept = default;

// Sets the counter or nonce and, in GCM, hands in the header.
void Cipher::start(PacketHead head) {
  const bool gcm = options_.mode == CipherMode::gcm;
  std::array<std::byte, kCounterBytes> counter{};
  const std::size_t index_at = gcm && options_.gcm == GcmForm::standard ? 8 : 10;
  std::ranges::copy(head.first(4), counter.begin() + static_cast<std::ptrdiff_t>(index_at));
  const std::size_t salted = gcm ? kGcmNonceBytes : kCounterSaltBytes;
  for (std::size_t i = 0; i < salted; ++i) counter[i] ^= options_.salt[i];
  must(EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, as_u8(counter), -1));
  if (!gcm) return;

  std::array<std::byte, 16> authenticated;
  std::ranges::copy(head, authenticated.begin());
  authenticated[4] &= ~kRetransmitted;  // the tag was made when the packet was first sent
  if (options_.gcm == GcmForm::libsrt_1_5_3)
    for (std::size_t word = 0; word < 4; ++word)
      std::ranges::reverse(std::span(authenticated).subspan(word * 4, 4));
  int written = 0;
  must(EVP_CipherUpdate(context_.get(), nullptr, &written, as_u8(authenticated),
                        static_cast<int>(authenticated.size())));
}

void Cipher::encrypt(PacketHead head, ByteSpan from, std::span<std::byte> to) {
  if (to.size() < from.size() + tag_bytes(options_.mode)) std::abort();
  start(head);
  int written = 0;
  must(EVP_CipherUpdate(context_.get(), out_u8(to), &written, as_u8(from),
                        static_cast<int>(from.size())));
  if (options_.mode != CipherMode::gcm) return;
  must(EVP_CipherFinal_ex(context_.get(), nullptr, &written));
  must(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes,
                           out_u8(to.subspan(from.size()))));
}

std::optional<std::size_t> Cipher::decrypt(PacketHead head, ByteSpan from,
                                           std::span<std::byte> to) {
  const std::size_t tag = tag_bytes(options_.mode);
  if (from.size() < tag) return std::nullopt;
  const std::size_t size = from.size() - tag;
  if (to.size() < size) std::abort();
  start(head);
  int written = 0;
  must(EVP_CipherUpdate(context_.get(), out_u8(to), &written, as_u8(from), static_cast<int>(size)));
  if (tag > 0) {
    std::array<std::byte, kTagBytes> expected;
    std::ranges::copy(from.last(tag), expected.begin());
    must(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, expected.data()));
    if (EVP_CipherFinal_ex(context_.get(), nullptr, &written) != 1) return std::nullopt;
  }
  return size;
}

}  // namespace kapok::srt
