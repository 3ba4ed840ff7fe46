// What a channel asks of whoever makes its live window: the packager in the server, a recorder in
// tests. Called on the channel's home shard only. Also how a channel is told to make one.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/base/task.hpp"
#include "server/media/packet.hpp"
#include "server/picture/packaging/packager.hpp"

namespace kapok::channel {

// The semantics are those of packaging::Packager's functions of the same names.
class Rendering {
 public:
  virtual ~Rendering() = default;
  virtual Result<UtcTime> open() = 0;
  virtual void start_era(UtcTime start, std::vector<packaging::RenditionTrack> tracks) = 0;
  virtual void add_track(packaging::RenditionTrack track) = 0;
  virtual void track_away(const std::string& rendition) = 0;
  virtual void update_track(packaging::RenditionTrack track) = 0;
  virtual Result<void> append(const std::string& rendition, const media::Packet& packet) = 0;
  virtual std::optional<std::uint64_t> open_segment(const std::string& rendition) const = 0;
  virtual void add_image(media::Image image) = 0;
  virtual std::optional<UtcTime> poster() const = 0;
  virtual void set_window(microseconds window, std::uint64_t bytes) = 0;
  virtual void feed_live() = 0;
  virtual void feed_idle() = 0;
  virtual Task<> close() = 0;
};

using MakeRendering = std::function<std::unique_ptr<Rendering>(
    const packaging::PackagerOptions& options, const boost::asio::any_io_executor& home)>;

}  // namespace kapok::channel
