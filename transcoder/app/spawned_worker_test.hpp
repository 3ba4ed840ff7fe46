// For tests of kapok-transcoder as a process: one that runs, and a clip to feed it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "server/picture/wire/messages.hpp"
#include "server/picture/wire/reader.hpp"

namespace kapok::transcoder {

// Pictures at 50/s in H.264, a GOP of 25, made by ffmpeg.
struct TestClip {
  std::shared_ptr<const media::Track> track;
  std::vector<media::Packet> packets;
};
TestClip make_clip(const std::string& size = "640x360", int pictures = 100);
media::Ladder small_ladder();  // "180p"

class SpawnedWorker {
 public:
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

  int socket_ = -1;
  bool ended_ = false;  // it has closed its end
  pid_t pid_ = -1;
  Bytes sent_;
  wire::Reader<wire::FromWorker> reader_;
  std::vector<wire::FromWorker> heard_;
  std::size_t taken_ = 0;
};

}  // namespace kapok::transcoder
