// A named thread for work that may block (spool writes, fsync, DNS, SQLite), with a bounded queue
// of jobs in order. Any thread may submit. Results go back by posting to the shard that asked. It
// takes all jobs that wait at once: under load one wake-up does the work of many.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace kapok {

class WorkerThread {
 public:
  // `name` is cut to 15 characters (the kernel's limit). `limit` bounds the jobs waiting,
  // and so the batch that is being worked on.
  WorkerThread(const std::string& name, std::size_t limit);
  ~WorkerThread();  // finishes what was submitted, then joins
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  using Job = std::function<void()>;
  // False when the queue is full or the thread is stopping: the caller decides what to shed.
  bool submit(Job job);
  std::size_t waiting() const;

 private:
  void run();
  // A mutex, because the point of this class is to cross from any thread to a blocking one.
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  std::size_t limit_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace kapok
