// All publish keys in force: those of the configuration file and those made through the API. The
// latter are kept as hashes only, in a file of mode 0600 that is written whole or not at all.
// Thread-safe: checks come on the first shard, changes from the thread for blocking work.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/access/publish_keys.hpp"
#include "server/app/server/config.hpp"
#include "server/base/result.hpp"

namespace kapok::app {

class KeyBook {
 public:
  // Errors: config (unreadable file, bad hash), io.
  static Result<std::unique_ptr<KeyBook>> open(std::filesystem::path file, Bytes pepper);

  // The keys of the configuration, at start and on reload. Errors: config; then nothing changed.
  Result<void> configure(const std::vector<ChannelConfig>& channels);
  Result<std::string> authorise(std::string_view channel, std::string_view key) const;

  // A new key for a feed, which is returned and not kept. Blocks. Errors: not_found, conflict (its
  // key stands in the configuration), io.
  Result<std::string> make(const std::string& channel, const std::string& feed);
  Result<void> revoke(const std::string& channel, const std::string& feed);
  // What opens a feed that the server fetches itself: made at random and told nobody else. Empty:
  // it is not fetched.
  std::string own_key(const std::string& channel, const std::string& feed) const;
  // What a channel compares to see that a feed's key has changed: a hash, empty without a key.
  std::string credential(const std::string& channel, const std::string& feed) const;

 private:
  using Feed = std::pair<std::string, std::string>;
  KeyBook(std::filesystem::path file, Bytes pepper)
      : file_(std::move(file)), pepper_(std::move(pepper)) {}
  Result<void> read();
  Result<void> save(const std::map<Feed, std::string>& made) const;
  // Errors: not_found; conflict (its key stands in the configuration).
  Result<void> check_is_ours(const Feed& feed) const;
  // Saves, then uses these made keys.
  Result<void> put(std::map<Feed, std::string> made);
  Result<access::PublishKeys> table(const std::map<Feed, std::string>& configured,
                                    const std::map<Feed, std::string>& made) const;

  std::filesystem::path file_;
  Bytes pepper_;
  // A mutex, because publishers are checked on a shard while keys are made on a blocking thread;
  // held for a look-up or a swap.
  mutable std::mutex mutex_;
  std::map<Feed, std::string> configured_;  // secret by feed; empty: the feed exists without a key
  std::map<Feed, std::string> made_;        // hashes
  std::map<Feed, std::string> own_;         // of feeds that are fetched; for this run
  std::shared_ptr<const access::PublishKeys> keys_;
};

}  // namespace kapok::app
