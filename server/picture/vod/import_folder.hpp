// The folder from which files may be taken into the library, and nothing outside of it: a path from
// the API is walked folder by folder, each opened inside the one before and never through a link,
// so that neither ".." nor a link nor a rename under way leads out.
#pragma once

#include <filesystem>
#include <string_view>

#include "server/base/result.hpp"
#include "server/picture/packaging/disk_file.hpp"

namespace kapok::vod {

// What tells that a file is still the one that was begun with.
struct FileIdentity {
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;
  bool operator==(const FileIdentity&) const = default;
};

struct ImportedFile {
  packaging::FileHandle handle;
  FileIdentity identity;
};

// A relative path of plain names. Errors: malformed.
Result<void> check_import_path(std::string_view path);

// Errors: unsupported (no import folder, not a file), config, malformed, not_found, denied, each
// with its remedy.
Result<ImportedFile> open_import(const std::filesystem::path& folder, std::string_view path);

}  // namespace kapok::vod
