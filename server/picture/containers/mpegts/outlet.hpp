// Where the lanes of one demuxer put what they made, and the counters and notices they share.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/media/feed.hpp"
#include "server/picture/containers/mpegts/stats.hpp"

namespace kapok::mpegts {

constexpr std::size_t kMaxNotices = 32;

struct Outlet {
  std::vector<media::FeedItem>* items = nullptr;  // of the push in progress
  MonoTime arrival;
  TsStats stats;

  void give(std::shared_ptr<const media::Track> track) { items->emplace_back(std::move(track)); }
  void give(media::Packet packet) {
    items->emplace_back(std::make_shared<const media::Packet>(std::move(packet)));
  }
  void note(std::string what) {
    if (noted_.size() >= kMaxNotices || std::ranges::find(noted_, what) != noted_.end()) return;
    noted_.push_back(what);
    notices_.push_back(std::move(what));
  }
  std::vector<std::string> take_notices() { return std::exchange(notices_, {}); }

 private:
  std::vector<std::string> notices_;
  std::vector<std::string> noted_;
};

}  // namespace kapok::mpegts
