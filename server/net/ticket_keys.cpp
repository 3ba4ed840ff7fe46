#include "server/net/ticket_keys.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "server/base/crypto.hpp"

namespace kapok::net {

namespace {

TicketKey make_key(MonoTime now) {
  return {.name = random_bytes<16>(),
          .cipher = random_bytes<32>(),
          .mac = random_bytes<32>(),
          .made = now};
}

// The keys live as long as the SSL_CTX, which a connection may keep past a reload.
using Held = std::shared_ptr<TicketKeys>;
void free_keys(void*, void* held, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<Held*>(held);
}
int keys_index() {
  static const int index = ::SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, free_keys);
  return index;
}

bool set_up(const TicketKey& key, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, const unsigned char* iv,
            int sealing) {
  // OSSL_PARAM's interface predates const; it does not write to its input.
  auto* mac_key = const_cast<std::byte*>(key.mac.data());
  char digest[] = "SHA256";
  const std::array<OSSL_PARAM, 3> parameters{
      ::OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, mac_key, key.mac.size()),
      ::OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      ::OSSL_PARAM_construct_end()};
  return ::EVP_CipherInit_ex(cipher, ::EVP_aes_256_cbc(), nullptr,
                             reinterpret_cast<const unsigned char*>(key.cipher.data()), iv,
                             sealing) == 1 &&
         ::EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
}

// [SSL_CTX_set_tlsext_ticket_key_evp_cb(3)] 1: done; 2: done, give a new ticket; 0: full handshake.
int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
              EVP_MAC_CTX* mac, int sealing) {
  auto& keys = **static_cast<Held*>(::SSL_CTX_get_ex_data(::SSL_get_SSL_CTX(ssl), keys_index()));
  const MonoTime now = std::chrono::steady_clock::now();
  if (sealing == 0) {
    const auto found = keys.find(std::as_bytes(std::span(name, 16)), now);
    if (!found || !set_up(found->key, cipher, mac, iv, sealing)) return 0;
    return found->is_current ? 1 : 2;
  }
  const TicketKey key = keys.sealing_key(now);
  std::memcpy(name, key.name.data(), key.name.size());
  fill_random(std::as_writable_bytes(std::span(iv, 16)));
  return set_up(key, cipher, mac, iv, sealing) ? 1 : -1;
}

}  // namespace

void TicketKeys::rotate(MonoTime now) {
  if (current_ && now - current_->made < kTicketKeyLife) return;
  previous_ = std::exchange(current_, make_key(now));
  // After a night without a handshake the one before is too old as well.
  if (previous_ && now - previous_->made >= 2 * kTicketKeyLife) previous_.reset();
}

TicketKey TicketKeys::sealing_key(MonoTime now) {
  const std::lock_guard lock(mutex_);
  rotate(now);
  return *current_;
}

std::optional<TicketKeys::Found> TicketKeys::find(std::span<const std::byte> name, MonoTime now) {
  const std::lock_guard lock(mutex_);
  rotate(now);
  if (std::ranges::equal(name, current_->name)) return Found{*current_, true};
  if (previous_ && std::ranges::equal(name, previous_->name)) return Found{*previous_, false};
  return std::nullopt;
}

void use_ticket_keys(SSL_CTX* context, std::shared_ptr<TicketKeys> keys) {
  ::SSL_CTX_set_ex_data(context, keys_index(), new Held(std::move(keys)));
  ::SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
}

}  // namespace kapok::net
