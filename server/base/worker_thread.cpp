#include "server/base/worker_thread.hpp"

#include <pthread.h>

#include <utility>

namespace kapok {

WorkerThread::WorkerThread(const std::string& name, std::size_t limit)
    : limit_(limit), thread_([this] { run(); }) {
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

bool WorkerThread::submit(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || jobs_.size() >= limit_) return false;
    jobs_.push_back(std::move(job));
    if (jobs_.size() > 1) return true;  // whoever made it one has woken the thread
  }
  wake_.notify_one();
  return true;
}

std::size_t WorkerThread::waiting() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

void WorkerThread::run() {
  std::deque<Job> batch;
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    batch.swap(jobs_);
    lock.unlock();
    for (Job& job : batch) {
      job();
      job = nullptr;  // what it captured is released outside the lock
    }
    batch.clear();
    lock.lock();
  }
}

}  // namespace kapok
