// The configuration: whatever the file and the overrides say, loading ends with a configuration or
// with problems; and what loads prints as a configuration that loads to the same. A ladder's file
// ends with a ladder that is valid, or with problems; so does one that comes as JSON.
// Input: overrides, one a line, up to a line "---"; then the file.
#include <boost/json/parse.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "server/app/server/config_load.hpp"
#include "server/app/server/config_print.hpp"
#include "server/app/server/ladder_book.hpp"

namespace {

void check(const kapok::app::LoadedConfig& loaded) {
  for (const kapok::app::ConfigProblem& problem : loaded.errors)
    if (problem.cause.empty() || problem.remedy.empty()) std::abort();
}

void load_as_ladder(std::string_view input) {
  kapok::media::Ladder ladder;
  ladder.name = "fuzz";
  const auto loaded = kapok::app::load_ladder({"ladder.toml", std::string(input), 0600}, ladder);
  check(loaded);
  if (loaded.ok() && !kapok::media::validate(ladder)) std::abort();
}

// What the API is given: JSON that means the same as a ladder's file.
void load_as_json(std::string_view input) {
  boost::system::error_code error;
  boost::json::parse_options options;
  options.max_depth = 8;
  const auto given = boost::json::parse(input, error, {}, options);
  if (error || !given.is_object()) return;
  kapok::media::Ladder ladder;
  ladder.name = "fuzz";
  const auto loaded = kapok::app::load_ladder_json(given.get_object(), "/nowhere", ladder);
  check(loaded);
  if (loaded.ok() && !kapok::media::validate(ladder)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kapok::app;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> overrides;
  if (const auto end = input.find("\n---\n"); end != std::string_view::npos) {
    std::string_view lines = input.substr(0, end);
    input.remove_prefix(end + 5);
    while (!lines.empty() && overrides.size() < 8) {
      const auto line_end = lines.find('\n');
      overrides.emplace_back(lines.substr(0, line_end));
      lines.remove_prefix(line_end == std::string_view::npos ? lines.size() : line_end + 1);
    }
  }
  load_as_ladder(input);
  load_as_json(input);
  const LoadedConfig loaded = load_config({"fuzz.toml", std::string(input), 0600}, overrides);
  check(loaded);
  if (!loaded.ok()) return 0;
  // Keys are printed masked, and a mask is long enough to be a key.
  const std::string printed = print_config(loaded.config);
  const LoadedConfig again = load_config({"printed.toml", printed, 0600}, {});
  if (!again.ok() || print_config(again.config) != printed) std::abort();
  return 0;
}
