#include "server/net/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>
#include <boost/system/system_error.hpp>
#include <utility>

namespace kapok::net {

namespace {

// Forward secrecy and authenticated encryption only; TLS 1.3's suites all are.
constexpr const char* kTls12Ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
// AES-128 first: as safe for this use and a quarter faster than AES-256 when sending 4K.
constexpr const char* kTls13Ciphers =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* kSessionContext = "kapok";

std::string openssl_reason() {
  const unsigned long code = ::ERR_get_error();
  ::ERR_clear_error();
  if (code == 0) return "unknown reason";
  const char* reason = ::ERR_reason_error_string(code);
  if (reason != nullptr) return reason;
  std::array<char, 160> text{};
  ::ERR_error_string_n(code, text.data(), text.size());
  return text.data();
}

// [RFC 7301 3.1] the list on the wire: each name behind its length.
std::string wire_alpn(const std::vector<std::string>& names) {
  std::string wire;
  for (const std::string& name : names) {
    wire.push_back(static_cast<char>(name.size()));
    wire += name;
  }
  return wire;
}

// The list lives as long as the SSL_CTX, which a connection may keep past the TlsContext.
void free_alpn(void*, void* held, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<std::string*>(held);
}
int alpn_index() {
  static const int index = ::SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, free_alpn);
  return index;
}

int select_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                const unsigned char* offered, unsigned offered_size, void*) {
  const auto* wanted =
      static_cast<std::string*>(::SSL_CTX_get_ex_data(::SSL_get_SSL_CTX(ssl), alpn_index()));
  unsigned char* chosen = nullptr;
  const int found = ::SSL_select_next_proto(
      &chosen, out_size, reinterpret_cast<const unsigned char*>(wanted->data()),
      static_cast<unsigned>(wanted->size()), offered, offered_size);
  // No overlap: go on without ALPN, as if it had not been offered; old boxes send odd lists.
  if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

Result<void> configure(SSL_CTX* ctx, const std::vector<std::string>& alpn) {
  ::SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
  ::SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // An idle connection gives its 34 kB of record buffers back; a write may be retried from another
  // address and may end after any record.
  ::SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Tickets keep the session at the client: nothing is stored here for it. Two a handshake is
  // OpenSSL's default; one is enough for a player and costs half.
  ::SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_num_tickets(ctx, 1);
  ::SSL_CTX_set_session_id_context(ctx, reinterpret_cast<const unsigned char*>(kSessionContext), 5);
  if (::SSL_CTX_set_cipher_list(ctx, kTls12Ciphers) != 1 ||
      ::SSL_CTX_set_ciphersuites(ctx, kTls13Ciphers) != 1)
    return fail(Errc::internal, "tls: {}", openssl_reason());
  if (!alpn.empty()) {
    ::SSL_CTX_set_ex_data(ctx, alpn_index(), new std::string(wire_alpn(alpn)));
    ::SSL_CTX_set_alpn_select_cb(ctx, select_alpn, nullptr);
  }
  return {};
}

Result<std::shared_ptr<boost::asio::ssl::context>> make_context(
    const TlsFiles& files, const std::vector<std::string>& alpn) {
  auto context = std::make_shared<boost::asio::ssl::context>(boost::asio::ssl::context::tls_server);
  SSL_CTX* ctx = context->native_handle();
  KAPOK_TRY(configure(ctx, alpn));
  ::ERR_clear_error();
  if (::SSL_CTX_use_certificate_chain_file(ctx, files.certificate.c_str()) != 1)
    return fail(Errc::config,
                "tls certificate {}: {}: give a readable PEM file with the server's certificate "
                "first and its chain after it",
                files.certificate.string(), openssl_reason());
  if (::SSL_CTX_use_PrivateKey_file(ctx, files.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      ::SSL_CTX_check_private_key(ctx) != 1)
    return fail(Errc::config,
                "tls key {}: {}: give the readable, unencrypted PEM key that belongs to {}",
                files.key.string(), openssl_reason(), files.certificate.string());
  const X509* certificate = ::SSL_CTX_get0_certificate(ctx);
  if (::X509_cmp_current_time(::X509_get0_notAfter(certificate)) < 0)
    return fail(Errc::config, "tls certificate {} has expired: renew it, then reload",
                files.certificate.string());
  return context;
}

}  // namespace

TlsContext::TlsContext(TlsFiles files, std::vector<std::string> alpn) noexcept
    : files_(std::move(files)), alpn_(std::move(alpn)) {}

Result<std::shared_ptr<TlsContext>> TlsContext::load(TlsFiles files,
                                                     std::vector<std::string> alpn) {
  for (const std::string& name : alpn)
    if (name.empty() || name.size() > 255)
      return fail(Errc::internal, "an ALPN name has 1 to 255 bytes");
  std::shared_ptr<TlsContext> made(new TlsContext(std::move(files), std::move(alpn)));
  KAPOK_TRY(made->reload());
  return made;
}

Result<void> TlsContext::reload() {
  auto fresh = KAPOK_TRY(make_context(files_, alpn_));
  use_ticket_keys(fresh->native_handle(), ticket_keys_);
  const std::lock_guard lock(mutex_);
  current_ = std::move(fresh);
  return {};
}

std::shared_ptr<boost::asio::ssl::context> TlsContext::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

}  // namespace kapok::net
