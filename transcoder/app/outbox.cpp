#include "transcoder/app/outbox.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>

namespace kapok::transcoder {

Outbox::Outbox(int socket, Beat beat)
    : socket_(socket), beat_(std::move(beat)), thread_([this] { run(); }) {}

void Outbox::close() {
  {
    const std::lock_guard lock(mutex_);
    broken_ = true;
    // A write that waits for the server ends now.
    ::shutdown(socket_, SHUT_RDWR);
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Outbox::greet(const wire::WorkerHello& hello) {
  Result<wire::Encoded> encoded = wire::encode(hello);
  if (!encoded) return;  // names of our own are short
  const std::lock_guard lock(mutex_);
  bytes_ += encoded->size();
  queue_.push_front(*std::move(encoded));
  greeted_ = true;
  changed_.notify_all();
}

void Outbox::say(const wire::FromWorker& message) {
  Result<wire::Encoded> encoded = wire::encode(message);
  if (!encoded) {
    // An encoder's packet that is too large: that rung misses it.
    encoded = wire::encode(
        wire::Notice{LogLevel::error, "worker.message_dropped", encoded.error().message});
    if (!encoded) return;
  }
  std::unique_lock lock(mutex_);
  put(lock, *std::move(encoded));
}

void Outbox::put(std::unique_lock<std::mutex>& lock, wire::Encoded message) {
  changed_.wait(lock, [&] {
    return broken_ || queue_.empty() ||
           (queue_.size() < kMaxMessages && bytes_ + message.size() <= kMaxBytes);
  });
  if (broken_) return;
  bytes_ += message.size();
  queue_.push_back(std::move(message));
  changed_.notify_all();
}

void Outbox::flush() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return broken_ || !greeted_ || (queue_.empty() && !writing_); });
}

void Outbox::run() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return broken_ || greeted_; });
  // The Hello itself is the first sign of life.
  auto next_beat = std::chrono::steady_clock::now() + kBeat;
  while (!broken_) {
    if (const auto now = std::chrono::steady_clock::now(); now >= next_beat) {
      next_beat = now + kBeat;
      lock.unlock();
      std::optional<wire::Heartbeat> beat = beat_();
      Result<wire::Encoded> encoded =
          beat ? wire::encode(*beat) : Result<wire::Encoded>(fail(Errc::timeout, "stuck"));
      const bool written = !encoded || write(*encoded);
      lock.lock();
      if (!written) break;
    }
    if (queue_.empty()) {
      changed_.wait_until(lock, next_beat);
      continue;
    }
    const wire::Encoded message = std::move(queue_.front());
    queue_.pop_front();
    bytes_ -= message.size();
    writing_ = true;
    lock.unlock();
    const bool written = write(message);
    lock.lock();
    writing_ = false;
    changed_.notify_all();
    if (!written) break;
  }
  broken_ = true;
  changed_.notify_all();
}

bool Outbox::write(const wire::Encoded& message) const {
  std::array<ByteSpan, 2> parts{message.head.bytes(), message.payload.bytes()};
  while (!parts[0].empty() || !parts[1].empty()) {
    std::array<iovec, 2> pieces{};
    for (std::size_t i = 0; i < parts.size(); ++i)
      pieces[i] = {const_cast<std::byte*>(parts[i].data()), parts[i].size()};
    msghdr header{};
    header.msg_iov = pieces.data();
    header.msg_iovlen = pieces.size();
    const ssize_t sent = ::sendmsg(socket_, &header, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    auto left = static_cast<std::size_t>(sent);
    for (ByteSpan& part : parts) {
      const std::size_t taken = std::min(left, part.size());
      part = part.subspan(taken);
      left -= taken;
    }
  }
  return true;
}

}  // namespace kapok::transcoder
