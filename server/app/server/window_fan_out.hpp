// Hands each event of a channel's live window to the LiveStore of every shard: one post a shard.
// Called on channels' home shards.
#pragma once

#include <boost/asio/post.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "server/picture/delivery/http/live_store.hpp"
#include "server/picture/packaging/window.hpp"

namespace kapok::app {

class WindowFanOut final : public packaging::WindowPublisher {
 public:
  struct Target {
    boost::asio::any_io_executor shard;
    delivery::LiveStore* store = nullptr;
  };
  explicit WindowFanOut(std::vector<Target> targets) : targets_(std::move(targets)) {}

  void publish(std::shared_ptr<const packaging::WindowEvent> event) override {
    for (const Target& target : targets_)
      boost::asio::post(target.shard, [store = target.store, event]() mutable {
        store->apply(std::move(event));
      });
  }

 private:
  std::vector<Target> targets_;
};

}  // namespace kapok::app
