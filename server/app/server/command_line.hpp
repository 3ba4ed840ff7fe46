// kapok-server's command line, by CLI11: what to do and with which configuration. Texts that only
// inform (--help, --version, --config-reference) and wrong usage are answered here.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "server/app/server/config_load.hpp"

namespace kapok::app {

enum class Action : std::uint8_t { run, check, print_config };

struct CommandLine {
  std::optional<std::filesystem::path> config;
  std::vector<std::string> overrides;  // key=value
  Action action = Action::run;
};

// What to print and with which status to exit.
struct Answer {
  int status = 0;
  std::string out;  // to standard output
  std::string err;  // to standard error
};

std::variant<CommandLine, Answer> parse_command_line(int argc, const char* const* argv);

// Loads the configuration and, for --check and --print-config and for errors, answers; else the
// configuration to run with, warnings included.
std::variant<LoadedConfig, Answer> load_for(const CommandLine& line);

}  // namespace kapok::app
