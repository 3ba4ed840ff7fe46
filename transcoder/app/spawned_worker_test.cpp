#include "transcoder/app/spawned_worker_test.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "server/media/describe.hpp"
#include "server/media/parameter_sets.hpp"
#include "server/picture/wire/writer.hpp"

namespace kapok::transcoder {

namespace {

constexpr media::Timescale kTimescale = 90'000;
constexpr std::int64_t kFrame = 1800;
constexpr std::int64_t kBegin = 161'100'000'000'000;  // ticks since 1970

std::string output_of(const std::string& command) {
  std::string out;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("popen");
  char block[65'536];
  while (const std::size_t got = std::fread(block, 1, sizeof block, pipe)) out.append(block, got);
  if (::pclose(pipe) != 0) throw std::runtime_error("failed: " + command);
  return out;
}

// NAL units between Annex B start codes of three or four bytes.
std::vector<std::string_view> nals_of(std::string_view stream) {
  constexpr std::string_view kStart("\0\0\1", 3);
  std::vector<std::string_view> nals;
  std::size_t at = stream.find(kStart);
  while (at != std::string_view::npos) {
    const std::size_t begin = at + kStart.size();
    at = stream.find(kStart, begin);
    std::string_view nal = stream.substr(begin, at == std::string_view::npos ? at : at - begin);
    while (nal.ends_with('\0')) nal.remove_suffix(1);
    nals.push_back(nal);
  }
  return nals;
}

}  // namespace

TestClip make_clip(const std::string& size, int pictures) {
  const std::string stream = output_of(fmt::format(
      "ffmpeg -nostdin -v error -f lavfi -i testsrc2=s={}:r=50 -frames:v {} -pix_fmt yuv420p "
      "-c:v libx264 -preset ultrafast -g 25 -keyint_min 25 -sc_threshold 0 -bf 0 -slices 1 "
      "-f h264 -",
      size, pictures));
  TestClip clip;
  media::ParameterSets sets(media::Codec::avc);
  for (const std::string_view nal : nals_of(stream)) {
    const unsigned type = static_cast<unsigned char>(nal[0]) & 0x1f;
    if (media::ParameterSets::is_parameter_set(media::Codec::avc, type)) sets.take(as_bytes(nal));
    if (type != 1 && type != 5) continue;
    Bytes unit;
    ByteWriter out(unit);
    out.u32(static_cast<std::uint32_t>(nal.size()));
    out.text(nal);
    media::Packet packet;
    packet.track = 1;
    packet.dts = packet.pts = {kBegin + kFrame * static_cast<std::int64_t>(clip.packets.size())};
    packet.duration = {kFrame};
    packet.sync = type == 5;
    packet.payload = Buffer(std::move(unit));
    clip.packets.push_back(std::move(packet));
  }
  media::TrackDraft draft;
  draft.id = 1;
  draft.codec = media::Codec::avc;
  draft.timescale = kTimescale;
  draft.config = Buffer(sets.record().value());
  clip.track = media::describe_track(std::move(draft)).value();
  return clip;
}

media::Ladder small_ladder() {
  media::Ladder ladder;
  ladder.name = "small";
  media::VideoRung rung;
  rung.name = "180p";
  rung.height = 180;
  rung.bit_rate = 300'000;
  ladder.video.push_back(rung);
  return ladder;
}

SpawnedWorker::SpawnedWorker(std::vector<std::string> more_arguments, int file) {
  // The test stands in the build folder, the programs in bin/ beside it.
  const std::string program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "bin/kapok-transcoder";
  std::vector<std::string> words{program, "--worker"};
  words.insert(words.end(), more_arguments.begin(), more_arguments.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw std::runtime_error("socketpair");
  socket_ = ends[0];
  // LeakSanitizer traces its process with another one, which the sandbox forbids.
  ::setenv("ASAN_OPTIONS", "detect_leaks=0", 0);
  // ThreadSanitizer does not see how encoders' libraries, built without it, pass pictures on.
  ::setenv("TSAN_OPTIONS", "ignore_noninstrumented_modules=1", 0);
  const int high = file < 0 ? -1 : ::fcntl(file, F_DUPFD_CLOEXEC, 16);
  pid_ = ::fork();
  if (pid_ == 0) {
    if (ends[1] != 3 && ::dup2(ends[1], 3) < 0) ::_exit(120);
    if (ends[1] == 3) ::fcntl(3, F_SETFD, 0);
    if (high >= 0 && ::dup2(high, 4) < 0) ::_exit(122);
    ::execv(program.c_str(), arguments.data());
    ::_exit(121);
  }
  ::close(ends[1]);
  if (high >= 0) ::close(high);
  process_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  if (process_ < 0) throw std::runtime_error(system_error(errno, "pidfd_open").message);
}

SpawnedWorker::~SpawnedWorker() {
  close();
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(process_);
}

int SpawnedWorker::wait_for(int descriptor, int events) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(end_ - SystemClock().mono());
    pollfd ready{.fd = descriptor, .events = static_cast<short>(events), .revents = 0};
    const int got = ::poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (got > 0) return ready.revents;
    if (got == 0) give_up(descriptor == process_ ? "its end" : "its socket");
    if (errno != EINTR) throw std::runtime_error(system_error(errno, "poll").message);
  }
}

void SpawnedWorker::give_up(const char* waited_for) {
  std::fprintf(stderr, "worker %d is stuck; its threads (name, system call, where it waits):\n",
               pid_);
  std::error_code gone;
  const std::filesystem::path tasks = fmt::format("/proc/{}/task", pid_);
  for (const auto& task : std::filesystem::directory_iterator(tasks, gone)) {
    const auto line_of = [&](const char* name) {
      std::ifstream file(task.path() / name);
      std::string line;
      std::getline(file, line);
      return line;
    };
    std::fprintf(stderr, "  %-16s %-12.12s %s\n", line_of("comm").c_str(),
                 line_of("syscall").c_str(), line_of("wchan").c_str());
  }
  ::kill(pid_, SIGKILL);
  throw std::runtime_error(fmt::format("waited {} s for a worker: {}", kLife.count(), waited_for));
}

void SpawnedWorker::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

void SpawnedWorker::send_bytes(ByteSpan bytes) {
  // As a server does: what it says is read meanwhile, else it would wait for that.
  while (!bytes.empty()) {
    const int ready = wait_for(socket_, ended_ ? POLLOUT : POLLOUT | POLLIN);
    if ((ready & POLLIN) != 0) hear();
    if ((ready & POLLIN) != 0 && (ready & (POLLOUT | POLLERR)) == 0) continue;
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EAGAIN) continue;
    if (sent < 0) throw std::runtime_error(system_error(errno, "send").message);
    sent_.insert(sent_.end(), bytes.begin(), bytes.begin() + sent);
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
}

void SpawnedWorker::send(const wire::ToWorker& message) {
  const wire::Encoded encoded = wire::encode(message).value();
  send_bytes(encoded.head.bytes());
  send_bytes(encoded.payload.bytes());
}

void SpawnedWorker::feed(const TestClip& clip, const media::Ladder& ladder) {
  send(wire::Hello{});
  send(ladder);
  send(wire::SourceTrack{clip.track});
  for (const media::Packet& packet : clip.packets) send(wire::SourcePacket{packet, packet.sync});
}

void SpawnedWorker::hear() {
  wait_for(socket_, POLLIN);
  const std::span<std::byte> room = reader_.room();
  const ssize_t got = ::recv(socket_, room.data(), room.size(), 0);
  if (got < 0 && errno != ECONNRESET) throw std::runtime_error(system_error(errno, "recv").message);
  ended_ = got <= 0;
  if (ended_) return;
  if (const auto filled = reader_.filled(static_cast<std::size_t>(got), heard_); !filled)
    throw std::runtime_error(filled.error().message);
}

std::optional<wire::FromWorker> SpawnedWorker::next() {
  while (taken_ == heard_.size()) {
    heard_.clear();
    taken_ = 0;
    if (!ended_) hear();
    if (ended_ && heard_.empty()) return std::nullopt;
  }
  return std::move(heard_[taken_++]);
}

std::vector<wire::FromWorker> SpawnedWorker::rest() {
  std::vector<wire::FromWorker> all;
  while (std::optional<wire::FromWorker> message = next()) all.push_back(*std::move(message));
  return all;
}

int SpawnedWorker::exit_status() {
  int status = -1;
  wait_for(process_, POLLIN);
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return status;
}

}  // namespace kapok::transcoder
