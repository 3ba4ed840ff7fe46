#include "server/app/server/ladder_book.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "server/access/secret_store.hpp"
#include "server/base/ids.hpp"

namespace kapok::app {

namespace json = boost::json;

namespace {

// A folder of more is none that a person made.
constexpr std::size_t kMaxPresets = 256;

std::string in_toml_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      (out += '\\') += c;
    else if (byte < 0x20 || byte == 0x7f)
      out += fmt::format("\\u{:04X}", unsigned{byte});
    else
      out += c;
  }
  return out += '"';
}

// Null is as good as absent. What no key of a ladder holds becomes something of that kind, to be
// refused by its name.
void append_value(std::string& out, const json::value& value) {
  if (const auto* text = value.if_string()) {
    out += in_toml_quotes({text->data(), text->size()});
  } else if (const auto* truth = value.if_bool()) {
    out += *truth ? "true" : "false";
  } else if (const auto* group = value.if_object()) {  // as deep as the JSON's reader allows
    std::string_view before = "{ ";
    for (const auto& [name, held] : *group) {
      if (held.is_null()) continue;
      out += before;
      out += in_toml_quotes(name) + " = ";
      append_value(out, held);
      before = ", ";
    }
    out += before == ", " ? " }" : "{}";
  } else if (value.is_array()) {
    out += "[0]";
  } else {
    out += json::serialize(value);
  }
}

void write_value(std::string& out, std::string_view name, const json::value& value) {
  if (value.is_null()) return;
  out += in_toml_quotes(name) + " = ";
  append_value(out, value);
  out += '\n';
}

bool is_list_of_objects(const json::value& value) {
  const auto* list = value.if_array();
  return list != nullptr && !list->empty() &&
         std::ranges::all_of(*list, [](const json::value& entry) { return entry.is_object(); });
}

std::string to_toml(const json::object& given) {
  std::string out;
  for (const auto& [name, value] : given) {
    const bool empty_list = value.is_array() && value.get_array().empty();
    const bool inner = is_list_of_objects(value) || value.is_object();
    if (!inner && !empty_list) write_value(out, name, value);
  }
  for (const auto& [name, value] : given) {
    const auto* group = value.if_object();
    if (group == nullptr) continue;
    out += fmt::format("[{}]\n", in_toml_quotes(name));
    for (const auto& [field, held] : *group) write_value(out, field, held);
  }
  for (const auto& [name, value] : given) {
    if (!is_list_of_objects(value)) continue;
    for (const json::value& entry : value.get_array()) {
      out += fmt::format("[[{}]]\n", in_toml_quotes(name));
      for (const auto& [field, held] : entry.get_object()) write_value(out, field, held);
    }
  }
  return out;
}

LoadedConfig refused(std::string key, std::string cause, std::string remedy) {
  LoadedConfig loaded;
  loaded.errors.push_back(
      {.place = {}, .key = std::move(key), .cause = std::move(cause), .remedy = std::move(remedy)});
  return loaded;
}

LoadedConfig with_logo(LoadedConfig loaded, media::Ladder& ladder,
                       const std::filesystem::path& folder) {
  if (!loaded.ok()) return loaded;
  if (const auto read = read_logo(ladder, folder); !read)
    return refused("overlay.image", read.error().message, std::string(kLogoRemedy));
  return loaded;
}

std::vector<std::filesystem::path> files_in(const std::filesystem::path& presets) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (std::filesystem::directory_iterator at(presets, error), end; !error && at != end;
       at.increment(error))
    if (at->path().extension() == ".toml" && files.size() < kMaxPresets)
      files.push_back(at->path());
  std::ranges::sort(files);
  return files;
}

LoadedConfig load_preset(const std::filesystem::path& file, media::Ladder& ladder) {
  ladder.name = file.stem().string();
  const auto source = read_config_source(file);
  if (!source) return refused("preset", source.error().message, "name one of GET /api/v1/ladders");
  LoadedConfig loaded = load_ladder(*source, ladder);
  return with_logo(std::move(loaded), ladder, file.parent_path());
}

}  // namespace

LoadedConfig load_ladder_json(const json::object& given, const std::filesystem::path& presets,
                              media::Ladder& ladder) {
  if (const json::value* preset = given.if_contains("preset")) {
    const auto* name = preset->if_string();
    const std::string_view text =
        name != nullptr ? std::string_view(name->data(), name->size()) : std::string_view();
    if (given.size() > 1)
      return refused("preset", "a preset has all of its rungs, other fields beside it do nothing",
                     "leave them out, or write the whole ladder");
    if (!is_valid_id(text))
      return refused("preset", "this is no preset's name", "name one of GET /api/v1/ladders");
    return load_preset(presets / (std::string(text) + ".toml"), ladder);
  }
  json::object rest = given;
  if (const json::value* name = given.if_contains("name")) {
    const auto* text = name->if_string();
    const std::string wanted = text != nullptr ? std::string(text->data(), text->size()) : "";
    if (!is_valid_id(wanted))
      return refused("name", "this is not a valid name",
                     "use a-z, 0-9, '-' and '_', first a letter or digit, at most 64 characters");
    ladder.name = wanted;
    rest.erase("name");
  }
  LoadedConfig loaded = load_ladder({"ladder", to_toml(rest), 0600}, ladder);
  // What elements do as they start is not for everybody who has the administrator's token.
  for (const media::VideoRung& rung : ladder.video)
    if (loaded.ok() && !rung.bin.empty())
      return refused("video.bin", "a graph of elements is not taken from the API",
                     "write the ladder into a file below transcoder.ladders and name it as the "
                     "preset");
  return with_logo(std::move(loaded), ladder, presets);
}

