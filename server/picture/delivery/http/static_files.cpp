#include "server/picture/delivery/http/static_files.hpp"

#include <array>
#include <fstream>
#include <iterator>
#include <utility>

#include "server/base/crypto.hpp"

namespace kapok::delivery {

namespace {

namespace fs = std::filesystem;

// A player with its fonts and pictures is below 8 MiB; more is the wrong folder.
constexpr std::uintmax_t kMaxFolderBytes = 64 * 1024 * 1024;

struct Type {
  std::string_view extension;
  std::string_view type;
};
constexpr std::array kTypes = {
    Type{".html", "text/html; charset=utf-8"},
    Type{".js", "text/javascript; charset=utf-8"},
    Type{".mjs", "text/javascript; charset=utf-8"},
    Type{".css", "text/css; charset=utf-8"},
    Type{".svg", "image/svg+xml"},
    Type{".png", "image/png"},
    Type{".jpg", "image/jpeg"},
    Type{".webp", "image/webp"},
    Type{".ico", "image/x-icon"},
    Type{".woff2", "font/woff2"},
    Type{".json", "application/json"},
    Type{".webmanifest", "application/manifest+json"},
    Type{".txt", "text/plain; charset=utf-8"},
    Type{".map", "application/json"},
    Type{".wasm", "application/wasm"},
};

// No script or style of anybody else's, nothing inline; media and workers from blobs, because
// players build them there; nobody may frame us; the token in a URL goes to nobody.
constexpr std::string_view kPageLines =
    "Content-Security-Policy: default-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n";

std::string_view type_of(const fs::path& path) {
  const std::string extension = path.extension().string();
  for (const Type& known : kTypes)
    if (known.extension == extension) return known.type;
  return "application/octet-stream";
}

std::optional<Buffer> read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  return Buffer::copy_of(text);
}

}  // namespace

Result<std::shared_ptr<StaticFiles>> StaticFiles::load(fs::path folder) {
  std::shared_ptr<StaticFiles> files(new StaticFiles(std::move(folder)));
  KAPOK_TRY(files->reload());
  return files;
}

Result<void> StaticFiles::reload() {
  auto fresh = KAPOK_TRY(read_folder(folder_));
  const std::lock_guard lock(mutex_);
  files_ = std::move(fresh);
  return {};
}

Result<std::shared_ptr<const StaticFiles::Files>> StaticFiles::read_folder(const fs::path& folder) {
  auto files = std::make_shared<Files>();
  std::error_code error;
  std::uintmax_t total = 0;
  // Symbolic links are not followed: neither out of the folder nor in circles.
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->is_symlink() || !entry->is_regular_file()) continue;
    const fs::path& path = entry->path();
    const std::string extension = path.extension().string();
    if (extension == ".gz" || extension == ".br") continue;
    total += entry->file_size();
    if (total > kMaxFolderBytes)
      return fail(Errc::config, "web folder {} holds more than {} MiB: point it at player/dist",
                  folder.string(), kMaxFolderBytes >> 20);
    const auto plain = read_file(path);
    if (!plain) return fail(Errc::config, "cannot read {}: check its rights", path.string());
    const std::string name = "/" + path.lexically_relative(folder).generic_string();
    File file;
    file.type = type_of(path);
    file.plain = *plain;
    const Digest256 hash = sha256(plain->bytes());
    // Weak: the packed forms share it.
    file.etag = "W/\"" + to_hex(ByteSpan(hash).first(12)) + "\"";
    file.caching =
        name.starts_with("/assets/")
            ? immutable_for(Caching::Scope::open)
            : Caching{.scope = Caching::Scope::revalidate, .max_age_s = 0, .immutable = false};
    if (auto packed = read_file(path.string() + ".gz")) file.gzip = *packed;
    if (auto packed = read_file(path.string() + ".br")) file.brotli = *packed;
    files->emplace(name, std::move(file));
  }
  if (error)
    return fail(Errc::config, "web folder {}: {}: build the player first (scripts/build)",
                folder.string(), error.message());
  return files;
}

std::optional<BytesReply> StaticFiles::find(std::string_view path, const Wants& wants) const {
  std::shared_ptr<const Files> files;
  {
    const std::lock_guard lock(mutex_);
    files = files_;
  }
  auto found = files->find(path);
  if (found == files->end()) {
    const auto within = [&](std::string_view place) {
      return path == place || (path.starts_with(place) && path[place.size()] == '/');
    };
    if (path == "/" || within("/watch")) found = files->find("/index.html");
    for (const std::string_view place : {"/console", "/report"}) {
      if (!within(place)) continue;
      found = files->find(std::string(place) + "/index.html");
      if (found == files->end()) found = files->find(std::string(place) + ".html");
      if (found == files->end()) found = files->find("/index.html");
    }
  }
  if (found == files->end()) return std::nullopt;
  const File& file = found->second;
  BytesReply reply;
  reply.type = file.type;
  reply.caching = file.caching;
  reply.etag = file.etag;
  reply.lines = kPageLines;
  reply.varies = !file.gzip.empty() || !file.brotli.empty();
  if (http::not_modified({wants.if_none_match, {}, {}}, {file.etag, std::nullopt})) {
    reply.status = 304;
  } else if (!file.brotli.empty() && http::accepts(wants.accept_encoding, "br")) {
    reply.body = file.brotli;
    reply.coding = "br";
  } else if (!file.gzip.empty() && http::accepts(wants.accept_encoding, "gzip")) {
    reply.body = file.gzip;
    reply.coding = "gzip";
  } else {
    reply.body = file.plain;
  }
  return reply;
}

}  // namespace kapok::delivery
