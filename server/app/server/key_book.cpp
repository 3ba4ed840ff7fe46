#include "server/app/server/key_book.hpp"

#include <fstream>
#include <sstream>

#include "server/access/secret_store.hpp"
#include "server/base/ids.hpp"

namespace kapok::app {

Result<std::unique_ptr<KeyBook>> KeyBook::open(std::filesystem::path file, Bytes pepper) {
  std::unique_ptr<KeyBook> book(new KeyBook(std::move(file), std::move(pepper)));
  KAPOK_TRY(book->read());
  return book;
}

Result<void> KeyBook::read() {
  std::error_code ignored;
  if (!std::filesystem::exists(file_, ignored)) return {};
  std::ifstream in(file_);
  if (!in) return fail(Errc::config, "{} cannot be read: check its owner and mode", file_.string());
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream words(line);
    std::string channel;
    std::string feed;
    std::string hash;
    if (!(words >> channel >> feed >> hash) || !is_valid_id(channel) || !is_valid_id(feed))
      return fail(Errc::config,
                  "{}: the line \"{}\" is not \"channel feed hash\": restore the file",
                  file_.string(), line.substr(0, 40));
    made_[{channel, feed}] = hash;
  }
  return {};
}

Result<access::PublishKeys> KeyBook::table(const std::map<Feed, std::string>& configured,
                                           const std::map<Feed, std::string>& made) const {
  std::vector<access::PublishKeyEntry> entries;
  for (const auto& [feed, secret] : configured) {
    if (!secret.empty()) {
      entries.push_back({feed.first, feed.second, secret});
    } else if (const auto hash = made.find(feed); hash != made.end()) {
      entries.push_back({feed.first, feed.second, hash->second});
    }
  }
  return access::PublishKeys::create(entries, pepper_);
}

Result<void> KeyBook::configure(const std::vector<ChannelConfig>& channels) {
  const std::lock_guard lock(mutex_);
  std::map<Feed, std::string> configured;
  std::map<Feed, std::string> own;
  for (const ChannelConfig& channel : channels) {
    if (channel.feeds.empty()) configured[{channel.id, "main"}] = "";
    for (const FeedConfig& feed : channel.feeds) {
      const Feed name{channel.id, feed.name};
      configured[name] = feed.key.empty() ? feed.key_hash : feed.key.text;
      if (!feed.fetched()) continue;
      const auto before = own_.find(name);
      own[name] = configured[name] =
          before != own_.end() ? before->second : access::make_publish_key();
    }
  }
  auto keys = KAPOK_TRY(table(configured, made_));
  keys_ = std::make_shared<const access::PublishKeys>(std::move(keys));
  configured_ = std::move(configured);
  own_ = std::move(own);
  return {};
}

Result<std::string> KeyBook::authorise(std::string_view channel, std::string_view key) const {
  std::shared_ptr<const access::PublishKeys> keys;
  {
    const std::lock_guard lock(mutex_);
    keys = keys_;
  }
  if (!keys) return fail(Errc::denied, "no keys are loaded");
  return keys->authorise(channel, key);
}

Result<void> KeyBook::save(const std::map<Feed, std::string>& made) const {
  std::string text;
  for (const auto& [feed, hash] : made)
    text += fmt::format("{} {} {}\n", feed.first, feed.second, hash);
  return access::write_secret_file(file_, as_bytes(text));
}

Result<void> KeyBook::check_is_ours(const Feed& feed) const {
  const auto known = configured_.find(feed);
  if (known == configured_.end())
    return fail(Errc::not_found, "channel {} has no feed {}", feed.first, feed.second);
  if (!known->second.empty())
    return fail(
        Errc::conflict,
        "the key of this feed stands in the configuration file: remove it there and reload");
  return {};
}

Result<void> KeyBook::put(std::map<Feed, std::string> made) {
  auto keys = KAPOK_TRY(table(configured_, made));
  KAPOK_TRY(save(made));
  made_ = std::move(made);
  keys_ = std::make_shared<const access::PublishKeys>(std::move(keys));
  return {};
}

Result<std::string> KeyBook::make(const std::string& channel, const std::string& feed) {
  const std::lock_guard lock(mutex_);
  KAPOK_TRY(check_is_ours({channel, feed}));
  std::string key = access::make_publish_key();
  auto made = made_;
  made[{channel, feed}] = access::hash_publish_key(key, pepper_);
  KAPOK_TRY(put(std::move(made)));
  return key;
}

Result<void> KeyBook::revoke(const std::string& channel, const std::string& feed) {
  const std::lock_guard lock(mutex_);
  KAPOK_TRY(check_is_ours({channel, feed}));
  auto made = made_;
  if (made.erase({channel, feed}) == 0) return fail(Errc::not_found, "feed {} has no key", feed);
  KAPOK_TRY(put(std::move(made)));
  return {};
}

std::string KeyBook::own_key(const std::string& channel, const std::string& feed) const {
  const std::lock_guard lock(mutex_);
  const auto found = own_.find({channel, feed});
  return found != own_.end() ? found->second : "";
}

std::string KeyBook::credential(const std::string& channel, const std::string& feed) const {
  const std::lock_guard lock(mutex_);
  if (const auto known = configured_.find({channel, feed}); known != configured_.end())
    if (!known->second.empty()) return access::hash_publish_key(known->second, pepper_);
  if (const auto hash = made_.find({channel, feed}); hash != made_.end()) return hash->second;
  return {};
}

}  // namespace kapok::app
