// The threads of the server: one io_context and one thread for each. Made stopped, so that
// everything can be set up before the first event; run() starts them, stop() ends them once their
// work is done.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

namespace kapok::app {

class Shards {
 public:
  explicit Shards(std::size_t count);
  ~Shards();  // stop()
  Shards(const Shards&) = delete;
  Shards& operator=(const Shards&) = delete;

  std::size_t size() const { return shards_.size(); }
  boost::asio::any_io_executor executor(std::size_t index) const;
  std::vector<boost::asio::any_io_executor> executors() const;

  void run();
  // Returns once every shard has run out of work. From outside of the shards only.
  void stop();

 private:
  struct Shard {
    boost::asio::io_context context{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
        context.get_executor()};
    std::thread thread;
  };
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace kapok::app
