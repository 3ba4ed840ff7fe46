#include "server/app/server/command_line.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <sstream>

#include "server/app/server/config_print.hpp"

namespace kapok::app {
namespace {

constexpr std::string_view kExamples = R"(
Examples:
  kapok-server --config /etc/kapok/kapok.toml
  kapok-server --config kapok.toml --check
  kapok-server --config kapok.toml --set http.port=8081 --set window.time=10m
  kapok-server --print-config

Without --config it starts with built-in defaults and no channel.
SIGHUP reads the configuration again, SIGTERM drains and exits 0.
Every key: docs/configuration.md, or kapok-server --config-reference.)";

}  // namespace

std::variant<CommandLine, Answer> parse_command_line(int argc, const char* const* argv) {
  CommandLine line;
  bool check = false;
  bool print = false;
  bool version = false;
  bool reference = false;
  std::string config;
  CLI::App app("Kapok live and on-demand streaming server.", "kapok-server");
  app.footer(std::string(kExamples));
  app.add_option("--config,-c", config, "TOML configuration file")->type_name("FILE");
  app.add_option("--set", line.overrides, "Override one key of the configuration; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_flag("--check", check, "Check the configuration, print every problem, exit 0 or 1");
  app.add_flag("--print-config", print, "Print the configuration in effect, keys masked");
  app.add_flag("--config-reference", reference, "Print docs/configuration.md");
  app.add_flag("--version", version, "Print the version");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream err;
    const int status = app.exit(error, out, err);
    // 2 is what shells and systemd know as wrong usage; CLI11 has a hundred of its own.
    return Answer{status == 0 ? 0 : 2, out.str(), err.str()};
  }
  if (version) return Answer{0, "kapok-server " KAPOK_VERSION "\n", ""};
  if (reference) return Answer{0, config_reference(), ""};
  if (!config.empty()) line.config = config;
  line.action = check ? Action::check : print ? Action::print_config : Action::run;
  return line;
}

std::variant<LoadedConfig, Answer> load_for(const CommandLine& line) {
  LoadedConfig loaded = load_config_file(line.config, line.overrides);
  Answer answer;
  for (const ConfigProblem& problem : loaded.errors) answer.err += format_problem(problem, "error");
  // Beside an error they only lead astray: a file that was not read has no channel.
  if (loaded.ok())
    for (const ConfigProblem& problem : loaded.warnings)
      answer.err += format_problem(problem, "warning");
  if (!loaded.ok()) {
    answer.err += fmt::format("{} {}; nothing was started\n", loaded.errors.size(),
                              loaded.errors.size() == 1 ? "error" : "errors");
    answer.status = 1;
    return answer;
  }
  if (line.action == Action::check) {
    answer.out =
        fmt::format("{}: no errors\n", line.config ? line.config->string() : "built-in defaults");
    return answer;
  }
  if (line.action == Action::print_config) {
    answer.out = print_config(loaded.config);
    return answer;
  }
  return loaded;
}

}  // namespace kapok::app
