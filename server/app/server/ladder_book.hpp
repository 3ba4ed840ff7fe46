// The ladders that channels were given through the API: they stand in the place of the
// configuration's and outlive a restart, each in a file of its own that is written whole or not at
// all. What was asked for is kept, not what it meant: a preset that is changed changes the channel
// with the next start or reload. Any thread may look a ladder up; what changes them, and blocks, is
// called by one thread at a time.
#pragma once

#include <boost/json/object.hpp>
#include <expected>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "server/app/server/config_load.hpp"
#include "server/base/log.hpp"
#include "server/media/ladder.hpp"

namespace kapok::app {

// A ladder given as JSON: the keys of a ladder's file, read and checked as that is, or "preset" and
// the name of one. `name` is the ladder's where it gives none.
LoadedConfig load_ladder_json(const boost::json::object& given,
                              const std::filesystem::path& presets, media::Ladder& ladder);

class LadderBook {
 public:
  LadderBook(std::filesystem::path folder, Log log)
      : folder_(std::move(folder)), log_(std::move(log)) {}

  // At start and on reload: the channels that there are, and where the presets lie. What is kept of
  // them is read anew; what is no ladder any more is told and left out. Blocks.
  void configure(const std::vector<ChannelConfig>& channels, std::filesystem::path presets);

  struct Refusal {
    Errc code = Errc::config;  // not_found: the channel; config: the ladder; else io
    std::string cause;
    std::string remedy;
  };
  std::expected<media::Ladder, Refusal> set(const std::string& channel,
                                            const boost::json::object& wanted);
  // Errors: not_found (no such channel, or it has the configuration's), io.
  Result<void> reset(const std::string& channel);
  Result<std::vector<media::Ladder>> presets() const;

  std::optional<media::Ladder> of(const std::string& channel) const;

 private:
  std::filesystem::path file_of(const std::string& channel) const {
    return folder_ / (channel + ".json");
  }
  Result<media::Ladder> read(const std::string& channel,
                             const std::filesystem::path& presets) const;
  std::filesystem::path presets_folder() const;
  bool is_known(const std::string& channel) const;

  const std::filesystem::path folder_;
  const Log log_;
  // A mutex, because a channel's facts are told on any shard while the API changes ladders; held
  // for look-ups and swaps.
  mutable std::mutex mutex_;
  std::filesystem::path presets_;
  std::vector<std::string> channels_;
  std::map<std::string, media::Ladder, std::less<>> set_;
};

}  // namespace kapok::app
