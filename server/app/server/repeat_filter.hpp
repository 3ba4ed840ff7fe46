// Keeps a flood out of the log: the same event with the same fields is written at most once a
// second, and one event name at most kMaxPerNamePerSecond times; what was held back is counted and
// told once the second is over. Pure, single-threaded, bounded.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/clock.hpp"
#include "server/base/log.hpp"

namespace kapok::app {

class RepeatFilter {
 public:
  // A scanner that opens thousands of connections must not hide everything else.
  static constexpr std::uint32_t kMaxPerNamePerSecond = 50;
  static constexpr std::size_t kMaxRemembered = 4096;

  struct Summary {
    LogLevel level = LogLevel::info;
    std::string event;
    std::string fields;  // of the held-back line; empty: various
    std::uint64_t repeated = 0;
  };

  // True: write it now. `fields` is the rendered text of context and fields.
  bool admit(MonoTime now, LogLevel level, std::string_view event, std::string_view fields);
  // What was held back and whose second is over.
  std::vector<Summary> due(MonoTime now);
  // Everything held back so far, whatever the time.
  std::vector<Summary> all();

 private:
  struct Entry {
    MonoTime since;
    LogLevel level = LogLevel::info;
    std::uint32_t written = 0;
    std::uint64_t held = 0;
  };
  using Key = std::pair<std::string, std::string>;  // event, fields; fields "\n": the name itself
  void collect(std::vector<Summary>& out, const Key& key, const Entry& entry) const;
  Entry& entry_for(MonoTime now, LogLevel level, Key key);

  std::map<Key, Entry> entries_;
  MonoTime last_sweep_{};
};

}  // namespace kapok::app
