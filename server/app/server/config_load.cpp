#include "server/app/server/config_load.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <toml++/toml.h>

#include <cerrno>
#include <limits>

#include "server/app/server/config_problems.hpp"
#include "server/app/server/config_schema.hpp"
#include "server/base/ids.hpp"
#include "server/hours/ledger/note.hpp"

namespace kapok::app {
namespace {

constexpr std::size_t kMaxValueBytes = 4096;  // of one text value

std::string_view toml_type(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "text";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a decimal number";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::date:
      return "a date";
    case toml::node_type::time:
      return "a time of day";
    case toml::node_type::date_time:
      return "a date and time";
    default:
      return "nothing";
  }
}

std::optional<std::string> text_of(const toml::node& node) {
  const auto* text = node.as_string();
  if (text == nullptr) return std::nullopt;
  return text->get();
}

Error wrong_type(std::string_view wanted, const toml::node& node) {
  return {Errc::config, fmt::format("{} expected, this is {}", wanted, toml_type(node))};
}

Result<UtcTime> time_of(const toml::date_time& value) {
  if (!value.offset)
    return fail(Errc::config, "the time has no offset, so it could mean any time zone");
  const std::chrono::year_month_day date{std::chrono::year(value.date.year),
                                         std::chrono::month(value.date.month),
                                         std::chrono::day(value.date.day)};
  if (!date.ok()) return fail(Errc::config, "there is no such date");
  return UtcTime(std::chrono::sys_days(date)) + std::chrono::hours(value.time.hour) +
         std::chrono::minutes(value.time.minute) + seconds(value.time.second) +
         microseconds(value.time.nanosecond / 1000) - std::chrono::minutes(value.offset->minutes);
}

Result<void> check_range(const KeySpec& key, std::int64_t value, const Target& target) {
  if (key.least == key.most || (value >= key.least && value <= key.most)) return {};
  return fail(Errc::config, "{} is out of range", format_value(target));
}

// Puts a TOML value where a key lives. The error says what is wrong with the value.
struct Assign {
  const KeySpec& key;
  const toml::node& node;
  const Target& target;

