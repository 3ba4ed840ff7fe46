// The configuration as text: what is in effect (--print-config, secrets masked), the reference
// document (docs/configuration.md), and what a reload changed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/app/server/config.hpp"
#include "server/app/server/config_schema.hpp"

namespace kapok::app {

// TOML that means the same, keys masked.
std::string print_config(const Config& config);
// Markdown; docs/configuration.md is this and nothing else.
std::string config_reference();

struct ConfigChange {
  std::string key;
  Applies applies = Applies::on_restart;
};
// Top-level keys whose values differ, and "channel", "programme", ... for the lists.
std::vector<ConfigChange> config_changes(const Config& before, const Config& after);

}  // namespace kapok::app
