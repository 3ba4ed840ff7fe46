#include "transcoder/app/sandbox.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/landlock.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>
#include <vector>

namespace kapok::transcoder {
namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KAPOK_SANITIZED 1
#endif
#endif
#ifndef KAPOK_SANITIZED
#define KAPOK_SANITIZED 0
#endif

constexpr int kCannotClose = 99;

bool close_files_is_possible() {
  return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

// In a child: this process must stay as it is.
template <class Attempt>
int closed_in(Attempt attempt, Profile profile = Profile::software) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (profile == Profile::gpu) close_files(profile);
    if (!close_sandbox(profile, {})) ::_exit(kCannotClose);
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
    const bool closed = close_sandbox(Profile::software, {}).has_value();
    if (::write(before[1], "x", 1) != 1) ::_exit(kCannotClose);
    early.join();
    ::_exit(closed ? could : kCannotClose);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// A driver may talk to its nodes and load its libraries; all else is closed to it as well.
TEST(Sandbox, AGpusDriverGetsNodesAndLibrariesAndNothingElse) {
  const auto closed = [](auto attempt) { return closed_in(attempt, Profile::gpu); };
  EXPECT_EQ(closed([] { return refused(::socket(AF_INET, SOCK_STREAM, 0)); }), 0);
  EXPECT_EQ(closed([] { return refused(::socket(AF_UNIX, SOCK_STREAM, 0)); }), 0);
  EXPECT_EQ(closed([] { return refused(::kill(::getppid(), 0)); }), 0);
  EXPECT_EQ(closed([] {
              char* const arguments[] = {nullptr};
              return refused(::execv("/bin/true", arguments));
            }),
            0);
  EXPECT_EQ(closed([] { return refused(::unlink("/tmp/kapok-sandbox")); }), 0);
  EXPECT_EQ(closed([] { return ::ioctl(0, FIONREAD, nullptr) < 0 && errno == EPERM ? 1 : 0; }), 0);
  EXPECT_EQ(closed([] { return refused(::open("/usr/lib/os-release", O_RDONLY)); }), 1);
  EXPECT_EQ(closed([] { return refused(::open("/proc/self/status", O_RDONLY)); }), 1);
  const bool landlock = close_files_is_possible();
  if (!landlock) GTEST_SKIP() << "no landlock: seccomp alone does not tell files apart";
  EXPECT_EQ(closed([] { return refused(::open("/etc/passwd", O_RDONLY)); }), 0);
  EXPECT_EQ(closed([] { return refused(::open("/usr/lib/os-release", O_WRONLY)); }), 0);
  EXPECT_EQ(closed([] { return refused(::open("/tmp/kapok-sandbox", O_WRONLY | O_CREAT, 0600)); }),
            0);
}

TEST(Sandbox, BoundToCoresItTakesNoOther) {
  cpu_set_t usable;
  ASSERT_EQ(::sched_getaffinity(0, sizeof usable, &usable), 0);
  unsigned last = CPU_SETSIZE - 1;
  while (!CPU_ISSET(last, &usable)) --last;
  const pid_t child = ::fork();
  if (child == 0) {
    if (!bind_to_cores(fmt::format("{}", last))) ::_exit(kCannotClose);
    if (refused(::sched_setaffinity(0, sizeof usable, &usable)) != 0) ::_exit(1);
    cpu_set_t now;
    CPU_ZERO(&now);
    std::thread([&] { ::sched_getaffinity(0, sizeof now, &now); }).join();
    ::_exit(CPU_COUNT(&now) == 1 && CPU_ISSET(last, &now) ? 0 : 2);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Sandbox, WhatIsNoListOfCoresIsRefused) {
  for (const char* list :
       {"", ",", "1,", "x", "1;2", "-1", "1024", "99999999999999999999", "1023"}) {
    const auto bound = bind_to_cores(list);
    ASSERT_FALSE(bound) << list;
    EXPECT_EQ(bound.error().code, Errc::config) << list;
  }
}

TEST(Sandbox, AddressSpaceGrowsWithTheLadderAndHolds8k) {
  constexpr std::uint64_t kGiB = std::uint64_t{1} << 30U;
  media::Ladder ladder;
  ladder.video.resize(1);
  EXPECT_GE(address_space_for(ladder, 1), 6 * kGiB);
  media::Ladder large;
  large.video.resize(media::kMaxVideoRungs);
  EXPECT_GE(address_space_for(large, 1), address_space_for(ladder, 1) + 20 * kGiB);
  EXPECT_GT(address_space_for(ladder, 64), address_space_for(ladder, 1));
}

#if !KAPOK_SANITIZED
TEST(Sandbox, MemoryHasABoundInSoftware) {
  const auto has = [](std::uint64_t bytes) {
    void* got =
        ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return got == MAP_FAILED ? 0 : 1;
  };
  constexpr std::uint64_t kGiB = std::uint64_t{1} << 30U;
  EXPECT_EQ(closed_in([&] { return has(kGiB); }), 1);
  EXPECT_EQ(closed_in([&] { return has(1024 * kGiB); }), 0);
  EXPECT_EQ(closed_in([&] { return has(1024 * kGiB); }, Profile::processor), 1);
}
#endif

}  // namespace
}  // namespace kapok::transcoder
