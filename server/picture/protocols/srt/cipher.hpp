// AES as SRT uses it, for one key and one direction: counter mode [draft 6.2.2] and GCM [libsrt
// haicrypt/hcrypt.h, hcrypt_SetCtrIV and hcrypt_SetGcmIV; haicrypt/cryspr.c]. One OpenSSL context
// is kept for the key's whole life, nothing is allocated per packet, and `from` may be `to` itself.
// Used from one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "server/picture/protocols/srt/key_material.hpp"

struct evp_cipher_ctx_st;

namespace kapok::srt {

constexpr std::size_t kTagBytes = 16;
constexpr std::size_t tag_bytes(CipherMode mode) {
  return mode == CipherMode::gcm ? kTagBytes : 0;
}

// A data packet's header as on the wire: its first word, the sequence number, makes the counter,
// and GCM authenticates all 16 bytes but the retransmission flag.
using PacketHead = std::span<const std::byte, 16>;

// libsrt 1.5.2 and 1.5.3 build the GCM nonce from only half of the sequence number and take the
// header in the machine's byte order (use_gcm_153 in haicrypt/cryspr.c). Spoken to such peers only.
enum class GcmForm : std::uint8_t { standard, libsrt_1_5_3 };

class Cipher {
 public:
  enum class Direction : std::uint8_t { encrypt, decrypt };

  struct Options {
    CipherMode mode = CipherMode::ctr;
    GcmForm gcm = GcmForm::standard;
    Salt salt{};
  };

  Cipher(Direction direction, const Options& options, const SecretKey& key);
  ~Cipher();
  Cipher(Cipher&&) noexcept;
  Cipher& operator=(Cipher&&) noexcept;

  // Writes from.size() + tag_bytes(mode) bytes to `to`, which must hold them.
  void encrypt(PacketHead head, ByteSpan from, std::span<std::byte> to);
  // Writes the plain bytes to `to` (as many as `from` has, less the tag) and returns their number;
  // nothing when the tag does not fit: then `to` holds rubbish. Counter mode cannot tell.
  std::optional<std::size_t> decrypt(PacketHead head, ByteSpan from, std::span<std::byte> to);

 private:
  struct Free {
    void operator()(evp_cipher_ctx_st* context) const;
  };
  void start(PacketHead head);

  Options options_;
  std::unique_ptr<evp_cipher_ctx_st, Free> context_;
};

}  // namespace kapok::srt
