// The server's TLS side: TLS 1.2 and 1.3, ECDHE with AEAD only, no renegotiation, session tickets,
// ALPN as the caller lists it. A certificate can be replaced while connections run: reload() reads
// the files again, connections made from then on get the new one, older ones keep theirs.
// All members may be called from any thread.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/base/result.hpp"
#include "server/net/ticket_keys.hpp"

namespace kapok::net {

struct TlsFiles {
  std::filesystem::path certificate;  // PEM, the chain, our own certificate first
  std::filesystem::path key;          // PEM
};

class TlsContext {
 public:
  // `alpn` in order of preference ("h2", "http/1.1"); empty: the extension is not answered.
  // Errors: config, naming the file, the cause and the remedy.
  static Result<std::shared_ptr<TlsContext>> load(TlsFiles files, std::vector<std::string> alpn);

  // On an error the context in use stays.
  Result<void> reload();
  // For one new connection; take it anew for each, so that a reload is seen.
  std::shared_ptr<boost::asio::ssl::context> current() const;

 private:
  TlsContext(TlsFiles files, std::vector<std::string> alpn) noexcept;

  TlsFiles files_;
  std::vector<std::string> alpn_;
  std::shared_ptr<TicketKeys> ticket_keys_ = std::make_shared<TicketKeys>();
  // A mutex and not std::atomic<shared_ptr>, whose libstdc++ 12 version races with itself; it is
  // held for a pointer copy, once a connection.
  mutable std::mutex mutex_;
  std::shared_ptr<boost::asio::ssl::context> current_;
};

// For the demo and for tests: an ECDSA P-256 certificate for these DNS names and IP addresses,
// valid for a year, the key file with mode 0600. Existing files are replaced whole or not at all.
Result<void> make_self_signed(const TlsFiles& files, const std::vector<std::string>& names);

}  // namespace kapok::net