  Result<void> operator()(Port* port) const {
    if (const auto text = text_of(node)) {
      if (*text != "off") return fail(Errc::config, "'{}' is not a port", *text);
      port->number = 0;
      return {};
    }
    const auto* number = node.as_integer();
    if (number == nullptr) return std::unexpected(wrong_type("a port number or \"off\"", node));
    if (number->get() < 0 || number->get() > 65535)
      return fail(Errc::config, "{} is out of range", number->get());
    port->number = static_cast<std::uint16_t>(number->get());
    return {};
  }
  Result<void> operator()(bool* value) const {
    const auto* given = node.as_boolean();
    if (given == nullptr) return std::unexpected(wrong_type("true or false", node));
    *value = given->get();
    return {};
  }
  Result<void> operator()(std::uint8_t* value) const { return whole_number(*value); }
  Result<void> operator()(std::uint32_t* value) const { return whole_number(*value); }
  Result<void> operator()(std::int32_t* value) const { return whole_number(*value); }
  template <class Number>
  Result<void> whole_number(Number& value) const {
    const auto* number = node.as_integer();
    if (number == nullptr) return std::unexpected(wrong_type("a whole number", node));
    if (number->get() < key.least || number->get() > key.most)
      return fail(Errc::config, "{} is out of range", number->get());
    value = static_cast<Number>(number->get());
    return {};
  }
  Result<std::string> text() const {
    auto given = text_of(node);
    if (!given) return std::unexpected(wrong_type("text in quotes", node));
    if (given->size() > kMaxValueBytes)
      return fail(Errc::config, "the text is longer than {} bytes", kMaxValueBytes);
    if (given->find('\0') != std::string::npos)
      return fail(Errc::config, "the text holds a NUL character");
    return std::move(*given);
  }
  Result<void> operator()(std::string* value) const {
    *value = KAPOK_TRY(text());
    return {};
  }
  Result<void> operator()(Secret* value) const {
    value->text = KAPOK_TRY(text());
    return {};
  }
  Result<void> operator()(std::filesystem::path* value) const {
    *value = KAPOK_TRY(text());
    return {};
  }
  Result<void> operator()(microseconds* value) const {
    const auto given = text_of(node);
    if (!given)
      return fail(Errc::config, "a duration in quotes with its unit expected, this is {}",
                  toml_type(node));
    *value = KAPOK_TRY(parse_duration(*given));
    return check_range(key, value->count(), target);
  }
  Result<void> operator()(ByteSize* value) const {
    const auto given = text_of(node);
    if (!given)
      return fail(Errc::config, "a size in quotes with its unit expected, this is {}",
                  toml_type(node));
    *value = KAPOK_TRY(parse_bytes(*given));
    return check_range(key, static_cast<std::int64_t>(value->bytes), target);
  }
  Result<void> operator()(ByteBudget* value) const {
    const auto given = text_of(node);
    if (!given)
      return fail(Errc::config, "a size (\"40GiB\") or a share (\"25%\") expected, this is {}",
                  toml_type(node));
    *value = KAPOK_TRY(parse_budget(*given));
    if (const auto* size = std::get_if<ByteSize>(value))
      return check_range(key, static_cast<std::int64_t>(size->bytes), target);
    return {};
  }
  Result<void> operator()(std::optional<UtcTime>* value) const {
    if (const auto* given = node.as_date_time()) {
      *value = KAPOK_TRY(time_of(given->get()));
      return {};
    }
    const auto given = text_of(node);
    if (!given) return std::unexpected(wrong_type("a date and time with offset", node));
    *value = KAPOK_TRY(parse_rfc3339(*given));
    return {};
  }
  Result<void> operator()(std::vector<std::string>* list) const {
    const auto* given = node.as_array();
    if (given == nullptr) return std::unexpected(wrong_type("a list of texts in brackets", node));
    if (given->size() > static_cast<std::size_t>(key.most))
      return fail(Errc::config, "a list of {} entries", given->size());
    list->clear();
    for (const toml::node& element : *given) {
      std::string text;
      KAPOK_TRY((Assign{key, element, target}(&text)));
      list->push_back(std::move(text));
    }
    return {};
  }
  Result<void> operator()(Secrets* secrets) const { return (*this)(&secrets->texts); }
  Result<void> operator()(const Choice& choice) const {
    const auto given = text_of(node);
    if (!given) return std::unexpected(wrong_type("one of a list of words in quotes", node));
    for (std::size_t i = 0; i < choice.names.size(); ++i) {
      if (choice.names[i] != *given) continue;
      *choice.value = static_cast<unsigned char>(i);
      return {};
    }
    return fail(Errc::config, "'{}' is not one of the known words", *given);
  }
};

std::string remedy_for(const KeySpec& key, const Target& target) {
  const std::string_view short_name = key.name.substr(key.name.rfind('.') + 1);
  if (std::holds_alternative<std::optional<UtcTime>*>(target))
    return fmt::format("write {} = 2026-11-23T20:00:00+08:00", short_name);
  const std::string range = format_range(key, target);
  if (!range.empty()) return fmt::format("allowed: {}", range);
  return fmt::format("write a {}", type_name(target));
}

class Loader {
 public:
  Loader(const ConfigSource& source, LoadedConfig& loaded)
      : source_(source), loaded_(loaded), problems_(loaded) {}

  void read_file() {
    toml::table root;
    if (parse(root)) read_root(root, "");
  }

  void apply_override(const std::string& setting) {
    const ConfigPlace place{"--set " + masked(setting), 0, 0};
    const auto equals = setting.find('=');
    if (equals == std::string::npos || equals == 0) {
      problems_.error(place, "", "an override is key=value", "for example --set http.port=8081");
      return;
    }
    const std::string name = setting.substr(0, equals);
    const KeySpec* key = find_key(root_keys(), name);
    if (key == nullptr) {
      unknown_key(place, name, name, root_keys());
      return;
    }
    const std::string text = setting.substr(equals + 1);
    std::optional<toml::table> parsed;
    if (text.find('\n') == std::string::npos) {
      try {
        parsed = toml::parse("v = " + text);
      } catch (const toml::parse_error&) {
        // Bare text, as in window.time=30m: taken as if it were in quotes.
      }
    }
    if (parsed && parsed->size() == 1 && parsed->get("v") != nullptr) {
      set(*key, name, Record(loaded_.config), *parsed->get("v"), place);
    } else {
      const toml::value<std::string> bare(text);
      set(*key, name, Record(loaded_.config), bare, place);
    }
  }

