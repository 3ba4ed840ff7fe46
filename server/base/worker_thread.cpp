#include "server/base/worker_thread.hpp"

#include <pthread.h>

#include <utility>

namespace kapok {

WorkerThread::WorkerThread(const std::string& name, Limits limits)
    : limits_(limits), thread_([this] { run(); }) {
  ::pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
}

WorkerThread::~WorkerThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

bool WorkerThread::has_room(std::size_t bytes, Time now) const {
  if (stopping_ || jobs_.size() >= limits_.jobs) return false;
  if (bytes == 0 || bytes_ == 0) return true;
  if (bytes > limits_.bytes || bytes_ > limits_.bytes - bytes) return false;
  if (limits_.age == std::chrono::milliseconds::max()) return true;
  const Time oldest = working_since_ ? *working_since_ : jobs_.empty() ? now : jobs_.front().since;
  return now - oldest <= limits_.age;
}

bool WorkerThread::submit(Job job, std::size_t bytes) {
  const Time now = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(mutex_);
    if (!has_room(bytes, now)) return false;
    jobs_.push_back({.job = std::move(job), .bytes = bytes, .since = now});
    bytes_ += bytes;
    if (jobs_.size() > 1) return true;  // whoever made it one has woken the thread
  }
  wake_.notify_one();
  return true;
}

std::size_t WorkerThread::waiting() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

std::size_t WorkerThread::waiting_bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

void WorkerThread::run() {
  std::deque<Waiting> batch;
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    batch.swap(jobs_);
    while (!batch.empty()) {
      Waiting& next = batch.front();
      working_since_ = next.since;
      lock.unlock();
      next.job();
      next.job = nullptr;  // what it captured is released outside the lock
      lock.lock();
      bytes_ -= next.bytes;
      batch.pop_front();
    }
    working_since_.reset();
  }
}

}  // namespace kapok
