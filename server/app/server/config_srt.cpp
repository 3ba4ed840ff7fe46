// Checks of what concerns SRT.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/app/server/config_problems.hpp"
#include "server/picture/ingest/srt/url.hpp"
#include "server/picture/protocols/srt/key_material.hpp"

namespace kapok::app {
namespace {

Result<std::string> read_passphrase(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return std::unexpected(system_error(errno, "cannot be read"));
  struct stat facts{};
  // One more than is allowed and a line's end: enough to see that it is too long.
  char text[srt::kMaxPassphraseBytes + 3] = {};
  const bool known = ::fstat(file, &facts) == 0;
  const ssize_t size = ::read(file, text, sizeof text);
  const int number = errno;
  ::close(file);
  if (!known || size < 0) return std::unexpected(system_error(number, "cannot be read"));
  if ((facts.st_mode & 077) != 0)
    return fail(Errc::config, "others may read it (mode {:04o}): chmod 600 {}",
                facts.st_mode & 07777U, path.string());
  std::string passphrase(text, static_cast<std::size_t>(size));
  while (passphrase.ends_with('\n') || passphrase.ends_with('\r')) passphrase.pop_back();
  return passphrase;
}

// Of a channel or a feed.
template <class Entry>
void validate_passphrase(const std::string& shown, Entry& entry, ConfigProblems& problems) {
  const std::string file_key = shown + ".srt_passphrase_file";
  std::string key = shown + ".srt_passphrase";
  if (!entry.srt_passphrase_file.empty()) {
    if (!entry.srt_passphrase.empty()) {
      problems.error_at(file_key, "both srt_passphrase and srt_passphrase_file",
                        "keep one of them");
      return;
    }
    auto read = read_passphrase(entry.srt_passphrase_file);
    if (!read) {
      problems.error_at(
          file_key, fmt::format("{}: {}", entry.srt_passphrase_file.string(), read.error().message),
          "name a file with mode 0600 that holds the passphrase alone");
      return;
    }
    entry.srt_passphrase.text = *std::move(read);
    key = file_key;
  }
  if (entry.srt_passphrase.empty() && key != file_key) return;
  if (!srt::check_passphrase(entry.srt_passphrase.text))
    problems.error_at(key,
                      fmt::format("a passphrase of {} characters; {} to {} are allowed",
                                  entry.srt_passphrase.text.size(), srt::kMinPassphraseBytes,
                                  srt::kMaxPassphraseBytes),
                      "make a random one: openssl rand -hex 16");
}

void validate_urls(const std::string& shown, FeedConfig& feed, ConfigProblems& problems) {
  const std::string key = shown + (feed.url.empty() ? ".urls" : ".url");
  if (!feed.url.empty()) feed.urls.texts.insert(feed.urls.texts.begin(), feed.url.text);
  for (const std::string& url : feed.urls.texts)
    if (const auto parsed = ingest::parse_srt_url(url); !parsed)
      problems.error_at(key, parsed.error().message,
                        "write srt://host:port?streamid=...&passphrase=...&latency=400");
}

}  // namespace

void validate_srt(Config& config, ConfigProblems& problems) {
  for (std::size_t i = 0; i < config.channels.size(); ++i) {
    ChannelConfig& channel = config.channels[i];
    const std::string shown = fmt::format("channel[{}]", i);
    validate_passphrase(shown, channel, problems);
    // The shorthand's feed stands in front, and is not in the file.
    const std::size_t shorthand = !channel.key.empty() || !channel.key_hash.empty() ? 1 : 0;
    for (std::size_t j = shorthand; j < channel.feeds.size(); ++j) {
      const std::string feed = fmt::format("{}.feed[{}]", shown, j - shorthand);
      validate_passphrase(feed, channel.feeds[j], problems);
      validate_urls(feed, channel.feeds[j], problems);
    }
    for (FeedConfig& feed : channel.feeds)
      if (feed.srt_passphrase.empty()) feed.srt_passphrase = channel.srt_passphrase;
  }
}

}  // namespace kapok::app
