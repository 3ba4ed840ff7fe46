// Where loading collects what is wrong: problems in the order found, and the place of every value
// that was read, so that checks across values (config_validate) can name both lines.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/app/server/config_load.hpp"
#include "server/app/server/config_schema.hpp"

namespace kapok::app {

class ConfigProblems {
 public:
  explicit ConfigProblems(LoadedConfig& loaded) : loaded_(loaded) {}

  void error(ConfigPlace place, std::string key, std::string cause, std::string remedy) {
    if (loaded_.errors.size() < kMaxConfigProblems)
      loaded_.errors.push_back(
          {std::move(place), std::move(key), std::move(cause), std::move(remedy)});
  }
  void warn(ConfigPlace place, std::string key, std::string cause, std::string remedy) {
    if (loaded_.warnings.size() < kMaxConfigProblems)
      loaded_.warnings.push_back(
          {std::move(place), std::move(key), std::move(cause), std::move(remedy)});
  }

  void note_place(const std::string& key, ConfigPlace place) { places_[key] = std::move(place); }
  bool given(const std::string& key) const { return places_.contains(key); }
  // Of the value, else of the entry that should have held it, else of the whole file.
  ConfigPlace place_of(std::string key) const {
    while (true) {
      if (const auto found = places_.find(key); found != places_.end()) return found->second;
      const auto dot = key.rfind('.');
      if (dot == std::string::npos) return {};
      key.resize(dot);
    }
  }
  // What was found wrong in another file that this one names.
  void adopt(const LoadedConfig& other) {
    for (const ConfigProblem& problem : other.errors)
      error(problem.place, problem.key, problem.cause, problem.remedy);
    for (const ConfigProblem& problem : other.warnings)
      warn(problem.place, problem.key, problem.cause, problem.remedy);
  }
  // An error about a value that was read.
  void error_at(const std::string& key, std::string cause, std::string remedy) {
    error(place_of(key), key, std::move(cause), std::move(remedy));
  }

 private:
  LoadedConfig& loaded_;
  std::map<std::string, ConfigPlace> places_;
};

// The nearest known name, when it is near enough to be a slip; empty: none is.
std::string nearest_key(std::string_view unknown, std::span<const KeySpec> keys);

// Passphrases: their lengths, the files that hold them, and what a feed takes from its channel.
void validate_srt(Config& config, ConfigProblems& problems);

// Ladders: reads the presets and files that channels name.
void validate_ladders(Config& config, ConfigProblems& problems);

// Checks across values: references, duplicates, pairs that belong together.
void validate_config(const ConfigSource& source, Config& config, ConfigProblems& problems);

}  // namespace kapok::app
