// The few file operations that the ledger stands on, each naming the file when it fails. Blocking:
// for the ledger's own thread, start-up and the offline tools.
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"

namespace kapok::ledger {

class File {
 public:
  File() = default;
  static Result<File> open_for_writing(const std::filesystem::path& path);  // created if missing
  static Result<File> open_for_reading(const std::filesystem::path& path);
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  bool is_open() const { return number_ >= 0; }
  Result<std::uint64_t> size() const;
  // All of `bytes`, or an error; then how many got there is unknown.
  Result<void> write_at(std::uint64_t offset, ByteSpan bytes) const;
  // Exactly out.size() bytes; a shorter file is malformed ("ends before").
  Result<void> read_at(std::uint64_t offset, std::span<std::byte> out) const;
  Result<void> sync() const;  // fdatasync
  Result<void> truncate(std::uint64_t size) const;
  bool try_lock() const;  // until closed; false: another process holds it
  const std::filesystem::path& path() const { return path_; }

 private:
  File(int number, std::filesystem::path path) : number_(number), path_(std::move(path)) {}
  int number_ = -1;
  std::filesystem::path path_;
};

// Appears whole or not at all, also after a power loss: temporary file, fsync, rename, fsync of the
// folder.
Result<void> replace_file(const std::filesystem::path& path, ByteSpan bytes, mode_t mode);
Result<Bytes> read_small_file(const std::filesystem::path& path, std::size_t limit);
Result<void> sync_folder(const std::filesystem::path& path);

}  // namespace kapok::ledger
