#include "transcoder/app/sandbox.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <ranges>
#include <span>
#include <vector>

namespace kapok::transcoder {

namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "sandbox: no seccomp architecture is named for this processor"
#endif

// Memory, threads, clocks, and reading and writing of what is open already. Everything else is
// refused with EPERM, so that a library that asks for more goes on without it.
constexpr std::array kAllowed{
#if defined(__x86_64__)
    SYS_poll, SYS_time, SYS_arch_prctl, SYS_alarm,
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
    SYS_pipe2,  // how the sanitizer finds out whether an address may be read
#if defined(__x86_64__)
    SYS_pipe,
#endif
#endif
#endif
    // descriptors that are open
    SYS_read, SYS_readv, SYS_pread64, SYS_write, SYS_writev, SYS_pwrite64, SYS_close, SYS_fstat,
    SYS_lseek, SYS_ppoll, SYS_recvfrom, SYS_recvmsg, SYS_sendto, SYS_sendmsg, SYS_shutdown,
    // memory
    SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk, SYS_mincore,
    SYS_get_mempolicy, SYS_set_mempolicy,
    // threads
    SYS_futex, SYS_set_robust_list, SYS_get_robust_list, SYS_set_tid_address, SYS_rseq,
    SYS_membarrier, SYS_gettid, SYS_getpid, SYS_exit, SYS_exit_group, SYS_sched_yield,
    SYS_sched_getaffinity, SYS_sched_setaffinity, SYS_sched_setattr, SYS_sched_getparam,
    SYS_sched_getscheduler, SYS_sched_get_priority_max, SYS_sched_get_priority_min, SYS_getcpu,
    // signals
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack, SYS_restart_syscall,
    // time and facts
    SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday,
    SYS_setitimer, SYS_getrusage, SYS_times, SYS_sysinfo, SYS_uname, SYS_getrandom, SYS_getuid,
    SYS_geteuid, SYS_getgid, SYS_getegid};

std::uint32_t errno_action(int number) {
  return SECCOMP_RET_ERRNO | (static_cast<std::uint32_t>(number) & SECCOMP_RET_DATA);
}

// What drivers of GPUs do at run time: talk to their nodes, open them for each context anew, load
// libraries late, wait for fences, map memory that they share with the device. Files are landlock's
// to close then.
constexpr std::array kAllowedForGpu{
#if defined(__x86_64__)
    SYS_open,         SYS_access,         SYS_readlink,
    SYS_stat,         SYS_lstat,          SYS_eventfd,
    SYS_epoll_wait,   SYS_pipe,
#endif
    SYS_openat,       SYS_faccessat,      SYS_faccessat2,
    SYS_readlinkat,   SYS_newfstatat,     SYS_statx,
    SYS_getdents64,   SYS_ioctl,          SYS_fcntl,
    SYS_dup,          SYS_dup3,           SYS_pipe2,
    SYS_eventfd2,     SYS_epoll_create1,  SYS_epoll_ctl,
    SYS_epoll_pwait,  SYS_timerfd_create, SYS_timerfd_settime,
    SYS_memfd_create, SYS_ftruncate,      SYS_fallocate,
    SYS_fstatfs,      SYS_mlock,          SYS_munlock,
    SYS_msync,        SYS_kcmp,           SYS_prlimit64,
    SYS_getcwd,       SYS_getppid,        SYS_sched_setscheduler,
    SYS_sched_getattr};

// What lavapipe makes of memory that others could map: anonymous files.
constexpr std::array kAllowedForProcessor{SYS_memfd_create, SYS_ftruncate, SYS_fcntl, SYS_fallocate,
                                          SYS_dup};

sock_filter load(std::size_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}

sock_filter finish(std::uint32_t action) {
  return BPF_STMT(BPF_RET | BPF_K, action);
}

// Skips one instruction unless the loaded word is `value`.
sock_filter unless(std::uint32_t value) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
}

// Begins a filter, which goes on with the number of the system call.
std::vector<sock_filter> of_this_architecture() {
  return {
      load(offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0),
      finish(SECCOMP_RET_KILL_PROCESS),
      load(offsetof(seccomp_data, nr)),
  };
}

