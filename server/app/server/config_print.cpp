#include "server/app/server/config_print.hpp"

#include <fmt/format.h>

#include <unistd.h>

namespace kapok::app {
namespace {

// Targets are made from a mutable record; printing only reads through them.
template <class T>
Record record_of(const T& value) {
  return Record(const_cast<T&>(value));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

template <class T>
void print_entry(std::string& out, std::string_view heading, std::span<const KeySpec> keys,
                 const T& value) {
  out += fmt::format("\n[[{}]]\n", heading);
  for (const KeySpec& key : keys) {
    const std::string text = format_value(key.target(record_of(value)));
    if (text.empty() || text == "\"\"" || text == "[]") continue;
    out += fmt::format("{} = {}\n", key.name, text);
  }
}

std::string print_lists(const Config& config) {
  std::string out;
  for (const ChannelConfig& channel : config.channels) {
    ChannelConfig plain = channel;  // the shorthand stands among the feeds after loading
    plain.key = {};
    plain.key_hash.clear();
    print_entry(out, "channel", channel_keys(), plain);
    for (const FeedConfig& feed : channel.feeds)
      print_entry(out, "channel.feed", feed_keys(), feed);
  }
  for (const EnterpriseConfig& enterprise : config.enterprises)
    print_entry(out, "enterprise", enterprise_keys(), enterprise);
  for (const WorkConfig& work : config.works) print_entry(out, "work", work_keys(), work);
  for (const ProgrammeConfig& programme : config.programmes)
    print_entry(out, "programme", programme_keys(), programme);
  return out;
}

bool same(const Target& a, const Target& b) {
  return format_value(a) == format_value(b);  // no secret is among the top-level keys
}

// Secrets are masked in print_lists and a ladder is shown by its name: compared as they are.
bool same_channels(const Config& before, const Config& after) {
  if (before.channels.size() != after.channels.size()) return false;
  for (std::size_t i = 0; i < before.channels.size(); ++i) {
    if (before.channels[i].rungs != after.channels[i].rungs) return false;
    const auto& a = before.channels[i].feeds;
    const auto& b = after.channels[i].feeds;
    if (a.size() != b.size()) return false;
    for (std::size_t j = 0; j < a.size(); ++j)
      if (a[j].key != b[j].key || a[j].srt_passphrase != b[j].srt_passphrase ||
          a[j].urls != b[j].urls)
        return false;
  }
  return true;
}

template <class List>
std::string print_one(const Config& config, List Config::* list) {
  Config only;
  only.*list = config.*list;
  return print_lists(only);
}

std::string_view default_note(std::string_view key) {
  if (key == "spool.dir") return "`<data.dir>/spool`";
  if (key == "ledger.dir") return "`<data.dir>/ledger`";
  if (key == "web.root") return "the installed pages";
  if (key == "vod.dir") return "`<data.dir>/vod`";
  if (key == "transcoder.program") return "`kapok-transcoder` beside `kapok-server`";
  if (key == "transcoder.ladders") return "the installed ones";
  return "";
}

template <class T>
void reference_rows(std::string& out, std::span<const KeySpec> keys) {
  T defaults{};
  out += "| key | type | default | range | on reload | meaning |\n|---|---|---|---|---|---|\n";
  for (const KeySpec& key : keys) {
    const Target target = key.target(Record(defaults));
    const bool required = key.form == Form::required_id || key.form == Form::required_text;
    std::string value = format_value(target);
    if (required)
      value = "required";
    else if (value.empty() || value == "\"\"")
      value = default_note(key.name);
    else
      value = "`" + value + "`";
    out += fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", key.name, type_name(target), value,
                       format_range(key, target),
                       key.applies == Applies::on_reload ? "applied" : "restart", key.help);
  }
  out += "\n";
}

}  // namespace

std::string print_config(const Config& config) {
  std::string out = "# In effect. Keys are masked.\n";
  std::string_view group;
  for (const KeySpec& key : root_keys()) {
    const auto dot = key.name.find('.');
    const std::string_view in = key.name.substr(0, dot);
    if (in != group) {
      out += fmt::format("\n[{}]\n", in);
      group = in;
    }
    out += fmt::format("{} = {}\n", key.name.substr(dot + 1),
                       format_value(key.target(record_of(config))));
  }
  return out + print_lists(config);
}

std::string config_reference() {
  std::string out =
      "# Configuration\n\n"
      "<!-- Made by kapok-server --config-reference; do not edit. -->\n\n"
      "`kapok-server --config FILE` reads one TOML file. `--set key=value` (repeatable) overrides "
      "a key of the first table. `--check` reads everything, prints every problem with line, "
      "column and remedy, and exits 0 or 1. `--print-config` prints what is in effect.\n\n"
      "Durations are written as `\"200ms\"`, `\"2s\"`, `\"30m\"`, `\"6h\"`, `\"1d\"`; sizes as "
      "`\"64KiB\"`, `\"40GiB\"` (powers of 1024) or `\"40GB\"` (powers of 1000); times as RFC 3339 "
      "with offset. An unknown key is an error.\n\n"
      "A file with a plain publish key must have mode 0600. On SIGHUP the file is read again: keys "
      "marked \"applied\" take effect at once, the others at the next start (the log names them); "
      "a file with errors changes nothing.\n\n";
  for (const SectionSpec& section : sections()) {
    if (section.name.empty())
      out += "## The server\n\n";
    else if (section.name.find(' ') != std::string_view::npos)
      out += "## A ladder's file\n\n";
    else
      out += fmt::format("## `[[{}]]`\n\n", section.name);
    out += fmt::format("{}\n\n", section.help);
    if (section.name.empty()) reference_rows<Config>(out, section.keys);
    if (section.name == "channel") reference_rows<ChannelConfig>(out, section.keys);
    if (section.name == "channel.feed") reference_rows<FeedConfig>(out, section.keys);
    if (section.name == "enterprise") reference_rows<EnterpriseConfig>(out, section.keys);
    if (section.name == "work") reference_rows<WorkConfig>(out, section.keys);
    if (section.name == "programme") reference_rows<ProgrammeConfig>(out, section.keys);
    if (section.name == "ladder file") reference_rows<media::Ladder>(out, section.keys);
    if (section.name == "video") reference_rows<media::VideoRung>(out, section.keys);
    if (section.name == "audio") reference_rows<media::AudioRung>(out, section.keys);
  }
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

std::vector<ConfigChange> config_changes(const Config& before, const Config& after) {
  std::vector<ConfigChange> changes;
  for (const KeySpec& key : root_keys())
    if (!same(key.target(record_of(before)), key.target(record_of(after))))
      changes.push_back({std::string(key.name), key.applies});
  const auto list = [&](std::string key, bool differs) {
    if (differs) changes.push_back({std::move(key), Applies::on_reload});
  };
  list("channel", print_one(before, &Config::channels) != print_one(after, &Config::channels) ||
                      !same_channels(before, after));
  list("enterprise",
       print_one(before, &Config::enterprises) != print_one(after, &Config::enterprises));
  list("work", print_one(before, &Config::works) != print_one(after, &Config::works));
  list("programme",
       print_one(before, &Config::programmes) != print_one(after, &Config::programmes));
  return changes;
}

namespace {

std::filesystem::path found(const std::filesystem::path& program, std::string_view installed,
                            std::string_view in_source_tree) {
  std::error_code ignored;
  const auto beside = program.parent_path().parent_path() / "share" / "kapok" / installed;
  if (std::filesystem::is_directory(beside, ignored)) return beside;
  // build/<preset>/bin/kapok-server -> the source tree above it.
  std::filesystem::path folder = program.parent_path();
  for (int up = 0; up < 5 && folder.has_relative_path(); ++up, folder = folder.parent_path())
    if (std::filesystem::is_directory(folder / in_source_tree, ignored))
      return folder / in_source_tree;
  return {};
}

}  // namespace

std::filesystem::path found_web_root(const std::filesystem::path& program) {
  return found(program, "web", "player/dist");
}

std::filesystem::path found_ladders(const std::filesystem::path& program) {
  return found(program, "ladders", "config/ladders");
}

std::filesystem::path found_transcoder(const std::filesystem::path& program) {
  return program.parent_path() / "kapok-transcoder";
}

}  // namespace kapok::app
