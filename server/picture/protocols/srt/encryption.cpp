#include "server/picture/protocols/srt/encryption.hpp"

#include <algorithm>
#include <cstdlib>

#include "server/base/crypto.hpp"

namespace kapok::srt {

namespace {

// [libsrt srtcore/crypto.cpp, SRT_MAX_KMRETRY and sendKeysToPeer]
constexpr unsigned kAnnouncementTries = 10;
microseconds repeat_after(microseconds rtt) {
  return rtt * 3 / 2;
}

// The last version with the older form of GCM (cipher.hpp).
constexpr std::uint32_t kLastLegacyGcm = 0x010503;

constexpr std::size_t index_of(Parity parity) {
  return parity == Parity::even ? 0 : 1;
}

std::uint8_t key_flags(PacketHead head) {
  return (std::to_integer<std::uint8_t>(head[4]) >> 3) & 3;
}

std::unexpected<Refusal> refuse(RejectReason reason, std::string why) {
  return std::unexpected(Refusal{reason, std::move(why)});
}
std::unexpected<Refusal> refuse_unsecure(std::string_view with, std::string_view without) {
  return refuse(RejectReason::unsecure,
                fmt::format("{} has a passphrase and {} has none", with, without));
}

}  // namespace

Encryption::Encryption(const EncryptionOptions& options, const KeyMaterial& material,
                       const SecretKey& wrapping_key, ByteSpan key_message)
    : material_(material),
      wrapping_key_(wrapping_key),
      key_message_(key_message.begin(), key_message.end()),
      name_(fmt::format("aes-{}-{}", material.mode == CipherMode::gcm ? "gcm" : "ctr",
                        material.key_bytes() * 8)),
      sending_(material.even ? Parity::even : Parity::odd),
      sending_key_(material.even ? *material.even : *material.odd),
      refresh_packets_(options.refresh_packets),
      announce_packets_(std::min(options.announce_packets, (options.refresh_packets - 1) / 2)) {}
Encryption::~Encryption() = default;

Result<std::unique_ptr<Encryption>> Encryption::initiate(const EncryptionOptions& options) {
  KAPOK_TRY(check_passphrase(options.passphrase));
  if (!is_key_size(options.key_bytes))
    return fail(Errc::config, "an SRT key has 16, 24 or 32 bytes, not {}", options.key_bytes);
  const KeyMaterial material{.mode = options.mode,
                             .salt = random_bytes<kSaltBytes>(),
                             .even = SecretKey::random(options.key_bytes),
                             .odd = {}};
  const SecretKey wrapping_key =
      derive_wrapping_key(options.passphrase, material.salt, options.key_bytes);
  return std::unique_ptr<Encryption>(
      new Encryption(options, material, wrapping_key, write_key_material(material, wrapping_key)));
}

OrRefusal<void> Encryption::confirm(std::optional<ByteSpan> response, std::uint32_t peer_version) {
  if (!response) return refuse_unsecure("this side", "the listener");
  if (const auto state = parse_key_state(*response)) {
    switch (*state) {
      case KmState::bad_secret:
        return refuse(RejectReason::bad_secret, "the listener has another passphrase");
      case KmState::bad_cipher_mode:
        return refuse(RejectReason::crypto, "the listener wants another cipher mode");
      default:
        return refuse_unsecure("this side", "the listener");
    }
  }
  if (!std::ranges::equal(*response, key_message_))
    return refuse(RejectReason::rogue, "the listener answered with other key material");
  start(peer_version);
  return {};
}

OrRefusal<std::unique_ptr<Encryption>> Encryption::accept(const EncryptionOptions& options,
                                                          std::optional<ByteSpan> request,
                                                          std::uint32_t peer_version) {
  if (options.passphrase.empty()) {
    if (request) return refuse_unsecure("the caller", "this side");
    return nullptr;
  }
  if (!request) return refuse_unsecure("this side", "the caller");
  const auto head = parse_key_material(*request);
  if (!head) {
    const bool known = head.error().code == Errc::unsupported;
    return refuse(known ? RejectReason::crypto : RejectReason::rogue, head.error().message);
  }
  const SecretKey wrapping_key =
      derive_wrapping_key(options.passphrase, head->salt, head->key_bytes);
  const auto material = unwrap_key_material(*head, wrapping_key);
  if (!material) return refuse(RejectReason::bad_secret, material.error().message);
  std::unique_ptr<Encryption> made(new Encryption(options, *material, wrapping_key, *request));
  made->start(peer_version);
  return made;
}

OrRefusal<void> Encryption::check_clear(std::optional<ByteSpan> response) {
  if (response) return refuse_unsecure("the listener", "this side");
  return {};
}

// [draft 6.1.5] Both directions begin with the caller's key.
void Encryption::start(std::uint32_t peer_version) {
  if (peer_version <= kLastLegacyGcm) gcm_ = GcmForm::libsrt_1_5_3;
  if (material_.even) decrypting_[0].emplace(make(Cipher::Direction::decrypt, *material_.even));
  if (material_.odd) decrypting_[1].emplace(make(Cipher::Direction::decrypt, *material_.odd));
  encrypting_[index_of(sending_)].emplace(make(Cipher::Direction::encrypt, sending_key_));
}

Cipher Encryption::make(Cipher::Direction direction, const SecretKey& key) const {
  return {direction, {.mode = material_.mode, .gcm = gcm_, .salt = material_.salt}, key};
}

void Encryption::encrypt(PacketHead head, ByteSpan from, std::span<std::byte> to) {
  auto& cipher = encrypting_[index_of(sending_)];
  if (!cipher || key_flags(head) != static_cast<std::uint8_t>(sending_)) std::abort();
  cipher->encrypt(head, from, to);
  ++packets_;
  if (!announcement_ && packets_ > refresh_packets_ - announce_packets_) announce();
  // libsrt switches whether or not the peer has answered; we wait for it while tries are left, for
  // a peer without the key would lose everything.
  if (announcement_ && packets_ > refresh_packets_ &&
      (announcement_->confirmed || announcement_->tries_left == 0))
    switch_keys();
}

std::optional<std::size_t> Encryption::decrypt(PacketHead head, ByteSpan from,
                                               std::span<std::byte> to) {
  const std::uint8_t flags = key_flags(head);
  if (flags != 1 && flags != 2) return std::nullopt;
  auto& cipher = decrypting_[flags - 1];
  return cipher ? cipher->decrypt(head, from, to) : std::nullopt;
}

// [draft 6.1.6; libsrt haicrypt/hcrypt_ctx_tx.c, hcryptCtx_Tx_Refresh] A new key under the same
// salt, told together with the present one.
void Encryption::announce() {
  const SecretKey next = SecretKey::random(sending_key_.size());
  KeyMaterial both{.mode = material_.mode, .salt = material_.salt, .even = {}, .odd = {}};
  both.even = sending_ == Parity::even ? sending_key_ : next;
  both.odd = sending_ == Parity::even ? next : sending_key_;
  encrypting_[index_of(other(sending_))].emplace(make(Cipher::Direction::encrypt, next));
  announcement_.emplace(Announcement{.message = write_key_material(both, wrapping_key_),
                                     .key = next,
                                     .tries_left = kAnnouncementTries,
                                     .confirmed = false,
                                     .sent_at = {}});
}

void Encryption::switch_keys() {
  encrypting_[index_of(sending_)].reset();  // retransmissions are kept encrypted
  sending_ = other(sending_);
  sending_key_ = announcement_->key;
  announcement_.reset();
  packets_ = 0;
}

std::optional<ByteSpan> Encryption::announcement_due(MonoTime now, microseconds rtt) {
  if (!announcement_ || announcement_->confirmed || announcement_->tries_left == 0)
    return std::nullopt;
  if (announcement_->sent_at && now < *announcement_->sent_at + repeat_after(rtt))
    return std::nullopt;
  --announcement_->tries_left;
  announcement_->sent_at = now;
  return announcement_->message;
}

MonoTime Encryption::next_deadline(microseconds rtt) const {
  if (!announcement_ || announcement_->confirmed || announcement_->tries_left == 0)
    return MonoTime::max();
  return announcement_->sent_at ? *announcement_->sent_at + repeat_after(rtt) : MonoTime::min();
}

Bytes Encryption::receive_request(ByteSpan request) {
  const auto head = parse_key_material(request);
  if (!head) return write_key_state(KmState::no_secret);
  if (head->mode != material_.mode) return write_key_state(KmState::bad_cipher_mode);
  // Another salt would cost a millisecond of key derivation per message.
  if (head->salt != material_.salt || head->key_bytes != material_.key_bytes())
    return write_key_state(KmState::bad_secret);
  const auto material = unwrap_key_material(*head, wrapping_key_);
  if (!material) return write_key_state(KmState::bad_secret);
  if (material->even) decrypting_[0].emplace(make(Cipher::Direction::decrypt, *material->even));
  if (material->odd) decrypting_[1].emplace(make(Cipher::Direction::decrypt, *material->odd));
  return {request.begin(), request.end()};
}

void Encryption::receive_response(ByteSpan response) {
  if (announcement_ && std::ranges::equal(response, announcement_->message))
    announcement_->confirmed = true;
}

}  // namespace kapok::srt
