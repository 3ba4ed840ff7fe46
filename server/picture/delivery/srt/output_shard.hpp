// SRT output's part of one shard: the channels that are sent from here, each multiplexed once for
// all its receivers while it has any. Touched on its shard only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/base/log.hpp"
#include "server/base/task.hpp"
#include "server/media/feed_source.hpp"
#include "server/picture/delivery/srt/receiver.hpp"

namespace kapok::delivery {

class SrtOutputShard {
 public:
  SrtOutputShard(boost::asio::any_io_executor executor, media::FeedSource& source, Log log)
      : tasks(executor), executor_(executor), source_(source), log_(std::move(log)) {}

  const boost::asio::any_io_executor& executor() const { return executor_; }
  void join(std::shared_ptr<SrtReceiver> receiver);
  void leave(const SrtReceiver& receiver);
  // Ends all outputs; tasks.drain() returns when they have.
  void close();

  TaskGroup tasks;

 private:
  struct Output {
    std::string channel;
    std::vector<std::shared_ptr<SrtReceiver>> receivers;
    media::FeedSubscription* subscription = nullptr;  // while it is read
    bool ending = false;
  };
  Task<> run(std::shared_ptr<Output> output);
  // Until the subscription ends; why.
  Task<std::string> relay(std::shared_ptr<Output> output);
  static void end(Output& output);

  boost::asio::any_io_executor executor_;
  media::FeedSource& source_;
  Log log_;
  std::map<std::string, std::shared_ptr<Output>> outputs_;
  bool closed_ = false;
};

}  // namespace kapok::delivery
