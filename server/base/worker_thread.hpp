// A named thread for work that may block (spool writes, fsync, DNS, SQLite), with a bounded queue
// of jobs in order. Any thread may submit. Results go back by posting to the shard that asked. It
// takes all jobs that wait at once: under load one wake-up does the work of many.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace kapok {

class WorkerThread {
 public:
  // What may wait. `bytes` and `age` are for jobs that hold bytes: a disk that stands still must
  // not fill memory, nor get what nobody wants any more.
  struct Limits {
    std::size_t jobs = 0;
    std::size_t bytes = SIZE_MAX;  // those of the batch that is being worked on too
    std::chrono::milliseconds age =
        std::chrono::milliseconds::max();  // of the oldest that is not done
  };
  // `name` is cut to 15 characters (the kernel's limit).
  WorkerThread(const std::string& name, Limits limits);
  WorkerThread(const std::string& name, std::size_t jobs) : WorkerThread(name, Limits{jobs}) {}
  ~WorkerThread();  // finishes what was submitted, then joins
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  using Job = std::function<void()>;
  // False when the queue is full or the thread is stopping: the caller decides what to shed.
  // `bytes`: what the job holds until it is done; one that holds more than the limit is taken
  // alone.
  bool submit(Job job, std::size_t bytes = 0);
  std::size_t waiting() const;
  std::size_t waiting_bytes() const;

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Waiting {
    Job job;
    std::size_t bytes = 0;
    Time since;
  };
  bool has_room(std::size_t bytes, Time now) const;
  void run();
  // A mutex, because the point of this class is to cross from any thread to a blocking one.
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Waiting> jobs_;
  const Limits limits_;
  std::size_t bytes_ = 0;
  std::optional<Time> working_since_;  // when the oldest of the batch was submitted
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace kapok
