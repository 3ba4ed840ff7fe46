#include "server/app/server/shards.hpp"

#include <fmt/format.h>
#include <pthread.h>

namespace kapok::app {

Shards::Shards(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) shards_.push_back(std::make_unique<Shard>());
}

Shards::~Shards() {
  stop();
}

boost::asio::any_io_executor Shards::executor(std::size_t index) const {
  return shards_.at(index)->context.get_executor();
}

std::vector<boost::asio::any_io_executor> Shards::executors() const {
  std::vector<boost::asio::any_io_executor> all;
  for (const auto& shard : shards_) all.emplace_back(shard->context.get_executor());
  return all;
}

void Shards::run() {
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    Shard& shard = *shards_[i];
    shard.thread = std::thread([&shard] { shard.context.run(); });
    ::pthread_setname_np(shard.thread.native_handle(), fmt::format("shard{}", i).c_str());
  }
}

void Shards::stop() {
  for (const auto& shard : shards_) shard->work.reset();
  for (const auto& shard : shards_)
    if (shard->thread.joinable()) shard->thread.join();
}

}  // namespace kapok::app
