// The SRT passphrases in force, by channel and feed. Replaced as a whole by a reload; read from any
// shard.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/app/server/config.hpp"
#include "server/base/crypto.hpp"

namespace kapok::app {

class SrtPassphrases {
 public:
  void configure(const std::vector<ChannelConfig>& channels) {
    auto fresh = std::make_shared<Table>();
    for (const ChannelConfig& channel : channels) {
      // For feeds that have a key from the API only.
      if (!channel.srt_passphrase.empty()) (*fresh)[{channel.id, ""}] = channel.srt_passphrase.text;
      for (const FeedConfig& feed : channel.feeds)
        if (!feed.srt_passphrase.empty())
          (*fresh)[{channel.id, feed.name}] = feed.srt_passphrase.text;
    }
    const std::lock_guard lock(mutex_);
    table_ = std::move(fresh);
  }

  // Empty: in clear.
  std::string of(std::string_view channel, std::string_view feed) const {
    std::shared_ptr<const Table> table;
    {
      const std::lock_guard lock(mutex_);
      table = table_;
    }
    for (const std::string_view name : {feed, std::string_view()})
      if (const auto found = table->find({std::string(channel), std::string(name)});
          found != table->end())
        return found->second;
    return {};
  }
  // What a channel compares to see that it has changed.
  std::string credential(std::string_view channel, std::string_view feed) const {
    const std::string passphrase = of(channel, feed);
    return passphrase.empty() ? "" : to_hex(sha256(as_bytes(passphrase)));
  }

 private:
  using Table = std::map<std::pair<std::string, std::string>, std::string>;
  // A mutex, because a reload replaces the table while shards read it; held for a pointer copy.
  mutable std::mutex mutex_;
  std::shared_ptr<const Table> table_ = std::make_shared<Table>();
};

}  // namespace kapok::app