void LadderBook::configure(const std::vector<ChannelConfig>& channels,
                           std::filesystem::path presets) {
  std::vector<std::string> known;
  std::map<std::string, media::Ladder, std::less<>> set;
  for (const ChannelConfig& channel : channels) {
    known.push_back(channel.id);
    std::error_code ignored;
    if (!std::filesystem::exists(file_of(channel.id), ignored)) continue;
    if (auto kept = read(channel.id, presets))
      set.emplace(channel.id, *std::move(kept));
    else
      log_.error("ladder.kept_refused",
                 {{"channel", channel.id},
                  {"file", file_of(channel.id).string()},
                  {"why", kept.error().message},
                  {"remedy", "set it again through the API, or remove the file"}});
  }
  const std::lock_guard lock(mutex_);
  presets_ = std::move(presets);
  channels_ = std::move(known);
  set_ = std::move(set);
}

std::filesystem::path LadderBook::presets_folder() const {
  const std::lock_guard lock(mutex_);
  return presets_;
}

bool LadderBook::is_known(const std::string& channel) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::find(channels_, channel) != channels_.end();
}

Result<media::Ladder> LadderBook::read(const std::string& channel,
                                       const std::filesystem::path& presets) const {
  const auto source = KAPOK_TRY(read_config_source(file_of(channel)));
  boost::system::error_code error;
  json::parse_options options;
  constexpr std::size_t kMaxDepth = 8;
  options.max_depth = kMaxDepth;
  const json::value kept = json::parse(source.text, error, {}, options);
  if (error || !kept.is_object()) return fail(Errc::config, "this is no JSON object");
  media::Ladder ladder;
  ladder.name = channel;
  const LoadedConfig loaded = load_ladder_json(kept.get_object(), presets, ladder);
  if (!loaded.ok())
    return fail(Errc::config, "{}: {}", loaded.errors.front().key, loaded.errors.front().cause);
  return ladder;
}

std::expected<media::Ladder, LadderBook::Refusal> LadderBook::set(const std::string& channel,
                                                                  const json::object& wanted) {
  if (!is_known(channel))
    return std::unexpected(
        Refusal{Errc::not_found, fmt::format("there is no channel '{}'", channel), {}});
  media::Ladder ladder;
  ladder.name = channel;
  const LoadedConfig loaded = load_ladder_json(wanted, presets_folder(), ladder);
  if (!loaded.ok()) {
    const ConfigProblem& first = loaded.errors.front();
    return std::unexpected(
        Refusal{Errc::config,
                first.key.empty() ? first.cause : fmt::format("{}: {}", first.key, first.cause),
                first.remedy});
  }
  std::error_code failed;
  std::filesystem::create_directories(folder_, failed);
  if (auto written =
          access::write_secret_file(file_of(channel), as_bytes(json::serialize(wanted) + "\n"));
      !written)
    return std::unexpected(Refusal{written.error().code, written.error().message, {}});
  const std::lock_guard lock(mutex_);
  set_[channel] = ladder;
  return ladder;
}

Result<void> LadderBook::reset(const std::string& channel) {
  if (!is_known(channel)) return fail(Errc::not_found, "there is no channel '{}'", channel);
  std::error_code failed;
  const bool was_there = std::filesystem::remove(file_of(channel), failed);
  if (failed) return fail(Errc::io, "{}: {}", file_of(channel).string(), failed.message());
  {
    const std::lock_guard lock(mutex_);
    set_.erase(channel);
  }
  if (!was_there) return fail(Errc::not_found, "the channel has the configuration's ladder");
  return {};
}

Result<std::vector<media::Ladder>> LadderBook::presets() const {
  std::vector<media::Ladder> ladders;
  for (const auto& file : files_in(presets_folder())) {
    media::Ladder ladder;
    if (load_preset(file, ladder).ok()) ladders.push_back(std::move(ladder));
  }
  return ladders;
}

std::optional<media::Ladder> LadderBook::of(const std::string& channel) const {
  const std::lock_guard lock(mutex_);
  const auto found = set_.find(channel);
  return found != set_.end() ? std::optional(found->second) : std::nullopt;
}

}  // namespace kapok::app
