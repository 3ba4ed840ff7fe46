// What channels name as their ladder: a preset of the ladders' folder or a file.
#include <fmt/format.h>

#include <algorithm>

#include "server/app/server/config_problems.hpp"
#include "server/app/server/process_facts.hpp"
#include "server/base/ids.hpp"

namespace kapok::app {
namespace {

std::string names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error))
    if (at->path().extension() == ".toml") names.push_back(at->path().stem().string());
  std::ranges::sort(names);
  return fmt::format("{}", fmt::join(names, ", "));
}

// A preset is an id; anything else is a path.
std::filesystem::path file_of(const std::string& ladder, const std::filesystem::path& presets) {
  return is_valid_id(ladder) ? presets / (ladder + ".toml") : std::filesystem::path(ladder);
}

}  // namespace

std::filesystem::path ladder_presets(const Config& config) {
  return config.transcoder.ladders.empty() ? found_ladders(this_program())
                                           : config.transcoder.ladders;
}

void validate_ladders(Config& config, ConfigProblems& problems) {
  const auto program = this_program();
  const auto presets = ladder_presets(config);
  const auto transcoder =
      config.transcoder.program.empty() ? found_transcoder(program) : config.transcoder.program;
  bool told = false;
  for (std::size_t i = 0; i < config.channels.size(); ++i) {
    ChannelConfig& channel = config.channels[i];
    if (channel.ladder.empty()) continue;
    const std::string key = fmt::format("channel[{}].ladder", i);
    const auto file = file_of(channel.ladder, presets);
    const auto source = read_config_source(file);
    if (!source) {
      problems.error_at(key, fmt::format("{}: {}", file.string(), source.error().message),
                        fmt::format("name a file, or one of the presets: {}", names_in(presets)));
      continue;
    }
    media::Ladder ladder;
    ladder.name = file.stem().string();
    const LoadedConfig loaded = load_ladder(*source, ladder);
    problems.adopt(loaded);
    if (!loaded.ok()) continue;
    channel.rungs = std::move(ladder);
    std::error_code ignored;
    if (!std::exchange(told, true) && !std::filesystem::exists(transcoder, ignored))
      problems.warn(problems.place_of(key), key,
                    fmt::format("{} is not there, so no rung will be made", transcoder.string()),
                    "build kapok-transcoder, or set transcoder.program");
  }
}

}  // namespace kapok::app
