// kapok-server: see server.hpp for what it is made of.
#include <cstdio>
#include <variant>

#include "server/app/server/command_line.hpp"
#include "server/app/server/config_load.hpp"
#include "server/app/server/line_log.hpp"
#include "server/app/server/process_facts.hpp"
#include "server/app/server/server.hpp"

namespace {

int answer(const kapok::app::Answer& with) {
  std::fwrite(with.out.data(), 1, with.out.size(), stdout);
  std::fwrite(with.err.data(), 1, with.err.size(), stderr);
  return with.status;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace kapok;
  const auto parsed = app::parse_command_line(argc, argv);
  if (const auto* done = std::get_if<app::Answer>(&parsed)) return answer(*done);
  const auto& line = std::get<app::CommandLine>(parsed);
  auto loaded = app::load_for(line);
  if (const auto* done = std::get_if<app::Answer>(&loaded)) return answer(*done);
  auto& with = std::get<app::LoadedConfig>(loaded);

  static const SystemClock clock;
  const auto sink = app::make_stderr_log({with.config.log_level, with.config.log_format}, clock);
  const Log log(sink);
  for (const app::ConfigProblem& warning : with.warnings)
    std::fputs(app::format_problem(warning, "warning").c_str(), stderr);
  if (const auto done = app::forbid_core_dumps(); !done)
    log.warn("process.core_dumps", {{"why", done.error().message}});
  if (const auto files = app::raise_open_files(); !files)
    log.warn("process.open_files", {{"why", files.error().message}});

  auto server = app::Server::start(line, std::move(with.config), sink, clock);
  if (!server) {
    sink->flush();
    std::fprintf(stderr, "error: %s\n", server.error().message.c_str());
    return 1;
  }
  const int status = (*server)->run();
  sink->flush();
  return status;
}
