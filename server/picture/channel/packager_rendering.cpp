#include "server/picture/channel/packager_rendering.hpp"

#include <utility>

namespace kapok::channel {
namespace {

class PackagerRendering final : public Rendering {
 public:
  PackagerRendering(packaging::PackagerOptions options, packaging::PackagerServices services)
      : packager_(std::move(options), std::move(services)) {}

  Result<UtcTime> open() override { return packager_.open(); }
  void start_era(UtcTime start, std::vector<packaging::RenditionTrack> tracks) override {
    packager_.start_era(start, std::move(tracks));
  }
  void add_track(packaging::RenditionTrack track) override {
    packager_.add_track(std::move(track));
  }
  void track_away(const std::string& rendition) override { packager_.track_away(rendition); }
  void update_track(packaging::RenditionTrack track) override {
    packager_.update_track(std::move(track));
  }
  Result<void> append(const std::string& rendition, const media::Packet& packet) override {
    return packager_.append(rendition, packet);
  }
  std::optional<std::uint64_t> open_segment(const std::string& rendition) const override {
    return packager_.open_segment(rendition);
  }
  void add_image(media::Image image) override { packager_.add_image(std::move(image)); }
  std::optional<UtcTime> poster() const override { return packager_.poster(); }
  void set_window(microseconds window, std::uint64_t bytes) override {
    packager_.set_window(window, bytes);
  }
  void feed_live() override { packager_.feed_live(); }
  void feed_idle() override { packager_.feed_idle(); }
  Task<> close() override { return packager_.close(); }

 private:
  packaging::Packager packager_;
};

}  // namespace

std::unique_ptr<Rendering> make_packager_rendering(packaging::PackagerOptions options,
                                                   packaging::PackagerServices services) {
  return std::make_unique<PackagerRendering>(std::move(options), std::move(services));
}

}  // namespace kapok::channel
