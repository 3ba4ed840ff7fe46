// The worker: one channel's packets in through a socket, or a file's through its descriptor, the
// rungs out through the socket. It ends
// when the socket does, when it is asked to drain (by the wire or by SIGTERM) and has, or when
// something is wrong with it or the peer: the server starts another. Owns no thread but the
// outbox's; reading and feeding the engine is the caller's thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "server/picture/wire/reader.hpp"
#include "transcoder/app/file_run.hpp"
#include "transcoder/app/outbox.hpp"
#include "transcoder/app/pulse.hpp"
#include "transcoder/app/recording.hpp"
#include "transcoder/app/sandbox.hpp"
#include "transcoder/ladder/engine.hpp"

namespace kapok::transcoder {

struct Made {
  std::unique_ptr<ladder::Engine> engine;
  std::string device;  // what it runs on at first, for the server's log
  Profile profile = Profile::software;
};
// Makes the engine that a ladder asks for. Errors: config, unsupported.
using EngineMaker = std::function<Result<Made>(const media::Ladder&, ladder::RungSink&)>;
// Called once the engine stands: from here on the worker reads hostile bitstreams. What was closed
// is said in a notice.
using Sandbox = std::function<Result<std::string>(Profile, const media::Ladder&)>;

struct WorkerParts {
  int socket = 3;
  int file = -1;  // to decode instead of what the socket brings
  int stop = -1;  // readable when the worker shall drain and end: a signalfd
  EngineMaker make_engine;
  Sandbox sandbox;
  std::optional<Recording> recording;
};

class Worker final : private ladder::RungSink {
 public:
  explicit Worker(WorkerParts parts);
  ~Worker() override;

  // Until it has to end. An error is the peer's or our own and was not said on the wire.
  Result<void> run();

 private:
  enum class Next : std::uint8_t { go_on, end };
  Result<Next> read();
  Result<Next> take(wire::ToWorker message);
  Result<void> build(const media::Ladder& ladder);
  Result<void> begin(const media::Ladder& ladder);
  Result<Next> begin_file(const wire::FileStart& start);
  Result<Next> step_file();
  void drain();
  std::optional<wire::Heartbeat> beat();

  void track(std::string_view rung, std::shared_ptr<const media::Track> track) override;
  void packet(std::string_view rung, media::Packet packet) override;
  void image(media::Image image) override;
  void notice(LogLevel level, std::string_view event, std::string_view text) override;
  void anomaly(const media::AnomalyEvent& event) override;

  WorkerParts parts_;
  Pulse pulse_;
  std::atomic<const ladder::Engine*> beating_ = nullptr;  // the outbox's thread asks it
  // The engine ends before the outbox that its threads speak to; ~Worker() sees to the rest.
  Outbox outbox_;
  std::unique_ptr<ladder::Engine> engine_;
  std::unique_ptr<FileRun> file_;
  wire::Reader<wire::ToWorker> reader_;
};

}  // namespace kapok::transcoder
