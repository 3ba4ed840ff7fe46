// Hands finished items of the VOD library to every shard. Called on the library's thread.
#pragma once

#include <boost/asio/post.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/picture/delivery/http/live_store.hpp"
#include "server/picture/vod/library.hpp"

namespace kapok::app {

class ShelfFanOut final : public vod::Shelf {
 public:
  struct Target {
    boost::asio::any_io_executor shard;
    delivery::LiveStore* store = nullptr;
  };
  explicit ShelfFanOut(std::vector<Target> targets) : targets_(std::move(targets)) {}

  void put(const std::string& id, std::shared_ptr<const packaging::ClosedWindow> item) override {
    for (const Target& target : targets_)
      boost::asio::post(target.shard,
                        [store = target.store, id, item] { store->vod().put(id, item); });
  }

 private:
  std::vector<Target> targets_;
};

}  // namespace kapok::app
