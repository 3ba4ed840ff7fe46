// All channels of this server: finds the one that a publisher asks for, makes, changes and drains
// them as the configuration says, and collects their facts. Its own state belongs to the first
// shard; each channel's to its home shard, chosen by a hash of its id. All functions may be awaited
// on any shard.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/media/feed_source.hpp"
#include "server/picture/channel/channel.hpp"
#include "server/picture/channel/device_load.hpp"

namespace kapok::channel {

// Which feed of the channel the key opens. Errors: denied (default). Compares in constant time;
// called on the first shard.
using Authorise =
    std::function<Result<std::string>(std::string_view channel, std::string_view key)>;

struct DirectoryServices {
  std::vector<boost::asio::any_io_executor> shards;  // at least one
  Authorise authorise;
  MakeRendering make_rendering;
  const Clock& clock;
  Log log;
  Metrics& metrics;
  ChildProgram transcoder;
  evidence::EvidenceSink* evidence = nullptr;  // for what transcoders find; null: nobody counts
};

class ChannelDirectory final : public media::FeedDirectory, public media::FeedSource {
 public:
  explicit ChannelDirectory(DirectoryServices services);
  ~ChannelDirectory() override;  // close() first

  Task<Result<media::FeedGrant>> open(media::PublishRequest request) override;

  Task<Result<media::FeedAccess>> subscribe(media::SubscribeRequest request) override;

  // Makes it so, at start and on SIGHUP: new channels open, those gone are drained, those whose
  // packaging changed are drained and opened anew (numbers go on, from the spool); the others are
  // not disturbed. Errors name every channel that could not be opened; the rest is in effect.
  Task<Result<void>> configure(std::vector<ChannelConfig> channels);

  // Errors: not_found.
  Task<Result<ChannelFacts>> facts(std::string channel);
  Task<std::vector<ChannelFacts>> all_facts();  // by id

  // Ends all feeds and writes everything pending.
  Task<> close();

  std::size_t home_of(std::string_view channel) const;  // the shard's index

 private:
  struct Entry {
    std::shared_ptr<Channel> channel;
    boost::asio::any_io_executor home;
    packaging::PackagerOptions packager;
  };
  // These run on the first shard.
  Task<Result<media::FeedGrant>> open_here(media::PublishRequest request);
  Task<Result<void>> configure_here(std::vector<ChannelConfig> channels);
  Task<std::vector<Entry>> entries_here(std::string only);
  Task<> close_here();
  Task<> close_all(std::vector<Entry> entries);

  DirectoryServices services_;
  std::shared_ptr<DeviceLoad> devices_ = std::make_shared<DeviceLoad>();
  std::map<std::string, Entry, std::less<>> channels_;
  bool configuring_ = false;
  bool closed_ = false;
};

}  // namespace kapok::channel
