#include "server/picture/channel/worker_child_test.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/picture/wire/reader.hpp"
#include "server/picture/wire/writer.hpp"

namespace kapok::channel {
namespace {

class Child {
 public:
  explicit Child(std::string_view how) : how_(how) {}

  int run() {
    if (how_ == "garbage") {
      const Bytes noise(4096, std::byte{0x5a});
      write_all(noise);
      return wait_for_end();
    }
    if (how_ == "mute") return wait_for_end();
    if (how_ == "unable") {
      say(wire::WorkerHello{wire::kVersion, "test", ""});
      say(wire::Notice{LogLevel::error, "worker.cannot_begin", "device nvidia: no driver"});
      return 1;
    }
    say(wire::WorkerHello{wire::kVersion, "test", how_});
    if (how_ == "silent" || how_ == "deaf") return wait_for_end();
    while (how_ == "flood") say(wire::Notice{LogLevel::info, "test.flood", std::string(500, 'x')});
    wire::Reader<wire::ToWorker> reader;
    while (true) {
      pollfd there{ChildProcess::kSocket, POLLIN, 0};
      const bool quiet = ::poll(&there, 1, 20) <= 0;
      // Also with a long queue to read: silence would be taken for a hang.
      if (const auto now = std::chrono::steady_clock::now(); now - told_ >= milliseconds(20)) {
        told_ = now;
        say(wire::Heartbeat{
            .decoded = packets_, .rungs = {}, .device = packets_ == 0 ? "" : "nvidia:1"});
      }
      if (quiet) continue;
      const auto room = reader.room();
      const ssize_t size = ::read(ChildProcess::kSocket, room.data(), room.size());
      if (size <= 0) return 0;
      std::vector<wire::ToWorker> messages;
      if (!reader.filled(static_cast<std::size_t>(size), messages)) return 3;
      for (wire::ToWorker& message : messages)
        if (const int status = take(message); status >= 0) return status;
    }
  }

 private:
  // An exit status, or -1: go on.
  int take(wire::ToWorker& message) {
    if (auto* ladder = std::get_if<media::Ladder>(&message)) ladder_ = std::move(*ladder);
    if (auto* track = std::get_if<wire::SourceTrack>(&message))
      for (const std::string& rung : rungs_of(*track->track))
        say(wire::RungTrack{rung, track->track});
    if (std::holds_alternative<wire::Discontinuity>(message)) {
      made_of_.clear();
      sounds_ = 0;
      say(wire::Notice{LogLevel::info, "test.discontinuity", "seen"});
    }
    if (auto* packet = std::get_if<wire::SourcePacket>(&message)) {
      if (how_ == "crash") return 7;
      if (how_ == "finder" && !made_of_[packet->packet.track].empty())
        find(media::to_microseconds(packet->packet.pts, 90'000));
      ++packets_;
      packet->packet.sync = packet->segment_start;
      for (const std::string& rung : made_of_[packet->packet.track])
        say(wire::RungPacket{rung, packet->packet});
      if (packet->segment_start) {
        media::Image image{.kind = media::ImageKind::thumbnail,
                           .pts = packet->packet.pts,
                           .timescale = 90'000,
                           .width = 320,
                           .height = 180,
                           .jpeg = Buffer::copy_of("\xff\xd8\xff a picture \xff\xd9")};
        if (ladder_.thumbnails.enabled) say(image);
        image.kind = media::ImageKind::poster;
        if (ladder_.poster.enabled) say(std::move(image));
      }
    }
    if (std::holds_alternative<wire::Drain>(message) && how_ != "stubborn") {
      say(wire::Drained{});
      return 0;
    }
    return -1;
  }
  const std::vector<std::string>& rungs_of(const media::Track& track) {
    const auto [rungs, fresh] = made_of_.try_emplace(track.id);
    if (!fresh) return rungs->second;
    if (track.kind == media::TrackKind::video) {
      for (const media::VideoRung& rung : ladder_.video) rungs->second.push_back(rung.name);
      return rungs->second;
    }
    for (const media::AudioRung& rung : ladder_.audio)
      if (rung.source == sounds_) rungs->second.push_back(rung.name);
    ++sounds_;
    return rungs->second;
  }
  // Black from the first picture on, told after a second, and then a lie.
  void find(microseconds at) {
    if (!first_) first_ = at;
    if (at < *first_ + seconds(1) || std::exchange(found_, true)) return;
    say(media::AnomalyEvent{media::Anomaly::black, media::AnomalyState::begun, *first_, at});
    say(media::AnomalyEvent{media::Anomaly::frozen, media::AnomalyState::begun,
                            *first_ - std::chrono::hours(1), at});
  }
  static int wait_for_end() {
    pollfd there{ChildProcess::kSocket, 0, 0};  // POLLHUP only
    ::poll(&there, 1, -1);
    return 0;
  }
  static void write_all(ByteSpan bytes) {
    while (!bytes.empty()) {
      const ssize_t size = ::send(ChildProcess::kSocket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) ::_exit(4);
      bytes = bytes.subspan(static_cast<std::size_t>(size));
    }
  }
  static void say(const wire::FromWorker& message) {
    const auto encoded = wire::encode(message);
    if (!encoded) ::_exit(5);
    write_all(encoded->head.bytes());
    write_all(encoded->payload.bytes());
  }

  std::string how_;
  media::Ladder ladder_;
  std::map<media::TrackId, std::vector<std::string>> made_of_;
  std::size_t sounds_ = 0;
  std::uint64_t packets_ = 0;
  std::chrono::steady_clock::time_point told_;
  std::optional<microseconds> first_;
  bool found_ = false;
};

// Before gtest's main; glibc hands constructors the arguments too.
__attribute__((constructor)) void run_as_child(int count, char** arguments) {
  constexpr std::string_view kOption = "--child=";
  if (count < 2 || !std::string_view(arguments[1]).starts_with(kOption)) return;
  ::_exit(Child(std::string_view(arguments[1]).substr(kOption.size())).run());
}

}  // namespace
}  // namespace kapok::channel