  void validate() { validate_config(source_, loaded_.config, problems_); }

  // The source is a ladder's file.
  void read_ladder(media::Ladder& ladder) {
    toml::table root;
    if (!parse(root)) return;
    for (const auto& [name, node] : root) {
      const ConfigPlace at = place(name.source());
      if (name.str() == "video")
        read_list(name.str(), node, at, ladder.video, video_rung_keys());
      else if (name.str() == "audio")
        read_list(name.str(), node, at, ladder.audio, audio_rung_keys());
      else
        read_ladder_key(std::string(name.str()), node, at, ladder);
    }
    check_rungs("video", ladder.video);
    check_rungs("audio", ladder.audio);
    if (!loaded_.ok()) return;
    if (auto valid = media::validate(ladder); !valid)
      problems_.error({source_.name, 1, 1}, "", std::move(valid.error().message),
                      "docs/configuration.md says what a ladder's file may hold");
  }

 private:
  bool parse(toml::table& root) {
    if (source_.text.size() > kMaxConfigBytes) {
      problems_.error({source_.name, 0, 0}, "",
                      fmt::format("the file is larger than {} bytes", kMaxConfigBytes),
                      "split off what is not configuration");
      return false;
    }
    try {
      root = toml::parse(source_.text, source_.name);
      return true;
    } catch (const toml::parse_error& error) {
      const auto& at = error.source().begin;
      problems_.error({source_.name, at.line, at.column}, "", std::string(error.description()),
                      "correct the TOML syntax there; text values need quotes");
      return false;
    }
  }

  // [detect] black = "2s"  and  detect.black = "2s"  are the same key.
  void read_ladder_key(const std::string& shown, const toml::node& node, const ConfigPlace& at,
                       media::Ladder& ladder) {
    const bool group = is_group(ladder_keys(), shown + ".");
    if (const KeySpec* key = find_key(ladder_keys(), shown))
      set(*key, shown, Record(ladder), node, place(node.source()));
    else if (const auto* inner = node.as_table(); inner != nullptr && group)
      for (const auto& [name, value] : *inner)
        read_ladder_key(fmt::format("{}.{}", shown, name.str()), value, place(name.source()),
                        ladder);
    else if (group)
      problems_.error(at, shown, "this is a group of keys, not a value",
                      fmt::format("write it as [{}] with keys below it", shown));
    else
      unknown_key(at, shown, shown, ladder_keys());
  }

  template <class Rung>
  void check_rungs(std::string_view list, const std::vector<Rung>& rungs) {
    for (std::size_t i = 0; i < rungs.size(); ++i) {
      const auto valid = media::validate(rungs[i]);
      if (valid) continue;
      // The message begins with the field that is wrong; one that was left out has no place.
      const std::string& why = valid.error().message;
      const std::string key = fmt::format("{}[{}].{}", list, i, why.substr(0, why.find(' ')));
      problems_.error_at(key, why, "docs/configuration.md says what a rung may be");
    }
  }

