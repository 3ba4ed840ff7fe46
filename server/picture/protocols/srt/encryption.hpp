// The encryption of one established link, both directions: what the handshake settles, then the
// ciphers and the refresh of keys. A link without a passphrase on both sides has no Encryption.
// Once there is one, nothing that a peer sends turns it off again or makes it weaker: packets in
// clear are the connection's to refuse, a later key material message must keep salt, cipher and key
// length, and a refusal that comes later changes nothing. Used from one thread.
//
// Handshake: the caller sends key_message() as its KMREQ block, the listener answers the same bytes
// as KMRSP (or is refused by accept). Later refreshes travel as control packets of user type with
// the same contents [draft 6.1.6].
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "server/base/clock.hpp"
#include "server/picture/protocols/srt/cipher.hpp"
#include "server/picture/protocols/srt/reject_reason.hpp"

namespace kapok::srt {

struct EncryptionOptions {
  std::string passphrase;  // empty: in clear
  // Of whoever makes the key: the caller. A listener takes the caller's.
  CipherMode mode = CipherMode::ctr;
  std::size_t key_bytes = 16;
  // [libsrt docs/API/API-socket-options.md, SRTO_KMREFRESHRATE and SRTO_KMPREANNOUNCE]
  std::uint32_t refresh_packets = 0x100'0000;
  std::uint32_t announce_packets = 0x1000;  // at most (refresh_packets - 1) / 2
};

class Encryption {
 public:
  // The caller's, with a fresh key. Errc::config: passphrase or key length out of bounds.
  static Result<std::unique_ptr<Encryption>> initiate(const EncryptionOptions& options);
  // The caller's, when the answer came: the KMRSP block, or nothing when there was none.
  OrRefusal<void> confirm(std::optional<ByteSpan> response, std::uint32_t peer_version);

  // The listener's, from the caller's KMREQ block (nothing: it has none). Null: both in clear.
  // Refusals: unsecure (one side has a passphrase, the other none), bad_secret, crypto.
  static OrRefusal<std::unique_ptr<Encryption>> accept(const EncryptionOptions& options,
                                                       std::optional<ByteSpan> request,
                                                       std::uint32_t peer_version);
  // The caller's check when it has no passphrase: an answer with key material is refused.
  static OrRefusal<void> check_clear(std::optional<ByteSpan> response);

  ~Encryption();

  // KMREQ of the caller, KMRSP of the listener.
  ByteSpan key_message() const { return key_message_; }

  std::size_t overhead_bytes() const { return tag_bytes(material_.mode); }
  std::string_view name() const { return name_; }  // "aes-ctr-128"

  // --- sending. The header's KK field must say sending_parity() when it is handed in; a
  // retransmission sends the bytes of the first time again.
  Parity sending_parity() const { return sending_; }
  void encrypt(PacketHead head, ByteSpan from, std::span<std::byte> to);

  // --- receiving. Nothing: no such key, or forged; `to` is then rubbish.
  std::optional<std::size_t> decrypt(PacketHead head, ByteSpan from, std::span<std::byte> to);

  // --- key refresh.
  // A KMREQ to send now, if one is due: a new key, or the same again without an answer after 1.5
  // RTT, ten times at most. Call after encrypt() and with the connection's timers.
  std::optional<ByteSpan> announcement_due(MonoTime now, microseconds rtt);
  // When it may next be due without further packets; max() when nothing waits for an answer.
  MonoTime next_deadline(microseconds rtt) const;
  // A KMREQ of the peer's; what is returned goes back as KMRSP: the message itself, or a state.
  Bytes receive_request(ByteSpan request);
  void receive_response(ByteSpan response);

 private:
  // A new key on its way to the peer.
  struct Announcement {
    Bytes message;
    SecretKey key;
    unsigned tries_left;
    bool confirmed = false;
    std::optional<MonoTime> sent_at;
  };
  using Ciphers = std::array<std::optional<Cipher>, 2>;  // even, odd

  Encryption(const EncryptionOptions& options, const KeyMaterial& material,
             const SecretKey& wrapping_key, ByteSpan key_message);
  void start(std::uint32_t peer_version);
  Cipher make(Cipher::Direction direction, const SecretKey& key) const;
  void announce();
  void switch_keys();

  KeyMaterial material_;  // of the handshake
  GcmForm gcm_ = GcmForm::standard;
  SecretKey wrapping_key_;
  Bytes key_message_;
  std::string name_;

  Parity sending_;
  SecretKey sending_key_;
  Ciphers encrypting_;
  Ciphers decrypting_;
  std::uint32_t packets_ = 0;  // encrypted with the present key
  std::uint32_t refresh_packets_;
  std::uint32_t announce_packets_;
  std::optional<Announcement> announcement_;
};

}  // namespace kapok::srt
