#include "server/picture/channel/channel_directory.hpp"

#include <boost/asio/co_spawn.hpp>
#include <cassert>
#include <utility>

#include "server/base/ids.hpp"

namespace kapok::channel {
namespace {

// Runs the task on another shard and comes back to this one with its result.
template <class T>
Task<T> run_on(boost::asio::any_io_executor shard, Task<T> task) {
  return boost::asio::co_spawn(std::move(shard), std::move(task), boost::asio::use_awaitable);
}

// What is spawned on a channel's shard: functions, so that no lambda's captures can die early.
Task<Result<media::FeedGrant>> publish_at_home(std::shared_ptr<Channel> channel, std::string feed,
                                               media::PublishRequest request) {
  co_return channel->publish(feed, std::move(request));
}
Task<Result<media::FeedAccess>> subscribe_at_home(std::shared_ptr<Channel> channel,
                                                  media::SubscribeRequest request) {
  co_return channel->subscribe(std::move(request));
}
Task<Result<void>> open_at_home(std::shared_ptr<Channel> channel) {
  co_return channel->open();
}
Task<> reconfigure_at_home(std::shared_ptr<Channel> channel, ChannelConfig config) {
  channel->reconfigure(config);
  co_return;
}
Task<> close_at_home(std::shared_ptr<Channel> channel) {
  co_await channel->close();
}
Task<ChannelFacts> facts_at_home(std::shared_ptr<Channel> channel) {
  co_return channel->facts();
}

// How it is cut and where it lies. How much is kept may change under a running channel: with every
// channel that is added, each one's share of the disk is smaller.
bool same_packaging(const packaging::PackagerOptions& a, const packaging::PackagerOptions& b) {
  return a.channel == b.channel && a.directory == b.directory &&
         a.segment_target == b.segment_target && a.segment_ceiling == b.segment_ceiling &&
         a.part_target == b.part_target;
}

Result<void> check(const ChannelConfig& config) {
  if (!is_valid_id(config.id))
    return fail(Errc::config, "channel id \"{}\": use [a-z0-9][a-z0-9_-]{{0,63}}", config.id);
  if (config.feeds.empty())
    return fail(Errc::config, "channel {} has no feed: give it key = or a [[channel.feed]]",
                config.id);
  for (const FeedConfig& feed : config.feeds)
    if (!is_valid_id(feed.name))
      return fail(Errc::config, "feed \"{}\" of channel {}: use [a-z0-9][a-z0-9_-]{{0,63}}",
                  feed.name, config.id);
  return {};
}

}  // namespace

ChannelDirectory::ChannelDirectory(DirectoryServices services) : services_(std::move(services)) {
  assert(!services_.shards.empty());
}

ChannelDirectory::~ChannelDirectory() {
  assert(channels_.empty() && "close() the directory first");
}

std::size_t ChannelDirectory::home_of(std::string_view channel) const {
  // FNV-1a: the same on every run, so that a channel's shard can be told from a log.
  std::uint64_t hash = 14'695'981'039'346'656'037U;
  for (const char c : channel) {
    hash ^= static_cast<std::uint8_t>(c);
    hash *= 1'099'511'628'211U;
  }
  return static_cast<std::size_t>(hash % services_.shards.size());
}

Task<Result<media::FeedGrant>> ChannelDirectory::open(media::PublishRequest request) {
  auto granted = co_await run_on(services_.shards.front(), open_here(std::move(request)));
  co_return granted;
}

Task<Result<media::FeedGrant>> ChannelDirectory::open_here(media::PublishRequest request) {
  if (closed_) co_return fail(Errc::closed, "the server is going down");
  std::string id;
  Result<std::string> feed = fail(Errc::denied, "no channel has this key");
  std::size_t matches = 0;
  if (request.channel.empty()) {
    // A key as stream name. Every channel is asked, whether or not one has answered: the time
    // tells nothing.
    for (const auto& [name, entry] : channels_) {
      auto opened = services_.authorise(name, request.key);
      if (!opened) continue;
      ++matches;
      feed = std::move(opened);
      id = name;
    }
    if (matches > 1) feed = fail(Errc::denied, "several channels have this key: name the channel");
  } else {
    id = request.channel;
    if (!channels_.contains(id)) {
      // The id is the publisher's and may be anything; ids are checked by ingest.
      services_.log.warn("publish.denied",
                         {{"channel", id}, {"peer", request.peer}, {"why", "no such channel"}});
      co_return fail(Errc::not_found, "no such channel");
    }
    feed = services_.authorise(id, request.key);
  }
  if (!feed) {
    // Said plainly here only: what the publisher is told leaves open whether the channel exists.
    const std::string why = request.key.empty() ? "no publish key was given"
                            : id.empty()        ? feed.error().message
                                                : "the publish key is wrong";
    services_.log.warn("publish.denied", {{"channel", id}, {"peer", request.peer}, {"why", why}});
    co_return std::unexpected(std::move(feed).error());
  }
  if (request.check)
    if (const auto passed = request.check(*feed); !passed) {
      services_.log.warn("publish.denied", {{"channel", id},
                                            {"feed", *feed},
                                            {"peer", request.peer},
                                            {"why", passed.error().message}});
      co_return std::unexpected(passed.error());
    }
  const Entry entry = channels_.find(id)->second;
  request.channel = id;
  const std::string peer = request.peer;
  auto granted = co_await run_on(
      entry.home, publish_at_home(entry.channel, *std::move(feed), std::move(request)));
  if (!granted)
    services_.log.warn("publish.denied",
                       {{"channel", id}, {"peer", peer}, {"why", granted.error().message}});
  co_return granted;
}

Task<Result<media::FeedAccess>> ChannelDirectory::subscribe(media::SubscribeRequest request) {
  if (!is_valid_id(request.channel)) co_return fail(Errc::not_found, "no such channel");
  const auto entries = co_await run_on(services_.shards.front(), entries_here(request.channel));
  if (entries.empty()) co_return fail(Errc::not_found, "no such channel");
  auto access = co_await run_on(entries.front().home,
                                subscribe_at_home(entries.front().channel, std::move(request)));
  co_return access;
}

Task<Result<void>> ChannelDirectory::configure(std::vector<ChannelConfig> channels) {
  auto done = co_await run_on(services_.shards.front(), configure_here(std::move(channels)));
  co_return done;
}

Task<Result<void>> ChannelDirectory::configure_here(std::vector<ChannelConfig> channels) {
  if (closed_) co_return fail(Errc::closed, "the server is going down");
  if (configuring_) co_return fail(Errc::conflict, "the channels are being reconfigured already");
  std::map<std::string, ChannelConfig> wanted;
  for (ChannelConfig& config : channels) {
    KAPOK_CO_TRY(check(config));
    std::string id = config.id;
    if (!wanted.emplace(id, std::move(config)).second)
      co_return fail(Errc::config, "channel {} is configured twice", id);
  }
  configuring_ = true;

  std::vector<Entry> gone;
  for (auto at = channels_.begin(); at != channels_.end();) {
    const auto there = wanted.find(at->first);
    if (there != wanted.end() && same_packaging(there->second.packager, at->second.packager)) {
      ++at;
      continue;
    }
    services_.log.info("channel.draining", {{"channel", at->first}});
    gone.push_back(std::move(at->second));
    at = channels_.erase(at);
  }
  co_await close_all(std::move(gone));

  std::string failures;
  for (auto& [id, config] : wanted) {
    if (const auto there = channels_.find(id); there != channels_.end()) {
      const Entry entry = there->second;
      co_await run_on(entry.home, reconfigure_at_home(entry.channel, std::move(config)));
      continue;
    }
    Entry entry;
    entry.home = services_.shards[home_of(id)];
    entry.packager = config.packager;
    const Log log = services_.log.with("channel", id);
    entry.channel = std::make_shared<Channel>(
        config,
        ChannelServices{entry.home, services_.clock, log, services_.metrics, services_.transcoder,
                        services_.evidence, devices_},
        services_.make_rendering(config.packager, entry.home));
    auto opened = co_await run_on(entry.home, open_at_home(entry.channel));
    if (!opened) {
      log.error("channel.not_opened", {{"why", opened.error().message}});
      failures +=
          fmt::format("{}channel {}: {}", failures.empty() ? "" : "; ", id, opened.error().message);
      continue;
    }
    log.info("channel.opened", {{"feeds", config.feeds.size()}, {"shard", home_of(id)}});
    channels_.emplace(id, std::move(entry));
  }
  configuring_ = false;
  if (!failures.empty()) co_return fail(Errc::config, failures);
  co_return Result<void>();
}

Task<std::vector<ChannelDirectory::Entry>> ChannelDirectory::entries_here(std::string only) {
  std::vector<Entry> entries;
  for (const auto& [id, entry] : channels_)
    if (only.empty() || only == id) entries.push_back(entry);
  co_return entries;
}

Task<Result<ChannelFacts>> ChannelDirectory::facts(std::string channel) {
  if (!is_valid_id(channel)) co_return fail(Errc::not_found, "no such channel");
  const auto entries = co_await run_on(services_.shards.front(), entries_here(channel));
  if (entries.empty()) co_return fail(Errc::not_found, "no such channel");
  auto facts = co_await run_on(entries.front().home, facts_at_home(entries.front().channel));
  co_return facts;
}

Task<std::vector<ChannelFacts>> ChannelDirectory::all_facts() {
  const auto entries = co_await run_on(services_.shards.front(), entries_here({}));
  std::vector<ChannelFacts> all;
  all.reserve(entries.size());
  for (const Entry& entry : entries) {
    auto facts = co_await run_on(entry.home, facts_at_home(entry.channel));
    all.push_back(std::move(facts));
  }
  co_return all;
}

Task<> ChannelDirectory::close() {
  co_await run_on(services_.shards.front(), close_here());
}

Task<> ChannelDirectory::close_here() {
  closed_ = true;
  std::vector<Entry> all;
  for (auto& [id, entry] : std::exchange(channels_, {})) all.push_back(std::move(entry));
  co_await close_all(std::move(all));
}

// All at once: each may wait for a transcoder to finish.
Task<> ChannelDirectory::close_all(std::vector<Entry> entries) {
  TaskGroup closing(services_.shards.front());
  for (const Entry& entry : entries)
    closing.spawn(run_on(entry.home, close_at_home(entry.channel)));
  co_await closing.drain();
}

}  // namespace kapok::channel
