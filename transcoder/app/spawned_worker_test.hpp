// For tests of kapok-transcoder as a process: one that runs, and a clip to feed it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "server/base/clock.hpp"
#include "server/picture/wire/messages.hpp"
#include "server/picture/wire/reader.hpp"

namespace kapok::transcoder {

// Pictures at 50/s in H.264, a GOP of 25, made by ffmpeg.
struct TestClip {
  std::shared_ptr<const media::Track> track;
  std::vector<media::Packet> packets;
};
// Media of 0.6 s: a worker that gets more than 0.7 s at once sees a machine that is too slow, and
// leaves out rungs.
constexpr int kTooFewToShed = 30;
TestClip make_clip(const std::string& size = "640x360", int pictures = kTooFewToShed);
media::Ladder small_ladder();  // "180p"

class SpawnedWorker {
 public:
  // A worker that is not done by then is stuck: what its threads do is printed, it is killed, and
  // whoever waits for it throws.
  static constexpr seconds kLife{120};

  // `file`: what it gets as descriptor 4.
  explicit SpawnedWorker(std::vector<std::string> more_arguments = {}, int file = -1);
  ~SpawnedWorker();
  SpawnedWorker(const SpawnedWorker&) = delete;
  SpawnedWorker& operator=(const SpawnedWorker&) = delete;

  void send(const wire::ToWorker& message);
  void send_bytes(ByteSpan bytes);
  void feed(const TestClip& clip, const media::Ladder& ladder = small_ladder());
  // The next thing it says; nullopt once it has closed its end. Throws on what breaks the wire.
  std::optional<wire::FromWorker> next();
  std::vector<wire::FromWorker> rest();
  void close();       // as a server that died
  int exit_status();  // as waitpid gives it
  pid_t pid() const { return pid_; }
  const Bytes& sent() const { return sent_; }

 private:
  void hear();
  // For events on a descriptor, to the end of its life at most; what poll found.
  int wait_for(int descriptor, int events);
  [[noreturn]] void give_up(const char* waited_for);

  const MonoTime end_ = SystemClock().mono() + kLife;
  int socket_ = -1;
  int process_ = -1;    // a pidfd
  bool ended_ = false;  // it has closed its end
  pid_t pid_ = -1;
  Bytes sent_;
  wire::Reader<wire::FromWorker> reader_;
  std::vector<wire::FromWorker> heard_;
  std::size_t taken_ = 0;
};

}  // namespace kapok::transcoder
