// From TOML text (and --set overrides) to a Config, with every problem found in one go: file, line,
// column, cause and remedy. Pure but for load_config_file. The only place that knows toml++; its
// exceptions end here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/app/server/config.hpp"

namespace kapok::app {

// Far above any real configuration (10,000 programmes are 2 MB), far below what hurts.
constexpr std::size_t kMaxConfigBytes = 8 * 1024 * 1024;
// More problems than a person reads at once.
constexpr std::size_t kMaxConfigProblems = 40;

struct ConfigPlace {
  std::string source;      // file name, or "--set rtmp.port=..."
  std::uint32_t line = 0;  // 0: not in a file
  std::uint32_t column = 0;
};

struct ConfigProblem {
  ConfigPlace place;
  std::string key;  // "rtmp.port", "channel[0].id"; empty: the file as a whole
  std::string cause;
  std::string remedy;
};

// "kapok.toml:12:8: error: rtmp.port: ...\n    remedy: ...\n"
std::string format_problem(const ConfigProblem& problem, std::string_view severity);

struct ConfigSource {
  std::string name;  // as shown in problems
  std::string text;
  std::uint32_t mode = 0600;  // permission bits of the file
};

struct LoadedConfig {
  Config config;  // meaningful only when ok()
  std::vector<ConfigProblem> errors;
  std::vector<ConfigProblem> warnings;
  bool ok() const { return errors.empty(); }
};

// Each override is "key=value"; the value as in TOML, or bare text: window.time=30m.
LoadedConfig load_config(const ConfigSource& source, const std::vector<std::string>& overrides);
// Without a file: the defaults, and a warning that no channel exists.
LoadedConfig load_config_file(const std::optional<std::filesystem::path>& file,
                              const std::vector<std::string>& overrides);

// Up to kMaxConfigBytes and a bit: load_config refuses more. Errors: io.
Result<ConfigSource> read_config_source(const std::filesystem::path& file);
// A ladder's file; what is wrong with it is in errors and warnings, the rest is empty.
LoadedConfig load_ladder(const ConfigSource& source, media::Ladder& ladder);
// The logo that it names, if any; a path that is not absolute begins at `folder`. Errors: config,
// io.
Result<void> read_logo(media::Ladder& ladder, const std::filesystem::path& folder);
constexpr std::string_view kLogoRemedy =
    "name a PNG of at most 4 MiB and 4096x4096 pixels that the server may read";
// A preset by its name, an id. Errors: not_found (with those there are), malformed, io.
Result<media::Ladder> find_ladder(const Config& config, const std::string& name);

}  // namespace kapok::app
