#include "transcoder/app/sandbox.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>
#include <vector>

namespace kapok::transcoder {
namespace {

constexpr int kCannotClose = 99;

// In a child: this process must stay as it is.
template <class Attempt>
int closed_in(Attempt attempt) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!close_sandbox()) ::_exit(kCannotClose);
    ::_exit(attempt());
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

// 0: refused; 1: it could.
int refused(long result) {
  return result < 0 ? 0 : 1;
}

TEST(Sandbox, NoFileCanBeOpened) {
  EXPECT_EQ(closed_in([] { return refused(::open("/etc/passwd", O_RDONLY)); }), 0);
  EXPECT_EQ(closed_in([] { return refused(::open("/proc/self/status", O_RDONLY)); }), 0);
  EXPECT_EQ(
      closed_in([] { return refused(::open("/tmp/kapok-sandbox", O_WRONLY | O_CREAT, 0600)); }), 0);
  EXPECT_EQ(closed_in([] { return refused(::unlink("/tmp/kapok-sandbox")); }), 0);
}

TEST(Sandbox, NoSocketCanBeHad) {
  EXPECT_EQ(closed_in([] { return refused(::socket(AF_INET, SOCK_STREAM, 0)); }), 0);
  EXPECT_EQ(closed_in([] { return refused(::socket(AF_UNIX, SOCK_DGRAM, 0)); }), 0);
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  EXPECT_EQ(closed_in([&] { return refused(::connect(ends[0], nullptr, 0)); }), 0);
  // What is there already goes on.
  EXPECT_EQ(closed_in([&] { return ::send(ends[0], "x", 1, MSG_NOSIGNAL) == 1 ? 0 : 1; }), 0);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(Sandbox, APairOfSocketsThatEndsHereIsAllowed) {
  EXPECT_EQ(closed_in([] {
              int pair[2];
              if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 1;
              if (::fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0) return 2;
              if (::fcntl(pair[0], F_SETOWN, ::getppid()) == 0) return 3;
              return ::write(pair[0], "x", 1) == 1 ? 0 : 4;
            }),
            0);
  EXPECT_EQ(closed_in([] {
              int pair[2];
              return refused(::socketpair(AF_NETLINK, SOCK_RAW, 0, pair));
            }),
            0);
}

TEST(Sandbox, NoOtherProgramNorProcess) {
  EXPECT_EQ(closed_in([] {
              char* const arguments[] = {nullptr};
              return refused(::execv("/bin/true", arguments));
            }),
            0);
  EXPECT_EQ(closed_in([] {
              const pid_t child = ::fork();
              if (child == 0) ::_exit(0);
              return refused(child);
            }),
            0);
  EXPECT_EQ(closed_in([] { return refused(::kill(::getppid(), 0)); }), 0);
}

TEST(Sandbox, ThreadsAndMemoryAreStillThere) {
  EXPECT_EQ(closed_in([] {
              int seen = 1;
              std::thread([&] { seen = std::vector<char>(1 << 24)[7]; }).join();
              return seen;
            }),
            0);
}

TEST(Sandbox, ThreadsThatWereThereAreClosedInToo) {
  EXPECT_EQ(closed_in([] { return 0; }), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    int before[2];
    if (::pipe(before) != 0) ::_exit(kCannotClose);
    int could = 1;
    std::thread early([&] {
      char byte = 0;
      if (::read(before[0], &byte, 1) == 1) could = refused(::open("/etc/passwd", O_RDONLY));
    });
    const bool closed = close_sandbox().has_value();
    if (::write(before[1], "x", 1) != 1) ::_exit(kCannotClose);
    early.join();
    ::_exit(closed ? could : kCannotClose);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace kapok::transcoder
