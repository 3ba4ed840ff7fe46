#include "transcoder/app/worker.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace kapok::transcoder {

namespace {

// A decoder that hangs must not outlive the server: SIGALRM ends the process.
constexpr unsigned kTeardownSeconds = 5;
// Nobody waits for a file's pictures: the slowest encoder at the lowest priority may take its time.
constexpr seconds kFileStuck{60};

}  // namespace

Worker::Worker(WorkerParts parts)
    : parts_(std::move(parts)),
      pulse_(parts_.file >= 0 ? nanoseconds(kFileStuck) : nanoseconds(Pulse::kStuck)),
      outbox_(parts_.socket, [this] { return beat(); }) {}

Worker::~Worker() {
  outbox_.close();
  ::alarm(kTeardownSeconds);
  file_.reset();
  engine_.reset();
  ::alarm(0);
}

Result<void> Worker::run() {
  for (;;) {
    std::array<pollfd, 2> ready{{{parts_.socket, POLLIN, 0}, {parts_.stop, POLLIN, 0}}};
    if (::poll(ready.data(), ready.size(), file_ ? 0 : -1) < 0) {
      if (errno == EINTR) continue;
      return std::unexpected(system_error(errno, "poll"));
    }
    if (ready[1].revents != 0) {
      drain();
      return {};
    }
    if (ready[0].revents == 0 && !file_) continue;
    Result<Next> next = ready[0].revents == 0 ? step_file() : read();
    if (!next) {
      // The server learns which version it is that does not fit its own.
      if (next.error().code == Errc::unsupported && !engine_) {
        outbox_.greet({});
        outbox_.flush();
      }
      return std::unexpected(std::move(next).error());
    }
    if (*next == Next::end) return {};
  }
}

Result<Worker::Next> Worker::read() {
  const std::span<std::byte> room = reader_.room();
  const ssize_t got = ::recv(parts_.socket, room.data(), room.size(), MSG_DONTWAIT);
  if (got == 0) return Next::end;
  if (got < 0) {
    if (errno == EINTR || errno == EAGAIN) return Next::go_on;
    // The server went without reading what we said.
    if (errno == ECONNRESET) return Next::end;
    return std::unexpected(system_error(errno, "recv"));
  }
  const auto count = static_cast<std::size_t>(got);
  if (parts_.recording) parts_.recording->append(room.first(count));
  std::vector<wire::ToWorker> messages;
  const Result<void> filled = reader_.filled(count, messages);
  for (wire::ToWorker& message : messages)
    if (KAPOK_TRY(take(std::move(message))) == Next::end) return Next::end;
  KAPOK_TRY(filled);
  return Next::go_on;
}

Result<Worker::Next> Worker::take(wire::ToWorker message) {
  if (std::holds_alternative<wire::Hello>(message)) return Next::go_on;
  if (const auto* ladder = std::get_if<media::Ladder>(&message)) {
    KAPOK_TRY(build(*ladder));
    return Next::go_on;
  }
  if (std::holds_alternative<wire::Drain>(message)) {
    drain();
    return Next::end;
  }
  if (!engine_) return fail(Errc::malformed, "a source before its ladder");
  if (const auto* start = std::get_if<wire::FileStart>(&message)) return begin_file(*start);
  if (file_) return fail(Errc::malformed, "a source beside a file");
  if (const auto* changed = std::get_if<wire::SourceTrack>(&message)) {
    // The other tracks' rungs go on.
    if (const Result<void> taken = engine_->track(changed->track); !taken)
      notice(LogLevel::warn, "source.track_refused", taken.error().message);
  } else if (const auto* source = std::get_if<wire::SourcePacket>(&message)) {
    KAPOK_TRY(engine_->packet(source->packet, source->segment_start ? ladder::SegmentStart::yes
                                                                    : ladder::SegmentStart::no));
    pulse_.worked();
  } else {
    engine_->discontinuity();
  }
  return Next::go_on;
}

Result<void> Worker::build(const media::Ladder& ladder) {
  if (engine_) return fail(Errc::malformed, "a second ladder");
  auto begun = begin(ladder);
  if (begun) return {};
  // For the log and the API of the server: who reads standard error there?
  outbox_.greet({wire::kVersion, ladder.engine, ""});
  notice(LogLevel::error, "worker.cannot_begin", begun.error().message);
  outbox_.flush();
  return begun;
}

Result<void> Worker::begin(const media::Ladder& ladder) {
  Made made = KAPOK_TRY(parts_.make_engine(ladder, *this));
  engine_ = std::move(made.engine);
  beating_ = engine_.get();
  const std::string closed = KAPOK_TRY(parts_.sandbox(made.profile, ladder));
  outbox_.greet({wire::kVersion, ladder.engine, made.device});
  notice(LogLevel::info, "worker.sandboxed", closed);
  return {};
}

Result<Worker::Next> Worker::begin_file(const wire::FileStart& start) {
  if (parts_.file < 0) return fail(Errc::malformed, "a file that was never opened");
  if (file_) return fail(Errc::malformed, "a second file");
  file_ = FileRun::begin(parts_.file, start, *engine_,
                         [this](const wire::FromWorker& message) { outbox_.say(message); });
  if (file_) return Next::go_on;
  outbox_.flush();
  return Next::end;
}

Result<Worker::Next> Worker::step_file() {
  const FileRun::Step step = KAPOK_TRY(file_->step());
  pulse_.worked();
  if (step == FileRun::Step::again) return Next::go_on;
  if (step == FileRun::Step::finished)
    drain();
  else
    outbox_.flush();
  return Next::end;
}

void Worker::drain() {
  if (engine_) engine_->drain();
  outbox_.say(wire::Drained{});
  outbox_.flush();
}

std::optional<wire::Heartbeat> Worker::beat() {
  const ladder::Engine* engine = beating_;
  if (engine == nullptr) return std::nullopt;
  return pulse_.beat(SystemClock().mono(), engine->stats());
}

void Worker::track(std::string_view rung, std::shared_ptr<const media::Track> track) {
  outbox_.say(wire::RungTrack{std::string(rung), std::move(track)});
}

void Worker::packet(std::string_view rung, media::Packet packet) {
  outbox_.say(wire::RungPacket{std::string(rung), std::move(packet)});
}

void Worker::image(media::Image image) {
  outbox_.say(std::move(image));
}

void Worker::notice(LogLevel level, std::string_view event, std::string_view text) {
  outbox_.say(wire::Notice{level, std::string(event), std::string(text)});
}

void Worker::anomaly(const media::AnomalyEvent& event) {
  outbox_.say(event);
}

}  // namespace kapok::transcoder
