// Who offers what, where and when: enterprises, works and programmes, and the schedule that joins a
// channel and a time to a programme. A programme is a work's appearance on a channel. Immutable
// once made: a reload makes a new one. Its canonical text goes into the ledger, so that a report
// finds the names and titles that were in force.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/clock.hpp"
#include "server/base/crypto.hpp"
#include "server/base/result.hpp"

namespace kapok::catalogue {

// [粤工信信软〔2020〕37号 clause 17] the four kinds that may file.
enum class EnterpriseKind : std::uint8_t { broadcaster, iptv, state_internet, private_internet };
std::string_view name_of(EnterpriseKind kind);

struct Enterprise {
  std::string id;
  std::string name;
  EnterpriseKind kind = EnterpriseKind::broadcaster;
  bool operator==(const Enterprise&) const = default;
};

struct Work {
  std::string id;
  std::string title;
  bool baseline = false;  // offered before the window: its hours are never new
  bool operator==(const Work&) const = default;
};

struct Programme {
  std::string id;
  std::string work;
  std::string title;
  std::string channel;
  std::string enterprise;
  std::optional<UtcTime> from;    // nothing: since ever
  std::optional<UtcTime> to;      // nothing: until further notice
  bool free = true;               // for households in the province
  std::uint32_t region = 440000;  // GB/T 2260: where it is offered
  bool operator==(const Programme&) const = default;
};

struct CatalogueConfig {
  std::vector<Enterprise> enterprises;
  std::vector<Work> works;  // a programme whose work is not listed gets one of the same title
  std::vector<Programme> programmes;
  bool operator==(const CatalogueConfig&) const = default;
};

class Catalogue {
 public:
  Catalogue() = default;
  // Errors: config, naming the programme: unknown enterprise or work, bad id, an end before the
  // start, two programmes at one time on one channel, ids that meet in one ledger number.
  static Result<Catalogue> create(CatalogueConfig config);
  static Result<Catalogue> parse(std::string_view canonical_text);

  // The programme on the channel at that time, and until when that answer holds.
  const Programme* find(std::string_view channel, UtcTime at) const;
  // Pieces of [from, to) by programme, in order; nullptr where nothing is scheduled.
  struct Piece {
    UtcTime from;
    UtcTime to;
    const Programme* programme = nullptr;
  };
  std::vector<Piece> split(std::string_view channel, UtcTime from, UtcTime to) const;

  const Work* work(std::string_view id) const;
  const Enterprise* enterprise(std::string_view id) const;
  const CatalogueConfig& config() const { return config_; }

  std::string canonical_text() const;
  Digest256 hash() const;

 private:
  CatalogueConfig config_;
  std::map<std::string, std::vector<std::size_t>, std::less<>> by_channel_;  // sorted by start
};

// Cities and the province of GB/T 2260 that clause 17 speaks of: "广州" for 440100; empty if
// unknown.
std::string_view region_name(std::uint32_t code);

// Content position: how far into the programme a channel time is (since 1970 without a start).
std::int64_t content_position_ms(const Programme& programme, UtcTime at);

}  // namespace kapok::catalogue