  // A key may be slipped in after --set, wrongly: never repeat it.
  static std::string masked(const std::string& setting) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos) return setting.substr(0, 64);
    const std::string name = setting.substr(0, equals);
    return find_key(root_keys(), name) != nullptr ? setting.substr(0, 200) : name + "=...";
  }
  ConfigPlace place(const toml::source_region& region) const {
    return {source_.name, region.begin.line, region.begin.column};
  }

  void unknown_key(const ConfigPlace& at, const std::string& shown, std::string_view name,
                   std::span<const KeySpec> keys) {
    const std::string near = nearest_key(name, keys);
    problems_.error(at, shown, "no such key",
                    near.empty() ? "see docs/configuration.md, or kapok-server --config-reference"
                                 : fmt::format("did you mean {}?", near));
  }

  void set(const KeySpec& key, const std::string& shown, Record record, const toml::node& node,
           const ConfigPlace& at) {
    const Target target = key.target(record);
    problems_.note_place(shown, at);
    const Result<void> assigned = std::visit(Assign{key, node, target}, target);
    if (!assigned) {
      problems_.error(at, shown, assigned.error().message, remedy_for(key, target));
      return;
    }
    check_form(key, shown, target, at);
  }

  void check_form(const KeySpec& key, const std::string& shown, const Target& target,
                  const ConfigPlace& at) {
    const auto* held = std::get_if<std::string*>(&target);
    if (held == nullptr) return;
    const std::string& text = **held;
    switch (key.form) {
      case Form::id:
        if (text.empty()) return;
        [[fallthrough]];
      case Form::required_id:
        if (!is_valid_id(text))
          problems_.error(at, shown, fmt::format("'{}' is not a valid name", text),
                          "use a-z, 0-9, '-' and '_', first a letter or digit, at most 64 "
                          "characters");
        return;
      case Form::address:
        if (text.empty() ||
            text.find_first_not_of("0123456789abcdefABCDEF:.%") != std::string::npos)
          problems_.error(at, shown, fmt::format("'{}' is not an IP address", text),
                          "write an IPv6 or IPv4 address: \"::\" for all, \"127.0.0.1\" for this "
                          "machine only");
        return;
      case Form::origin:
        if (!ledger::is_valid_note_name(text))
          problems_.error(at, shown, fmt::format("'{}' cannot name a log", text),
                          "write host/name in ASCII, without spaces or '+'");
        return;
      case Form::required_text:
        if (text.empty())
          problems_.error(at, shown, "the text is empty", "write the name that people know");
        return;
      case Form::any:
        return;
    }
  }

  // [rtmp] port = 1935  and  rtmp.port = 1935  are the same key.
  void read_root(const toml::table& table, const std::string& prefix) {
    for (const auto& [name, node] : table) {
      const std::string shown = prefix + std::string(name.str());
      const ConfigPlace at = place(name.source());
      if (prefix.empty() && read_section(name.str(), node, at)) continue;
      if (const KeySpec* key = find_key(root_keys(), shown)) {
        set(*key, shown, Record(loaded_.config), node, place(node.source()));
        continue;
      }
      const bool inner = is_group(root_keys(), shown + ".");
      if (const auto* sub = node.as_table(); sub != nullptr && inner) {
        read_root(*sub, shown + ".");
        continue;
      }
      if (inner)
        problems_.error(at, shown, "this is a group of keys, not a value",
                        fmt::format("write it as [{}] with keys below it", shown));
      else
        unknown_key(at, shown, shown, root_keys());
    }
  }
  static bool is_group(std::span<const KeySpec> keys, std::string_view prefix) {
    return std::ranges::any_of(keys,
                               [&](const KeySpec& key) { return key.name.starts_with(prefix); });
  }

  bool read_section(std::string_view name, const toml::node& node, const ConfigPlace& at) {
    if (name == "channel") {
      each(name, node, at, [this](const toml::table& entry, const std::string& shown) {
        ChannelConfig channel;
        read_entry(entry, shown, Record(channel), channel_keys(), "feed");
        if (const toml::node* feeds = entry.get("feed"))
          each(shown + ".feed", *feeds, place(feeds->source()),
               [&](const toml::table& inner, const std::string& inner_shown) {
                 FeedConfig feed;
                 read_entry(inner, inner_shown, Record(feed), feed_keys(), "");
                 channel.feeds.push_back(std::move(feed));
               });
        loaded_.config.channels.push_back(std::move(channel));
      });
    } else if (name == "enterprise") {
      read_list(name, node, at, loaded_.config.enterprises, enterprise_keys());
    } else if (name == "work") {
      read_list(name, node, at, loaded_.config.works, work_keys());
    } else if (name == "programme") {
      read_list(name, node, at, loaded_.config.programmes, programme_keys());
    } else {
      return false;
    }
    return true;
  }

  template <class T>
  void read_list(std::string_view name, const toml::node& node, const ConfigPlace& at,
                 std::vector<T>& out, std::span<const KeySpec> keys) {
    each(name, node, at, [&](const toml::table& entry, const std::string& shown) {
      T value;
      read_entry(entry, shown, Record(value), keys, "");
      out.push_back(std::move(value));
    });
  }

  template <class Entry>
  void each(std::string_view name, const toml::node& node, const ConfigPlace& at, Entry&& entry) {
    const auto* array = node.as_array();
    if (array == nullptr) {
      const std::string plain(name.substr(name.rfind('.') + 1));
      problems_.error(
          at, std::string(name), "there may be several of these, so it is a list",
          fmt::format("write [[{}]] with two brackets",
                      name.find('[') == std::string_view::npos ? plain : "channel." + plain));
      return;
    }
    std::size_t index = 0;
    for (const toml::node& element : *array) {
      const std::string shown = fmt::format("{}[{}]", name, index++);
      const auto* table = element.as_table();
      if (table == nullptr) {
        problems_.error(place(element.source()), shown, "a table of keys expected",
                        "write each entry under its own [[...]] heading");
        continue;
      }
      problems_.note_place(shown, place(element.source()));
      entry(*table, shown);
    }
  }

  void read_entry(const toml::table& table, const std::string& shown, Record record,
                  std::span<const KeySpec> keys, std::string_view nested) {
    for (const auto& [name, node] : table) {
      if (!nested.empty() && name.str() == nested) continue;
      const std::string full = fmt::format("{}.{}", shown, name.str());
      if (const KeySpec* key = find_key(keys, name.str()))
        set(*key, full, record, node, place(node.source()));
      else
        unknown_key(place(name.source()), full, name.str(), keys);
    }
    for (const KeySpec& key : keys) {
      const bool required = key.form == Form::required_id || key.form == Form::required_text;
      const std::string full = fmt::format("{}.{}", shown, key.name);
      if (required && !problems_.given(full))
        problems_.error(place(table.source()), full, "missing",
                        fmt::format("add {} = \"...\" to this entry: {}", key.name, key.help));
    }
  }

  const ConfigSource& source_;
  LoadedConfig& loaded_;
  ConfigProblems problems_;
};

