// The SpoolFile on disk. Opened on first use (or handed the writer's descriptor), mapped in
// stretches that only ever grow, both kept until the object dies. Any thread may call.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <filesystem>
#include <mutex>
#include <vector>

#include "server/picture/packaging/spool_file.hpp"

namespace kapok::packaging {

// A descriptor that closes itself.
class FileHandle {
 public:
  FileHandle() = default;
  explicit FileHandle(int descriptor) : descriptor_(descriptor) {}
  FileHandle(FileHandle&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileHandle& operator=(FileHandle&& other) noexcept;
  ~FileHandle();
  int get() const { return descriptor_; }
  bool is_open() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

Result<Bytes> read_file(const std::filesystem::path& path, std::size_t limit);
// Written beside it and renamed: whoever looks finds the old file or the whole new one, which stays
// open. Errors: full, io.
Result<FileHandle> replace_file(const std::filesystem::path& path, ByteSpan bytes);
// The same, and whole even after a power cut.
Result<FileHandle> replace_file_synced(const std::filesystem::path& path, ByteSpan bytes);
Result<void> write_all(int descriptor, std::vector<iovec> vectors, std::uint64_t offset);
iovec vector_of(ByteSpan bytes);

class DiskFile final : public SpoolFile {
 public:
  explicit DiskFile(std::filesystem::path path) : path_(std::move(path)) {}
  DiskFile(std::filesystem::path path, FileHandle open)
      : path_(std::move(path)), file_(std::move(open)) {}
  ~DiskFile() override;

  Result<int> descriptor() const override;
  Result<ByteSpan> mapped(std::uint64_t offset, std::uint64_t size) const override;
  const std::filesystem::path& path() const { return path_; }

 private:
  Result<int> open_locked() const;

  struct Mapping {
    void* at = nullptr;
    std::uint64_t size = 0;
  };
  std::filesystem::path path_;
  // All shards share one object per file, so that it is opened and mapped once, not once a shard.
  mutable std::mutex mutex_;
  mutable FileHandle file_;
  mutable std::vector<Mapping> mappings_;  // from offset 0, each longer than the one before
};

}  // namespace kapok::packaging
