// What the command line of kapok-send asks for. Pure: files with secrets are read, nothing else is
// touched.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/clock.hpp"
#include "server/base/result.hpp"
#include "server/picture/protocols/srt/key_material.hpp"
#include "server/picture/protocols/srt/stats.hpp"

namespace kapok::send_app {

constexpr int kExitGood = 0;
constexpr int kExitFailed = 1;  // refused everywhere, input unreadable, or not all was sent
constexpr int kExitUsage = 2;

// srt://host:port[?weight=N&bind=ADDRESS]
struct LinkTarget {
  std::string host;
  std::uint16_t port = 0;
  std::uint16_t weight = 0;
  std::string bind;  // the local address, hence the uplink; empty: as routing has it

  std::string name() const;  // "host:port", with its uplink if one is named
};
// Errors: config, with the remedy.
Result<LinkTarget> parse_link(std::string_view url);

// How fast the input is read: as its own clock says, or as it comes.
enum class Pace : std::uint8_t { clock, arrival };

struct Options {
  std::string input;  // a path, or "-"
  std::vector<LinkTarget> links;
  std::optional<srt::GroupType> bond;  // none: one link, not in a group
  std::string stream_id;
  std::string passphrase;
  srt::CipherMode cipher = srt::CipherMode::ctr;
  std::string filter;
  milliseconds latency{500};
  Pace pace = Pace::clock;
  bool loop = false;
};

// Either the options, or a text and the exit code to leave with (--help: 0).
struct Parsed {
  std::optional<Options> options;
  std::string text;
  int exit_code = kExitGood;
};
Parsed parse_options(int argc, const char* const* argv);

}  // namespace kapok::send_app
