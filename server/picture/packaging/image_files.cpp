#include "server/picture/packaging/image_files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "server/base/crypto.hpp"
#include "server/picture/packaging/disk_file.hpp"

namespace kapok::packaging {

namespace {

namespace fs = std::filesystem;

std::shared_ptr<const Poster> poster_of(Buffer jpeg, UtcTime taken) {
  auto poster = std::make_shared<Poster>();
  constexpr std::size_t kTagBytes = 8;
  poster->etag = fmt::format("\"{}\"", to_hex(ByteSpan(sha256(jpeg.bytes())).first(kTagBytes)));
  poster->jpeg = std::move(jpeg);
  poster->taken = taken;
  return poster;
}

// "895-320x180.jpg", as path_below() writes it.
std::optional<Thumbnail> thumbnail_named(std::string_view name) {
  Thumbnail thumbnail;
  const auto number = [&](auto& value, std::string_view after) {
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), value);
    if (error != std::errc()) return false;
    name.remove_prefix(static_cast<std::size_t>(end - name.data()));
    if (!name.starts_with(after)) return false;
    name.remove_prefix(after.size());
    return true;
  };
  if (!number(thumbnail.number, "-") || !number(thumbnail.width, "x") ||
      !number(thumbnail.height, ".jpg") || !name.empty())
    return std::nullopt;
  return thumbnail;
}

UtcTime written_at(const fs::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};
  return UtcTime(seconds(status.st_mtim.tv_sec));
}

}  // namespace

fs::path path_below(const fs::path& directory, const Thumbnail& thumbnail) {
  return directory / "thumbnails" /
         fmt::format("{}-{}x{}.jpg", thumbnail.number, thumbnail.width, thumbnail.height);
}

ImageFiles::Recovery ImageFiles::recover(const std::function<bool(std::uint64_t number)>& kept) {
  Recovery recovery;
  const fs::path poster = directory_ / "poster.jpg";
  if (auto bytes = read_file(poster, media::kMaxImageBytes); bytes && !bytes->empty())
    recovery.poster = poster_of(Buffer(*std::move(bytes)), written_at(poster));
  std::error_code error;
  for (const auto& file : fs::directory_iterator(directory_ / "thumbnails", error)) {
    const auto found = thumbnail_named(file.path().filename().string());
    std::error_code unreadable;
    const std::uint64_t size = file.file_size(unreadable);
    if (!found || unreadable || size == 0 || !kept(found->number)) {
      if (::unlink(file.path().c_str()) == 0) ++recovery.orphans;
      continue;
    }
    Thumbnail thumbnail = *found;
    thumbnail.size = size;
    thumbnail.file = std::make_shared<DiskFile>(file.path());
    thumbnails_[thumbnail.number] = file.path();
    recovery.thumbnails.push_back(std::move(thumbnail));
  }
  std::ranges::sort(recovery.thumbnails, {}, &Thumbnail::number);
  return recovery;
}

Result<std::shared_ptr<const Poster>> ImageFiles::write_poster(const media::Image& image) {
  KAPOK_TRY(replace_file(directory_ / "poster.jpg", image.jpeg.bytes()));
  return poster_of(image.jpeg, UtcTime(media::to_microseconds(image.pts, image.timescale)));
}

Result<Thumbnail> ImageFiles::write_thumbnail(std::uint64_t number, const media::Image& image) {
  Thumbnail thumbnail{
      .number = number, .width = image.width, .height = image.height, .size = image.jpeg.size()};
  std::error_code error;
  fs::create_directories(directory_ / "thumbnails", error);
  if (error) return fail(Errc::io, "create folder for thumbnails: {}", error.message());
  const fs::path path = path_below(directory_, thumbnail);
  KAPOK_TRY(replace_file(path, image.jpeg.bytes()));
  thumbnails_[number] = path;
  thumbnail.file = std::make_shared<DiskFile>(path);
  return thumbnail;
}

std::uint64_t ImageFiles::poster_bytes() const {
  std::error_code none;
  const std::uint64_t bytes = fs::file_size(directory_ / "poster.jpg", none);
  return none ? 0 : bytes;
}

void ImageFiles::remove_poster() {
  ::unlink((directory_ / "poster.jpg").c_str());
}

void ImageFiles::unlink_before(std::uint64_t number) {
  while (!thumbnails_.empty() && thumbnails_.begin()->first < number) {
    ::unlink(thumbnails_.begin()->second.c_str());
    thumbnails_.erase(thumbnails_.begin());
  }
}

}  // namespace kapok::packaging
