// make_self_signed() of tls_context.hpp.
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/ip/address.hpp>
#include <cerrno>
#include <memory>

#include "server/base/crypto.hpp"
#include "server/net/tls_context.hpp"

namespace kapok::net {

namespace {

constexpr long kValidSeconds = 365L * 24 * 3600;

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* held) const {
    Free(held);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using MemoryBio = std::unique_ptr<BIO, Freed<BIO_free>>;

// Beside the target and renamed over it: a reader never sees half a file.
Result<void> replace_file(const std::filesystem::path& path, std::string_view text, mode_t mode) {
  const std::string beside = path.string() + ".new";
  ::unlink(beside.c_str());
  const int fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return std::unexpected(system_error(errno, "create " + beside));
  const ssize_t written = ::write(fd, text.data(), text.size());
  const int failed = written == static_cast<ssize_t>(text.size()) ? 0 : errno;
  ::close(fd);
  if (failed != 0) return std::unexpected(system_error(failed, "write " + beside));
  if (::rename(beside.c_str(), path.c_str()) != 0)
    return std::unexpected(system_error(errno, "rename to " + path.string()));
  return {};
}

std::string subject_alternatives(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    boost::system::error_code not_an_address;
    boost::asio::ip::make_address(name, not_an_address);
    if (!text.empty()) text += ",";
    text += (not_an_address ? "DNS:" : "IP:") + name;
  }
  return text;
}

bool add_extension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  ::X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = ::X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (extension == nullptr) return false;
  const bool added = ::X509_add_ext(certificate, extension, -1) == 1;
  ::X509_EXTENSION_free(extension);
  return added;
}

Certificate self_sign(EVP_PKEY* key, const std::vector<std::string>& names) {
  Certificate certificate(::X509_new());
  X509* x = certificate.get();
  ::X509_set_version(x, 2);
  // 63 random bits: positive, and never the serial of an earlier one that a browser remembers.
  std::uint64_t serial = 0;
  for (const std::byte b : random_bytes<8>())
    serial = (serial << 8) | std::to_integer<std::uint64_t>(b);
  ::ASN1_INTEGER_set_uint64(::X509_get_serialNumber(x), serial >> 1);
  ::X509_gmtime_adj(::X509_getm_notBefore(x), -3600);
  ::X509_gmtime_adj(::X509_getm_notAfter(x), kValidSeconds);
  ::X509_set_pubkey(x, key);
  X509_NAME* subject = ::X509_get_subject_name(x);
  ::X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("Kapok demo"), -1, -1, 0);
  ::X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(names.front().c_str()), -1,
                               -1, 0);
  ::X509_set_issuer_name(x, subject);
  const bool whole = add_extension(x, NID_subject_alt_name, subject_alternatives(names)) &&
                     add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
                     add_extension(x, NID_ext_key_usage, "serverAuth") &&
                     ::X509_sign(x, key, ::EVP_sha256()) > 0;
  if (!whole) certificate.reset();
  return certificate;
}

std::string held_text(BIO* bio) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  return {text, static_cast<std::size_t>(size)};
}

}  // namespace

Result<void> make_self_signed(const TlsFiles& files, const std::vector<std::string>& names) {
  if (names.empty()) return fail(Errc::config, "a certificate needs at least one host name");
  for (const std::string& name : names)
    if (name.empty() || name.size() > 64 ||
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789.-:*") != std::string::npos)
      return fail(Errc::config, "'{}' is not a host name or an address", name);
  const Key key(EVP_EC_gen("P-256"));
  if (!key) return fail(Errc::internal, "no P-256 key could be made");
  const Certificate certificate = self_sign(key.get(), names);
  if (!certificate) return fail(Errc::internal, "the certificate could not be signed");
  const MemoryBio key_text(::BIO_new(::BIO_s_mem()));
  const MemoryBio certificate_text(::BIO_new(::BIO_s_mem()));
  if (::PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                 nullptr) != 1 ||
      ::PEM_write_bio_X509(certificate_text.get(), certificate.get()) != 1)
    return fail(Errc::internal, "the certificate could not be written as PEM");
  KAPOK_TRY(replace_file(files.key, held_text(key_text.get()), 0600));
  return replace_file(files.certificate, held_text(certificate_text.get()), 0644);
}

}  // namespace kapok::net
