// kapok-transcoder: one channel's pictures decoded once, every rung of its ladder encoded.
#include <fcntl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "transcoder/app/command_line.hpp"
#include "transcoder/app/sandbox.hpp"
#include "transcoder/app/server_watch.hpp"
#include "transcoder/app/worker.hpp"
#include "transcoder/device/choice.hpp"
#include "transcoder/device/probe.hpp"
#include "transcoder/ffmpeg/engine.hpp"
#include "transcoder/gstreamer/engine.hpp"

namespace kapok::transcoder {
namespace {

constexpr int kSocket = 3;
constexpr int kFile = 4;

Profile profile_of(const std::vector<ffmpeg::Path>& paths) {
  if (paths.empty()) return Profile::software;
  const bool processor =
      std::ranges::all_of(paths, [](const ffmpeg::Path& path) { return path.is_processor; });
  return processor ? Profile::processor : Profile::gpu;
}

Result<Made> make_engine(const device::Load& load, ladder::Pace pace, const media::Ladder& ladder,
                         ladder::RungSink& sink) {
  // Before the sandbox closes: what libraries and drivers read at their first use.
  const device::Samples samples;
  device::probe_device({}, samples);
  if (ladder.engine == "gstreamer") {
    auto made = KAPOK_TRY(gstreamer::make_engine(ladder, {.pace = pace}, sink));
    const Profile profile = made.is_on_gpu ? Profile::gpu : Profile::software;
    if (made.is_on_gpu) sink.notice(LogLevel::info, "worker.files", close_files(profile));
    return Made{std::move(made.engine), std::move(made.device), profile};
  }
  auto paths = KAPOK_TRY(device::choose(ladder, load, samples));
  const Profile profile = profile_of(paths);
  if (profile == Profile::gpu) sink.notice(LogLevel::info, "worker.files", close_files(profile));
  auto engine =
      KAPOK_TRY(ffmpeg::make_engine(ladder, {.pace = pace}, sink, {.paths = std::move(paths)}));
  std::string device = engine->stats().device;
  return Made{std::move(engine), std::move(device), profile};
}

// Before there is a second thread: none of them is to be interrupted.
Result<int> signal_descriptor() {
  sigset_t drain;
  ::sigemptyset(&drain);
  ::sigaddset(&drain, SIGTERM);
  if (::sigprocmask(SIG_BLOCK, &drain, nullptr) != 0)
    return std::unexpected(system_error(errno, "sigprocmask"));
  const int descriptor = ::signalfd(-1, &drain, SFD_CLOEXEC);
  if (descriptor < 0) return std::unexpected(system_error(errno, "signalfd"));
  return descriptor;
}

Result<void> serve(const Arguments& arguments) {
  int kind = 0;
  socklen_t size = sizeof kind;
  if (::getsockopt(kSocket, SOL_SOCKET, SO_TYPE, &kind, &size) != 0)
    return fail(Errc::config, "descriptor 3 is no socket: kapok-server starts this program");
  KAPOK_TRY(drop_capabilities());
  if (!arguments.cores.empty()) KAPOK_TRY(bind_to_cores(arguments.cores));
  // The outbox's writes wait for room.
  if (::fcntl(kSocket, F_SETFL, 0) != 0) return std::unexpected(system_error(errno, "fcntl"));
  WorkerParts parts;
  parts.socket = kSocket;
  parts.stop = KAPOK_TRY(signal_descriptor());
  // From before libraries and drivers are loaded until the worker has come to its end.
  const ServerWatch watch = KAPOK_TRY(ServerWatch::begin(kSocket));
  if (arguments.file) parts.file = kFile;
  parts.make_engine = [load = KAPOK_TRY(device::parse_load(arguments.busy)),
                       pace = arguments.file ? ladder::Pace::file : ladder::Pace::live](
                          const media::Ladder& ladder, ladder::RungSink& sink) {
    return make_engine(load, pace, ladder, sink);
  };
  parts.sandbox = [cores = arguments.cores](Profile profile,
                                            const media::Ladder& ladder) -> Result<std::string> {
    std::string held = KAPOK_TRY(close_sandbox(profile, ladder));
    return cores.empty() ? held : held + " cores-" + cores;
  };
  if (!arguments.record.empty())
    parts.recording.emplace(KAPOK_TRY(Recording::create(arguments.record)));
  return Worker(std::move(parts)).run();
}

}  // namespace
}  // namespace kapok::transcoder

int main(int argc, char** argv) {
  using namespace kapok::transcoder;
  int exit_code = 0;
  const std::optional<Arguments> arguments = parse(argc, argv, exit_code);
  if (!arguments) return exit_code;
  if (arguments->probe) {
    const auto rows = kapok::device::probe();
    std::fputs((arguments->json ? as_json(rows) : as_table(rows)).c_str(), stdout);
    return 0;
  }
  if (const kapok::Result<void> served = serve(*arguments); !served) {
    std::fprintf(stderr, "kapok-transcoder: %s\n", served.error().message.c_str());
    return 1;
  }
  return 0;
}
