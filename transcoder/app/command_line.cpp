#include "transcoder/app/command_line.hpp"

#include <CLI/CLI.hpp>

namespace kapok::transcoder {

namespace {

constexpr std::string_view kAbout = "Makes the rungs of one channel's ladder for kapok-server.";
constexpr std::string_view kMore =
    "kapok-server starts it, one process a channel, with a socket as descriptor 3; there is\n"
    "nothing to start by hand. SIGTERM lets what is inside come out, then ends it.\n"
    "\n"
    "Exit: 0 drained, or the server went away; 1 something is wrong, and what is on standard\n"
    "error; 2 wrong usage; 3 the server went away, and it was stuck for 5 s after.";

}  // namespace

std::optional<Arguments> parse(int argc, const char* const* argv, int& exit_code) {
  constexpr int kUsage = 2;
  Arguments arguments;
  CLI::App app{std::string(kAbout), "kapok-transcoder"};
  app.footer(std::string(kMore));
  app.set_version_flag("--version", std::string(KAPOK_VERSION));
  auto* mode = app.add_option_group("What to do");
  mode->require_option(1);
  auto* worker = mode->add_flag("--worker", arguments.worker, "Serve the channel at descriptor 3");
  auto* probe = mode->add_flag("--probe", arguments.probe,
                               "Say what this machine can decode, scale, tone-map and encode");
  app.add_flag("--json", arguments.json, "The probe's answer as JSON")->needs(probe);
  app.add_flag("--file", arguments.file,
               "Decode the file at descriptor 4, not the channel's packets")
      ->needs(worker);
  app.add_option("--record", arguments.record,
                 "Also write what arrives to a new file, for kapok-inspect");
  app.add_option("--cores", arguments.cores, "Use these cores alone, for good: 2,3")->needs(worker);
  app.add_option("--busy", arguments.busy,
                 "What other workers use, of several GPUs: nvidia:0=3,nvidia:1=2,starting=1");
  // CLI11 asks for what is missing before it looks at what nobody knows.
  app.failure_message([](const CLI::App* of, const CLI::Error& error) {
    const std::vector<std::string> unknown = of->remaining();
    return CLI::FailureMessage::simple(
        of, unknown.empty() ? error : static_cast<const CLI::Error&>(CLI::ExtrasError(unknown)));
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& stopped) {
    exit_code = app.exit(stopped) == 0 ? 0 : kUsage;
    return std::nullopt;
  }
  return arguments;
}

}  // namespace kapok::transcoder
