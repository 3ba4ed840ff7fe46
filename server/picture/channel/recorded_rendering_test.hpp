// Tests only: a rendering that writes down what it was asked for.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/picture/channel/rendering.hpp"

namespace kapok::channel {

struct RenderingRecord {
  struct Era {
    UtcTime start;
    std::vector<packaging::RenditionTrack> tracks;
  };
  struct Appended {
    std::string rendition;
    media::Packet packet;
    std::size_t era = 0;  // index into eras
  };
  UtcTime recovered_end{};
  std::vector<Era> eras;
  std::vector<packaging::RenditionTrack> added;
  std::vector<packaging::RenditionTrack> updated;
  std::vector<std::string> away;
  std::vector<media::Image> images;
  std::vector<Appended> packets;
  int lives = 0;
  int idles = 0;
  std::map<std::string, std::uint64_t> open_segments;
  bool closed = false;
  microseconds window{0};
  std::uint64_t window_bytes = 0;

  std::vector<Appended> of(const std::string& rendition) const {
    std::vector<Appended> found;
    for (const Appended& one : packets)
      if (one.rendition == rendition) found.push_back(one);
    return found;
  }
};

class RecordedRendering final : public Rendering {
 public:
  explicit RecordedRendering(std::shared_ptr<RenderingRecord> record)
      : record_(std::move(record)) {}
  Result<UtcTime> open() override { return record_->recovered_end; }
  void start_era(UtcTime start, std::vector<packaging::RenditionTrack> tracks) override {
    record_->eras.push_back({start, std::move(tracks)});
  }
  void add_track(packaging::RenditionTrack track) override {
    record_->added.push_back(std::move(track));
  }
  void track_away(const std::string& rendition) override { record_->away.push_back(rendition); }
  void update_track(packaging::RenditionTrack track) override {
    record_->updated.push_back(std::move(track));
  }
  Result<void> append(const std::string& rendition, const media::Packet& packet) override {
    record_->packets.push_back({rendition, packet, record_->eras.size() - 1});
    return {};
  }
  std::optional<std::uint64_t> open_segment(const std::string& rendition) const override {
    const auto found = record_->open_segments.find(rendition);
    if (found == record_->open_segments.end()) return std::nullopt;
    return found->second;
  }
  void add_image(media::Image image) override { record_->images.push_back(std::move(image)); }
  std::optional<UtcTime> poster() const override { return std::nullopt; }
  void set_window(microseconds window, std::uint64_t bytes) override {
    record_->window = window;
    record_->window_bytes = bytes;
  }
  void feed_live() override { ++record_->lives; }
  void feed_idle() override { ++record_->idles; }
  Task<> close() override {
    record_->closed = true;
    co_return;
  }

 private:
  std::shared_ptr<RenderingRecord> record_;
};

}  // namespace kapok::channel