std::vector<sock_filter> filter(Profile profile) {
  std::vector<sock_filter> program = of_this_architecture();
  const auto allow = [&](std::span<const int> numbers) {
    for (const int number : numbers) {
      program.push_back(unless(static_cast<std::uint32_t>(number)));
      program.push_back(finish(SECCOMP_RET_ALLOW));
    }
  };
  allow(kAllowed);
  if (profile == Profile::processor) allow(kAllowedForProcessor);
  if (profile == Profile::gpu) allow(kAllowedForGpu);
  // What it asks for stands behind a pointer, which a filter cannot follow; libc takes clone then.
  program.push_back(unless(SYS_clone3));
  program.push_back(finish(errno_action(ENOSYS)));
  // Files do not exist, as far as a library that looks for one is concerned.
  program.push_back(unless(SYS_openat));
  program.push_back(finish(errno_action(EACCES)));
  // Threads, not processes; and of prctl the thread's name alone. The low word of an
  // argument: both architectures are little-endian.
  const auto allow_if = [&](long number, std::size_t argument, sock_filter test) {
    program.push_back(
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 4));
    program.push_back(load(offsetof(seccomp_data, args) + argument * sizeof(std::uint64_t)));
    program.push_back(test);
    program.push_back(finish(SECCOMP_RET_ALLOW));
    program.push_back(finish(errno_action(EPERM)));
  };
  allow_if(SYS_clone, 0, BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1));
  allow_if(SYS_prctl, 0, unless(PR_SET_NAME));
  // GStreamer's pools of buffers wake each other through a pair of sockets that ends in this
  // process.
  allow_if(SYS_socketpair, 0, unless(AF_UNIX));
  // Up to F_SETFL: flags of descriptors, nothing that signals or locks.
  allow_if(SYS_fcntl, 1, BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, F_SETFL, 1, 0));
  program.push_back(finish(errno_action(EPERM)));
  return program;
}

Result<void> install(std::vector<sock_filter> instructions) {
  const sock_fprog program{static_cast<unsigned short>(instructions.size()), instructions.data()};
  // TSYNC: the threads that the engine has started already, too.
  const long failed =
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
  if (failed > 0) return fail(Errc::io, "seccomp: thread {} cannot be closed in", failed);
  if (failed < 0)
    return std::unexpected(system_error(
        errno,
        "the sandbox cannot be closed; allow seccomp in SystemCallFilter= or the container"));
  return {};
}

// [landlock(7)] Rights to files by bit.
constexpr std::uint64_t kExecute = 1 << 0;
constexpr std::uint64_t kWrite = 1 << 1;
constexpr std::uint64_t kRead = 1 << 2;
constexpr std::uint64_t kList = 1 << 3;
constexpr std::uint64_t kIoctl = 1 << 15;  // from version 5

struct Opened {
  const char* path;
  std::uint64_t rights;
};
// What drivers open: their nodes, their libraries, and what these read of the machine.
constexpr Opened kForGpu[] = {
    {"/dev/dri", kRead | kWrite | kList | kIoctl},
    {"/usr/lib", kExecute | kRead | kList},
    {"/lib", kExecute | kRead | kList},
    {"/usr/share", kRead | kList},
    {"/etc/ld.so.cache", kRead},
    {"/etc/vulkan", kRead | kList},
    {"/sys", kRead | kList},
    {"/proc/self", kRead | kList},
    {"/proc/cpuinfo", kRead},
    {"/proc/meminfo", kRead},
    {"/proc/devices", kRead},
    {"/proc/modules", kRead},
    {"/proc/driver", kRead | kList},
};

// What is not there on this machine is nothing to open.
void open_again(int rules, std::uint64_t handled) {
  const auto open = [&](const std::string& path, std::uint64_t rights) {
    const int at = ::open(path.c_str(), O_PATH | O_CLOEXEC);
    if (at < 0) return;
    const landlock_path_beneath_attr rule{.allowed_access = rights & handled, .parent_fd = at};
    ::syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    ::close(at);
  };
  for (const Opened& each : kForGpu) open(each.path, each.rights);
  std::error_code none;
  for (const auto& node : std::filesystem::directory_iterator("/dev", none))
    if (node.path().filename().string().starts_with("nvidia"))
      open(node.path(), kRead | kWrite | kIoctl | (node.is_directory(none) ? kList : 0));
}

