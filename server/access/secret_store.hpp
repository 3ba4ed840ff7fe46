// The server's own secrets (session token key, publish key pepper, admin token): 32 random bytes
// each, made at first use in files of mode 0600 inside a folder of mode 0700. A file that others
// may read is refused, with the remedy. Blocking; used at start and on reload only.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"

namespace kapok::access {

constexpr std::size_t kSecretBytes = 32;

class SecretStore {
 public:
  // Makes `directory` (mode 0700) when it is missing.
  static Result<SecretStore> open(std::filesystem::path directory);

  struct Secret {
    Bytes bytes;
    bool created = false;  // made just now: tell the operator where it is
    std::filesystem::path path;
  };
  // `name` becomes the file name. Errors: config (mode too open, wrong size), io.
  Result<Secret> load_or_create(std::string_view name) const;

 private:
  explicit SecretStore(std::filesystem::path directory) : directory_(std::move(directory)) {}
  std::filesystem::path directory_;
};

// Writes a file that appears whole or not at all, with the given mode: temporary file, fsync,
// rename, fsync of the folder.
Result<void> write_secret_file(const std::filesystem::path& path, ByteSpan bytes);

}  // namespace kapok::access
