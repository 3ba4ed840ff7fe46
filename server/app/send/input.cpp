#include "server/app/send/input.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace kapok::send_app {

namespace {

constexpr std::size_t kReadBytes = std::size_t{64} * 1024;
// Beyond the latency, so that the link is never without work while the disk is slow.
constexpr seconds kAhead{1};

}  // namespace

Result<std::unique_ptr<Input>> Input::open(const Options& options) {
  const int file = options.input == "-" ? ::dup(STDIN_FILENO)
                                        : ::open(options.input.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::unexpected(system_error(errno, "open " + options.input));
  const int wake = ::eventfd(0, EFD_CLOEXEC);
  if (wake < 0) return std::unexpected(system_error(errno, "eventfd"));
  return std::unique_ptr<Input>(new Input(options, file, wake));
}

Input::Input(const Options& options, int file, int wake)
    : pace_(options.pace),
      loop_(options.loop),
      hold_(options.latency + kAhead),
      opened_at_(SystemClock().mono()),
      file_(file),
      wake_(wake),
      thread_([this] { run(); }) {}

Input::~Input() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  room_.notify_all();
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
  thread_.join();
  ::close(file_);
  ::close(wake_);
}

void Input::run() {
  TsMessages messages(pace_);
  std::vector<TsMessage> fresh;
  while (true) {
    const auto more = read_some(messages, fresh);
    const bool wanted = put(fresh);
    if (more && *more && wanted) continue;
    const std::scoped_lock lock(mutex_);
    if (!more) error_ = more.error();
    finished_ = true;
    return;
  }
}

// False: the end.
Result<bool> Input::read_some(TsMessages& messages, std::vector<TsMessage>& out) {
  std::array<pollfd, 2> wait{pollfd{file_, POLLIN, 0}, pollfd{wake_, POLLIN, 0}};
  if (::poll(wait.data(), wait.size(), -1) < 0 && errno != EINTR)
    return std::unexpected(system_error(errno, "poll"));
  if (wait[1].revents != 0) return false;
  std::array<std::byte, kReadBytes> bytes;
  const ssize_t got = ::read(file_, bytes.data(), bytes.size());
  if (got < 0) {
    if (errno == EINTR || errno == EAGAIN) return true;
    return std::unexpected(system_error(errno, "read the input"));
  }
  if (got > 0) {
    KAPOK_TRY(messages.push(ByteSpan(bytes).first(static_cast<std::size_t>(got)), out));
  } else {
    messages.finish(out);
    if (!loop_) return false;
    if (::lseek(file_, 0, SEEK_SET) < 0)
      return std::unexpected(system_error(errno, "go back to the beginning of the input"));
  }
  if (pace_ == Pace::arrival)
    for (TsMessage& message : out) message.due = SystemClock().mono() - opened_at_;
  return true;
}

// False: nobody wants more.
bool Input::put(std::vector<TsMessage>& messages) {
  for (TsMessage& message : messages) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] {
      return stopping_ || held_.empty() ||
             (held_bytes_ < kMaxHeldBytes && message.due - held_.front().due <= hold_);
    });
    if (stopping_) return false;
    held_bytes_ += message.bytes.size();
    held_.push_back(std::move(message));
  }
  messages.clear();
  return true;
}

std::optional<nanoseconds> Input::next_due() const {
  const std::scoped_lock lock(mutex_);
  if (held_.empty()) return std::nullopt;
  return held_.front().due;
}

TsMessage Input::pop() {
  const std::scoped_lock lock(mutex_);
  TsMessage message = std::move(held_.front());
  held_.pop_front();
  held_bytes_ -= message.bytes.size();
  room_.notify_one();
  return message;
}

nanoseconds Input::held() const {
  const std::scoped_lock lock(mutex_);
  return held_.empty() ? nanoseconds(0) : held_.back().due - held_.front().due;
}

bool Input::ended() const {
  const std::scoped_lock lock(mutex_);
  return finished_ && held_.empty();
}

std::optional<Error> Input::error() const {
  const std::scoped_lock lock(mutex_);
  return error_;
}

}  // namespace kapok::send_app
