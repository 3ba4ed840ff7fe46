#include "server/picture/channel/child_process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>

// glibc 2.36 (Debian 12) forgets to say that this header is C.
extern "C" {
#include <sys/pidfd.h>
}

namespace kapok::channel {
namespace {

// Above what the child shall have: none of its descriptors lies on another's target.
constexpr int kFirstFree = 16;

// What posix_spawn does in the child before the program is loaded.
class SpawnPlan {
 public:
  SpawnPlan() {
    posix_spawn_file_actions_init(&files_);
    posix_spawnattr_init(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&files_);
    posix_spawnattr_destroy(&attributes_);
  }

  // An error number; 0: none.
  int make(int socket, int input) {
    int error = posix_spawn_file_actions_addopen(&files_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (error == 0) error = posix_spawn_file_actions_adddup2(&files_, STDERR_FILENO, STDOUT_FILENO);
    // Onto itself it clears close-on-exec.
    if (error == 0)
      error = posix_spawn_file_actions_adddup2(&files_, socket, ChildProcess::kSocket);
    if (error == 0 && input >= 0)
      error = posix_spawn_file_actions_adddup2(&files_, input, ChildProcess::kInput);
    const int last = input >= 0 ? ChildProcess::kInput : ChildProcess::kSocket;
    if (error == 0) error = posix_spawn_file_actions_addclosefrom_np(&files_, last + 1);
    // We ignore SIGPIPE, and that would be inherited. A group of its own: Ctrl-C is for us, who
    // then let the child finish.
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    if (error == 0) error = posix_spawnattr_setsigdefault(&attributes_, &all);
    if (error == 0) error = posix_spawnattr_setsigmask(&attributes_, &none);
    if (error == 0) error = posix_spawnattr_setpgroup(&attributes_, 0);
    if (error == 0)
      error = posix_spawnattr_setflags(
          &attributes_, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    return error;
  }
  const posix_spawn_file_actions_t* files() const { return &files_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t files_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

Result<ChildProcess> ChildProcess::spawn(const boost::asio::any_io_executor& shard,
                                         const ChildProgram& program) {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return std::unexpected(system_error(errno, "socketpair"));
  boost::asio::local::stream_protocol::socket ours(shard, boost::asio::local::stream_protocol(),
                                                   ends[0]);
  std::vector<std::string> words{program.path.string()};
  words.insert(words.end(), program.arguments.begin(), program.arguments.end());
  std::optional<CoreShares::Share> cores;
  if (program.cores) cores.emplace(program.cores->take());
  if (std::string list = cores ? cores->list() : ""; !list.empty()) {
    words.emplace_back("--cores");
    words.push_back(std::move(list));
  }
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  SpawnPlan plan;
  pid_t pid = 0;
  const int socket = ::fcntl(ends[1], F_DUPFD_CLOEXEC, kFirstFree);
  const int input = program.input < 0 ? -1 : ::fcntl(program.input, F_DUPFD_CLOEXEC, kFirstFree);
  int error = socket < 0 || (program.input >= 0 && input < 0) ? EMFILE : plan.make(socket, input);
  if (error == 0)
    error = ::posix_spawn(&pid, program.path.c_str(), plan.files(), plan.attributes(),
                          arguments.data(), environ);
  for (const int descriptor : {ends[1], socket, input})
    if (descriptor >= 0) ::close(descriptor);
  if (error != 0) return std::unexpected(system_error(error, "start " + program.path.string()));
  // On a machine that is short of CPU the source goes first. Threads that it makes inherit this.
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(pid), program.niceness);
  // The pid cannot be another's yet: nobody but us reaps it.
  const int watch = ::pidfd_open(pid, 0);
  if (watch < 0) {
    const int number = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return std::unexpected(system_error(number, "pidfd_open"));
  }
  return ChildProcess(pid, std::move(cores), std::move(ours),
                      boost::asio::posix::stream_descriptor(shard, watch));
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      cores_(std::move(other.cores_)),
      socket_(std::move(other.socket_)),
      watch_(std::move(other.watch_)) {}

ChildProcess::~ChildProcess() {
  if (pid_ == 0) return;
  kill();
  // A process that does not even die by SIGKILL sits in a driver; init gets it after us.
  ::waitpid(pid_, nullptr, WNOHANG);
}

void ChildProcess::kill() const {
  if (pid_ != 0) ::kill(pid_, SIGKILL);
}

std::optional<std::string> ChildProcess::reap() const {
  int status = 0;
  const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
  if (ended == 0) return std::nullopt;
  if (ended < 0) return system_error(errno, "waitpid").message;
  if (WIFSIGNALED(status))
    return fmt::format("signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  return fmt::format("exit status {}", WEXITSTATUS(status));
}

Task<std::optional<std::string>> ChildProcess::ended(nanoseconds patience) {
  boost::asio::steady_timer limit(watch_.get_executor(), patience);
  const auto waiting = std::make_shared<bool>(true);
  limit.async_wait([this, waiting](boost::system::error_code error) {
    if (!error && *waiting) watch_.cancel();
  });
  [[maybe_unused]] auto [error] =
      co_await watch_.async_wait(boost::asio::posix::stream_descriptor::wait_read, kAsValue);
  *waiting = false;
  auto how = reap();
  if (how) pid_ = 0;
  co_return how;
}

}  // namespace kapok::channel
