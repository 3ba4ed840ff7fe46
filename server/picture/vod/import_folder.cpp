#include "server/picture/vod/import_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <string>

namespace kapok::vod {

namespace {

constexpr std::size_t kMaxPathBytes = 1024;
constexpr std::size_t kMaxDepth = 16;

std::string_view take_name(std::string_view& path) {
  const std::size_t end = std::min(path.find('/'), path.size());
  const std::string_view name = path.substr(0, end);
  path.remove_prefix(std::min(end + 1, path.size()));
  return name;
}

std::unexpected<Error> cannot_open(int number, std::string_view name) {
  switch (number) {
    case ENOENT:
      return fail(Errc::not_found, "there is no '{}' below the import folder (vod.import)", name);
    case ELOOP:
    case ENOTDIR:
      return fail(Errc::denied, "'{}' is a link or no folder: put the file itself below vod.import",
                  name);
    case EACCES:
      return fail(Errc::denied, "the server's user may not read '{}'", name);
    default:
      return std::unexpected(system_error(number, name));
  }
}

}  // namespace

Result<void> check_import_path(std::string_view path) {
  if (path.empty() || path.size() > kMaxPathBytes || path.ends_with('/'))
    return fail(Errc::malformed, "file: a relative path of 1 to {} bytes", kMaxPathBytes);
  std::size_t depth = 0;
  while (!path.empty()) {
    const std::string_view name = take_name(path);
    const bool plain =
        !name.empty() && name != "." && name != ".." && std::ranges::none_of(name, [](char c) {
          return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
        });
    if (!plain || ++depth > kMaxDepth)
      return fail(Errc::malformed, "file: plain names below the import folder, without '..'");
  }
  return {};
}

Result<ImportedFile> open_import(const std::filesystem::path& folder, std::string_view path) {
  KAPOK_TRY(check_import_path(path));
  if (folder.empty())
    return fail(Errc::unsupported,
                "no import folder is configured: set vod.import to the folder that files are put "
                "into");
  packaging::FileHandle at(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!at.is_open())
    return fail(Errc::config, "vod.import: {}", system_error(errno, folder.string()).message);
  while (true) {
    const std::string name(take_name(path));
    const bool last = path.empty();
    // A pipe must not hold us.
    const int flags = last ? O_RDONLY | O_NONBLOCK : O_PATH | O_DIRECTORY;
    packaging::FileHandle next(::openat(at.get(), name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
    if (!next.is_open()) return cannot_open(errno, name);
    at = std::move(next);
    if (last) break;
  }
  struct stat status{};
  if (::fstat(at.get(), &status) != 0) return std::unexpected(system_error(errno, "stat"));
  if (!S_ISREG(status.st_mode))
    return fail(Errc::unsupported, "that is a folder or device, no file");
  if (status.st_size == 0)
    return fail(Errc::unsupported, "the file is empty: wait until it has been copied");
  constexpr std::int64_t kNanoseconds = 1'000'000'000;
  return ImportedFile{std::move(at),
                      {static_cast<std::uint64_t>(status.st_size),
                       status.st_mtim.tv_sec * kNanoseconds + status.st_mtim.tv_nsec}};
}

}  // namespace kapok::vod
