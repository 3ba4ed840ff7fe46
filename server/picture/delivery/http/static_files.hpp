// The web pages of player/dist, read into memory at start: what is not in that list cannot be
// reached by any URL. Assets have a hash in their name and never change; pages are revalidated by
// ETag. Files made beside them by the build (.br, .gz) are sent to whoever takes them.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "server/base/buffer.hpp"
#include "server/base/result.hpp"
#include "server/picture/delivery/http/reply.hpp"

namespace kapok::delivery {

class StaticFiles {
 public:
  // Errors: config, the folder is missing or too large, with the remedy.
  static Result<std::shared_ptr<StaticFiles>> load(std::filesystem::path folder);
  // Reads the folder again; on an error what was loaded stays. Any thread.
  Result<void> reload();

  struct Wants {
    std::string_view accept_encoding;
    std::string_view if_none_match;
  };
  // "/", "/watch/...", "/console/..." and "/report/..." fall back to their page. nullopt: no such
  // file. Any thread.
  std::optional<BytesReply> find(std::string_view path, const Wants& wants) const;

 private:
  struct File {
    std::string_view type;
    Caching caching;
    std::string etag;
    Buffer plain;
    Buffer gzip;    // empty: none
    Buffer brotli;  // empty: none
  };
  using Files = std::map<std::string, File, std::less<>>;
  static Result<std::shared_ptr<const Files>> read_folder(const std::filesystem::path& folder);

  explicit StaticFiles(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::filesystem::path folder_;
  // A mutex, because reload comes from another thread; held for a pointer copy.
  mutable std::mutex mutex_;
  std::shared_ptr<const Files> files_;
};

}  // namespace kapok::delivery
