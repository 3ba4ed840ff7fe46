// The bearer token of a role of the API, administrator or regulator: made at first start, kept in
// the secret store, checked in constant time. Thread-safe: immutable. [RFC 6750 2.1]
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "server/access/secret_store.hpp"
#include "server/base/crypto.hpp"
#include "server/base/result.hpp"

namespace kapok::access {

class BearerToken {
 public:
  // `name`: of its file in the store. Errors: the store's.
  static Result<BearerToken> load_or_create(const SecretStore& store, const std::string& name);

  // The value of the Authorization header: "Bearer <token>".
  bool accepts(std::string_view authorization) const;
  // Made just now: print the path (never the token) in the log, the token once on the terminal.
  bool created() const { return created_; }
  const std::filesystem::path& path() const { return path_; }
  std::string text() const { return text_; }

 private:
  std::string text_;  // 64 hex digits, as in the file
  Digest256 hash_{};
  bool created_ = false;
  std::filesystem::path path_;
};

}  // namespace kapok::access