LoadedConfig cannot_read(const std::filesystem::path& file, const Error& error) {
  LoadedConfig loaded;
  std::error_code ignored;
  const std::string_view remedy =
      !std::filesystem::exists(file, ignored)
          ? "check the path given to --config; config/kapok.toml is an example"
      : std::filesystem::is_directory(file, ignored) ? "give --config the file in that folder"
                                                     : "check that this user may read the file";
  loaded.errors.push_back({{file.string(), 0, 0}, "", error.message, std::string(remedy)});
  return loaded;
}

}  // namespace

std::string format_problem(const ConfigProblem& problem, std::string_view severity) {
  std::string out = problem.place.source;
  if (problem.place.line != 0)
    out += fmt::format(":{}:{}", problem.place.line, problem.place.column);
  if (!out.empty()) out += ": ";
  out += fmt::format("{}: ", severity);
  if (!problem.key.empty()) out += problem.key + ": ";
  out += problem.cause + "\n";
  if (!problem.remedy.empty()) out += "    remedy: " + problem.remedy + "\n";
  return out;
}

LoadedConfig load_config(const ConfigSource& source, const std::vector<std::string>& overrides) {
  LoadedConfig loaded;
  Loader loader(source, loaded);
  loader.read_file();
  for (const std::string& setting : overrides) loader.apply_override(setting);
  loader.validate();
  return loaded;
}

Result<ConfigSource> read_config_source(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return std::unexpected(system_error(errno, "cannot be read"));
  ConfigSource source{file.string(), "", 0600};
  struct stat facts{};
  int error = ::fstat(fd, &facts) != 0 ? errno : S_ISDIR(facts.st_mode) ? EISDIR : 0;
  source.mode = static_cast<std::uint32_t>(facts.st_mode) & 07777u;
  char block[16384];
  while (error == 0 && source.text.size() <= kMaxConfigBytes) {
    const ssize_t size = ::read(fd, block, sizeof block);
    if (size < 0) error = errno;
    if (size <= 0) break;
    source.text.append(block, static_cast<std::size_t>(size));
  }
  ::close(fd);
  if (error != 0) return std::unexpected(system_error(error, "cannot be read"));
  return source;
}

LoadedConfig load_config_file(const std::optional<std::filesystem::path>& file,
                              const std::vector<std::string>& overrides) {
  if (!file) return load_config({"built-in defaults", "", 0600}, overrides);
  const auto source = read_config_source(*file);
  if (!source) return cannot_read(*file, source.error());
  return load_config(*source, overrides);
}

LoadedConfig load_ladder(const ConfigSource& source, media::Ladder& ladder) {
  LoadedConfig loaded;
  Loader(source, loaded).read_ladder(ladder);
  return loaded;
}

}  // namespace kapok::app