// Every right to files and TCP ports that this kernel's version knows; only a GPU's driver gets
// some back. It binds this thread and those it starts; seccomp binds all.
std::string close_landlock(Profile profile) {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return fmt::format("no landlock: {}", system_error(errno, "landlock").message);
  // Linux 5.13 has 13 rights; 2 added REFER, 3 TRUNCATE, 5 IOCTL_DEV. [landlock(7)]
  const unsigned rights = version >= 5 ? 16 : version >= 3 ? 15 : version >= 2 ? 14 : 13;
  struct {
    std::uint64_t files;
    std::uint64_t network;  // from version 4: 1 bind, 2 connect
    std::uint64_t scoped;   // from version 6: 1 abstract Unix sockets, 2 signals
  } const handled{(std::uint64_t{1} << rights) - 1, 3, 3};
  const std::size_t words = version >= 6 ? 3 : version >= 4 ? 2 : 1;
  const std::size_t size = words * sizeof(std::uint64_t);
  const auto rules = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, size, 0));
  if (rules < 0) return fmt::format("no landlock: {}", system_error(errno, "ruleset").message);
  if (profile == Profile::gpu) open_again(rules, handled.files);
  const long failed = ::syscall(SYS_landlock_restrict_self, rules, 0);
  const int error = errno;
  ::close(rules);
  if (failed != 0) return fmt::format("no landlock: {}", system_error(error, "restrict").message);
  return fmt::format("landlock-{}", version);
}

Result<std::string> bound_address_space(Profile profile, const media::Ladder& ladder) {
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return std::string();  // sanitizers reserve terabytes
#endif
#endif
  // Devices map as much as they like: CUDA reserves the memory of all GPUs and of the machine.
  if (profile != Profile::software) return std::string();
  const auto cores = static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  const std::uint64_t bytes = address_space_for(ladder, cores);
  const rlimit bound{bytes, bytes};
  if (::setrlimit(RLIMIT_AS, &bound) != 0)
    return std::unexpected(system_error(errno, "address space"));
  return fmt::format(" address-space-{}M", bytes >> 20U);
}

}  // namespace

Result<void> drop_capabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0)
    return std::unexpected(system_error(errno, "capset"));
  return {};
}

Result<void> bind_to_cores(std::string_view list) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  const std::string text(list);
  for (const auto word : std::views::split(text, ',')) {
    unsigned number = CPU_SETSIZE;
    const char* end = std::to_address(word.end());
    const auto read = std::from_chars(std::to_address(word.begin()), end, number);
    if (read.ec != std::errc() || read.ptr != end || number >= CPU_SETSIZE)
      return fail(Errc::config, "\"{}\" is no list of cores: 2,3", text);
    CPU_SET(number, &cores);
  }
  if (::sched_setaffinity(0, sizeof cores, &cores) != 0)
    return fail(Errc::config, "cores {}: {}", text, system_error(errno, "set affinity").message);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return std::unexpected(system_error(errno, "no new privileges"));
  std::vector<sock_filter> program = of_this_architecture();
  program.push_back(unless(SYS_sched_setaffinity));
  program.push_back(finish(errno_action(EPERM)));
  program.push_back(finish(SECCOMP_RET_ALLOW));
  return install(std::move(program));
}

std::string close_files(Profile profile) {
  // What landlock asks for first.
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return system_error(errno, "no new privileges").message;
  return close_landlock(profile);
}

std::uint64_t address_space_for(const media::Ladder& ladder, unsigned cores) {
  constexpr std::uint64_t kGiB = std::uint64_t{1} << 30U;
  constexpr std::uint64_t kDecoding = 4 * kGiB;  // of 8K in 10 bits: twenty pictures of 100 MB
  constexpr std::uint64_t kRung = 2 * kGiB;      // its queue and its encoder, of 8K too
  constexpr std::uint64_t kCore = kGiB / 2;      // threads: stacks of 8 MiB, heaps of 64 MiB
  return kDecoding + ladder.video.size() * kRung + cores * kCore;
}

Result<std::string> close_sandbox(Profile profile, const media::Ladder& ladder) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return std::unexpected(system_error(errno, "no new privileges"));
  // A core file would hold pictures that nobody has published. Also nobody of the same user may
  // trace the process.
  const rlimit none{};
  if (::setrlimit(RLIMIT_CORE, &none) != 0 || ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    return std::unexpected(system_error(errno, "no core files"));
  const std::string memory = KAPOK_TRY(bound_address_space(profile, ladder));
  // For a GPU's driver files were closed before, see close_files().
  const std::string landlock = profile == Profile::gpu ? "gpu" : close_landlock(profile);
  KAPOK_TRY(install(filter(profile)));
  return "no-new-privileges no-capabilities no-core seccomp " + landlock + memory;
}

}  // namespace kapok::transcoder
