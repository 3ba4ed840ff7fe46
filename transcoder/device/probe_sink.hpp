// A sink that keeps what an encoder made, and the first thing that libav complains of: drivers tell
// their reasons to its log only.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "transcoder/ladder/engine.hpp"

namespace kapok::device {

class ProbeSink final : public ladder::RungSink {
 public:
  void track(std::string_view, std::shared_ptr<const media::Track> made) override {
    track_ = std::move(made);
  }
  void packet(std::string_view, media::Packet packet) override {
    packets_.push_back(std::move(packet));
  }
  void image(media::Image) override {}
  void notice(LogLevel, std::string_view, std::string_view text) override {
    const std::lock_guard lock(mutex_);
    if (complaint_.empty()) complaint_ = text;
  }
  void anomaly(const media::AnomalyEvent&) override {}
  const std::shared_ptr<const media::Track>& track() const { return track_; }
  const std::vector<media::Packet>& packets() const { return packets_; }
  std::string complaint() const {
    const std::lock_guard lock(mutex_);
    return complaint_;
  }

 private:
  mutable std::mutex mutex_;  // codecs complain from their own threads
  std::shared_ptr<const media::Track> track_;
  std::vector<media::Packet> packets_;
  std::string complaint_;
};

}  // namespace kapok::device
