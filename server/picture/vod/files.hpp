// Small files that are replaced as a whole, and bytes at a place. Blocking.
#pragma once

#include <filesystem>
#include <span>

#include "server/base/bytes.hpp"
#include "server/picture/packaging/disk_file.hpp"

namespace kapok::vod {

// Errors: io, limit.
Result<Bytes> read_small_file(const std::filesystem::path& path, std::size_t limit);
// Written beside it, synced and renamed: whoever looks finds the old file or the whole new one.
// Errors: io, full.
Result<packaging::FileHandle> replace_file(const std::filesystem::path& path, ByteSpan bytes);
Result<void> write_at(int descriptor, std::uint64_t offset, std::span<const ByteSpan> parts);

}  // namespace kapok::vod
