#include "server/access/secret_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <utility>

#include "server/base/crypto.hpp"
#include "server/base/ids.hpp"

namespace kapok::access {

namespace {

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int get() const { return number_; }

 private:
  int number_;
};

std::unexpected<Error> io_failure(std::string_view what, const std::filesystem::path& path) {
  return std::unexpected(system_error(errno, fmt::format("{} {}", what, path.string())));
}

// As hex: an operator can read, copy and rotate it with an editor.
constexpr std::size_t kFileBytes = kSecretBytes * 2;

}  // namespace

Result<void> write_secret_file(const std::filesystem::path& path, ByteSpan bytes) {
  std::filesystem::path partial = path;
  partial += ".new";
  {
    const Descriptor file(
        ::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.get() < 0) return io_failure("create", partial);
    if (::fchmod(file.get(), 0600) != 0) return io_failure("set the mode of", partial);
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 || static_cast<std::size_t>(written) != bytes.size())
      return io_failure("write", partial);
    if (::fsync(file.get()) != 0) return io_failure("sync", partial);
  }
  if (::rename(partial.c_str(), path.c_str()) != 0) return io_failure("rename to", path);
  const Descriptor folder(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || ::fsync(folder.get()) != 0) return io_failure("sync", path.parent_path());
  return {};
}

Result<SecretStore> SecretStore::open(std::filesystem::path directory) {
  std::error_code failed;
  std::filesystem::create_directories(directory.parent_path(), failed);
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    return io_failure("create folder", directory);
  return SecretStore(std::move(directory));
}

Result<SecretStore::Secret> SecretStore::load_or_create(std::string_view name) const {
  assert(is_valid_id(name));
  const std::filesystem::path path = directory_ / name;
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() < 0) {
    if (errno != ENOENT) return io_failure("open", path);
    const auto secret = random_bytes<kSecretBytes>();
    KAPOK_TRY(write_secret_file(path, as_bytes(to_hex(secret) + "\n")));
    return Secret{Bytes(secret.begin(), secret.end()), true, path};
  }
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return io_failure("look at", path);
  if ((status.st_mode & 0077) != 0)
    return fail(Errc::config, "{} can be read by others; run: chmod 600 {}", path.string(),
                path.string());
  char text[kFileBytes + 2] = {};
  const ssize_t size = ::read(file.get(), text, sizeof text);
  if (size < 0) return io_failure("read", path);
  std::string_view hex(text, static_cast<std::size_t>(size));
  if (hex.ends_with('\n')) hex.remove_suffix(1);
  std::optional<Bytes> secret = from_hex(hex);
  if (!secret || secret->size() != kSecretBytes)
    return fail(Errc::config,
                "{} is not a secret of {} hex digits; restore it, or remove it to have a new one "
                "made (what was signed with the old one is then refused)",
                path.string(), kFileBytes);
  return Secret{*std::move(secret), false, path};
}

}  // namespace kapok::access
