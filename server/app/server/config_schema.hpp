// The one table of configuration keys: name, where the value lives, range, help, whether a reload
// applies it. Parsing, printing, checking and the reference document are loops over it, so a key
// cannot exist in one of them only. To add a key: a member in config.hpp and a line here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/app/server/config.hpp"

namespace kapok::app {

// An enumeration of one byte, by its names in order of value.
struct Choice {
  unsigned char* value;
  std::span<const std::string_view> names;
};

// Where a value lives; the alternative is its type.
using Target =
    std::variant<Port*, bool*, std::uint8_t*, std::uint32_t*, std::int32_t*, std::string*, Secret*,
                 std::filesystem::path*, microseconds*, ByteSize*, ByteBudget*,
                 std::optional<UtcTime>*, std::vector<std::string>*, Secrets*, Choice>;

// The Config, ChannelConfig, ... that a row of the table points into.
class Record {
 public:
  template <class T>
  explicit Record(T& record) : address_(&record) {}
  template <class T>
  T& as() const {
    return *static_cast<T*>(address_);
  }

 private:
  void* address_;
};

enum class Form : std::uint8_t { any, id, address, origin, required_id, required_text };
enum class Applies : std::uint8_t { on_reload, on_restart };

struct KeySpec {
  std::string_view name;
  Target (*target)(Record);
  std::string_view help;
  Applies applies = Applies::on_restart;
  Form form = Form::any;
  // In the value's base unit (count, microseconds, bytes); equal: no range.
  std::int64_t least = 0;
  std::int64_t most = 0;
};

struct SectionSpec {
  std::string_view name;  // "" for the top, "channel", "channel.feed", ...
  std::string_view help;
  std::span<const KeySpec> keys;
};

std::span<const KeySpec> root_keys();
std::span<const KeySpec> channel_keys();
std::span<const KeySpec> feed_keys();
std::span<const KeySpec> enterprise_keys();
std::span<const KeySpec> work_keys();
std::span<const KeySpec> programme_keys();
// Of a ladder's file: the ladder, a [[video]] rung, an [[audio]] rung.
std::span<const KeySpec> ladder_keys();
std::span<const KeySpec> video_rung_keys();
std::span<const KeySpec> audio_rung_keys();
std::span<const SectionSpec> sections();

const KeySpec* find_key(std::span<const KeySpec> keys, std::string_view name);
// "a port", "a duration", ...
std::string_view type_name(const Target& target);
// As it would stand in the file: quoted text, "30m", 8080, true. Secrets come out masked.
std::string format_value(const Target& target);
// "1 to 65535, 0 or \"off\"", "logfmt, json"; empty: anything of its type.
std::string format_range(const KeySpec& key, const Target& target);

}  // namespace kapok::app
