// Checks across values, after each value has been read and found right by itself.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "server/access/publish_keys.hpp"
#include "server/app/server/config_problems.hpp"
#include "server/base/crypto.hpp"
#include "server/picture/delivery/http/media_routes.hpp"

namespace kapok::app {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

// Names that must be used once; reports the second use with the line of the first.
class UniqueNames {
 public:
  UniqueNames(ConfigProblems& problems, std::string what)
      : problems_(problems), what_(std::move(what)) {}
  void add(const std::string& name, const std::string& key) {
    if (name.empty()) return;
    const auto [first, fresh] = keys_.emplace(name, key);
    if (fresh) return;
    const ConfigPlace before = problems_.place_of(first->second);
    problems_.error_at(key,
                       fmt::format("{} '{}' is already used in line {}", what_, name, before.line),
                       "give one of the two another name, or remove it");
  }
  bool holds(const std::string& name) const { return keys_.contains(name); }

 private:
  ConfigProblems& problems_;
  std::string what_;
  std::map<std::string, std::string> keys_;
};

void validate_listeners(const Config& config, ConfigProblems& problems) {
  struct Named {
    std::string key;
    const ListenerConfig* listener;
    bool on;
  };
  const Named all[] = {{"rtmp.port", &config.rtmp, config.rtmp.port.on()},
                       {"rtmps.port", &config.rtmps, config.rtmps_on()},
                       {"http.port", &config.http, config.http.port.on()},
                       {"https.port", &config.https, config.https_on()}};
  for (std::size_t i = 0; i < std::size(all); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (all[i].on && all[j].on && all[i].listener->port == all[j].listener->port)
        problems.error_at(problems.given(all[i].key) ? all[i].key : all[j].key,
                          fmt::format("{} and {} are both {}", all[j].key, all[i].key,
                                      all[i].listener->port.number),
                          "give each listener its own port, or turn one \"off\"");
  if (config.tls.certificate.empty() != config.tls.key.empty()) {
    const bool no_key = config.tls.key.empty();
    problems.error_at(no_key ? "tls.certificate" : "tls.key",
                      no_key ? "a certificate without its key" : "a key without its certificate",
                      "set both tls.certificate and tls.key, or neither");
  }
  if (!config.tls.available())
    for (const char* key : {"rtmps.port", "https.port"})
      if (problems.given(key) &&
          (std::string_view(key) == "rtmps.port" ? config.rtmps : config.https).port.on())
        problems.warn(problems.place_of(key), key, "off, because there is no certificate",
                      "set tls.certificate and tls.key, or tls.self_signed = true to try it out");
}

// The same bounds as access::PublishKeys has, told here with the line.
void validate_key(const std::string& shown, const Secret& key, const std::string& hash,
                  ConfigProblems& problems) {
  if (!key.empty() && (key.text.size() < access::kMinPublishKeyLength ||
                       key.text.size() > access::kMaxPublishKeyLength))
    problems.error_at(shown + ".key",
                      fmt::format("a key of {} characters; {} to {} are allowed", key.text.size(),
                                  access::kMinPublishKeyLength, access::kMaxPublishKeyLength),
                      "make a random one: openssl rand -hex 16");
  constexpr std::string_view kScheme = "hmac-sha256:";
  if (hash.empty()) return;
  const auto digits =
      hash.starts_with(kScheme) ? from_hex(hash.substr(kScheme.size())) : std::optional<Bytes>();
  if (!digits || digits->size() != Digest256{}.size())
    problems.error_at(shown + ".key_hash", "not a hash of a key",
                      "write hmac-sha256: and 64 hex digits, as the API gives it");
}

void validate_feed(const std::string& shown, const FeedConfig& feed, ConfigProblems& problems) {
  const int ways = (feed.key.empty() ? 0 : 1) + (feed.key_hash.empty() ? 0 : 1) +
                   (feed.url.empty() ? 0 : 1) + (feed.urls.empty() ? 0 : 1);
  validate_key(shown, feed.key, feed.key_hash, problems);
  if (ways > 1)
    problems.error_at(shown, "more than one of key, key_hash, url and urls",
                      "keep one of them: it says how the feed comes in");
}

void validate_channels(Config& config, ConfigProblems& problems) {
  UniqueNames ids(problems, "channel");
  for (std::size_t i = 0; i < config.channels.size(); ++i) {
    ChannelConfig& channel = config.channels[i];
    const std::string shown = fmt::format("channel[{}]", i);
    ids.add(channel.id, shown + ".id");
    if (!channel.key.empty() && !channel.key_hash.empty())
      problems.error_at(shown + ".key_hash", "both key and key_hash", "keep one of them");
    validate_key(shown, channel.key, channel.key_hash, problems);
    UniqueNames names(problems, "feed");
    if (!channel.key.empty() || !channel.key_hash.empty()) names.add("main", shown);
    for (std::size_t j = 0; j < channel.feeds.size(); ++j) {
      const std::string feed = fmt::format("{}.feed[{}]", shown, j);
      names.add(channel.feeds[j].name, feed + ".name");
      validate_feed(feed, channel.feeds[j], problems);
    }
    if (!channel.key.empty() || !channel.key_hash.empty())
      channel.feeds.insert(channel.feeds.begin(), FeedConfig{.name = "main",
                                                             .priority = 0,
                                                             .key = channel.key,
                                                             .key_hash = channel.key_hash,
                                                             .srt_passphrase = {},
                                                             .srt_passphrase_file = {},
                                                             .url = {},
                                                             .urls = {},
                                                             .bond = {}});
    if (channel.feeds.empty())
      // Keys can be made by the API afterwards, so this is no error.
      problems.warn(problems.place_of(shown), shown, "nobody can publish here: no feed has a key",
                    "add key = \"...\", or make a key through the API");
  }
  if (config.channels.empty())
    problems.warn({}, "", "no channel exists, so nobody can publish",
                  "add [[channel]] with id and key; config/kapok.toml shows how");
}

void validate_programmes(const Config& config, ConfigProblems& problems) {
  UniqueNames enterprises(problems, "enterprise");
  for (std::size_t i = 0; i < config.enterprises.size(); ++i)
    enterprises.add(config.enterprises[i].id, fmt::format("enterprise[{}].id", i));
  UniqueNames works(problems, "work");
  for (std::size_t i = 0; i < config.works.size(); ++i)
    works.add(config.works[i].id, fmt::format("work[{}].id", i));
  UniqueNames programmes(problems, "programme");
  for (std::size_t i = 0; i < config.programmes.size(); ++i) {
    const ProgrammeConfig& programme = config.programmes[i];
    const std::string shown = fmt::format("programme[{}]", i);
    programmes.add(programme.id, shown + ".id");
    const auto refers = [&](std::string_view key, const std::string& name, bool known) {
      if (!name.empty() && !known)
        problems.error_at(
            fmt::format("{}.{}", shown, key), fmt::format("there is no {} '{}'", key, name),
            fmt::format("add [[{}]] with id = \"{}\", or correct the name", key, name));
    };
    refers("channel", programme.channel,
           std::ranges::find(config.channels, programme.channel, &ChannelConfig::id) !=
               config.channels.end());
    refers("enterprise", programme.enterprise, enterprises.holds(programme.enterprise));
    refers("work", programme.work, works.holds(programme.work));
    if (programme.start && programme.end && *programme.end <= *programme.start)
      problems.error_at(shown + ".end", "ends before it starts", "correct start or end");
  }
}

void validate_edges(const Config& config, ConfigProblems& problems) {
  for (const std::string& edge : config.edges) {
    if (delivery::AccessRule::make({.anonymous = delivery::Anonymous::edges, .edges = {edge}}))
      continue;
    problems.error_at("delivery.edges", fmt::format("'{}' is no address and no network", edge),
                      "write addresses (192.0.2.7) and networks (192.0.2.0/24, 2001:db8::/32)");
  }
  if (config.anonymous == AnonymousViewing::edges && config.edges.empty())
    problems.warn(problems.place_of("delivery.anonymous"), "delivery.anonymous",
                  "no edge cache is named, so nobody can fetch /live/ without a session",
                  "add edges = [\"192.0.2.0/24\"], or set anonymous = \"allow\"");
}

void validate_secrets(const ConfigSource& source, const Config& config, ConfigProblems& problems) {
  if ((source.mode & 077) == 0) return;
  std::string first;
  const auto holds_secret = [](const std::string& url) {
    return url.find("passphrase=") != std::string::npos ||
           url.find("streamid=") != std::string::npos;
  };
  const auto look = [&first](const std::string& place, const auto& entry) {
    if (!first.empty()) return;
    if (!entry.key.empty())
      first = place + ".key";
    else if (!entry.srt_passphrase.empty())
      first = place + ".srt_passphrase";
  };
  for (std::size_t i = 0; i < config.channels.size(); ++i) {
    const std::string place = fmt::format("channel[{}]", i);
    look(place, config.channels[i]);
    for (std::size_t j = 0; j < config.channels[i].feeds.size(); ++j) {
      const FeedConfig& feed = config.channels[i].feeds[j];
      const std::string at = fmt::format("{}.feed[{}]", place, j);
      look(at, feed);
      if (first.empty() && holds_secret(feed.url.text)) first = at + ".url";
      if (first.empty() && std::ranges::any_of(feed.urls.texts, holds_secret)) first = at + ".urls";
    }
  }
  if (first.empty()) return;
  problems.error_at(
      first,
      fmt::format("others may read this file (mode {:04o}), and it holds a key or passphrase",
                  source.mode),
      fmt::format("chmod 600 {}", source.name));
}

}  // namespace

std::string nearest_key(std::string_view unknown, std::span<const KeySpec> keys) {
  if (unknown.size() > 64) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(2, unknown.size() / 3) + 1;
  for (const KeySpec& key : keys) {
    std::size_t distance = edit_distance(unknown, key.name);
    // "port" for "http.port": the right name in the wrong place.
    if (key.name.substr(key.name.rfind('.') + 1) == unknown)
      distance = std::min<std::size_t>(distance, 1);
    if (distance < best_distance) {
      best = key.name;
      best_distance = distance;
    }
  }
  return std::string(best);
}

void validate_config(const ConfigSource& source, Config& config, ConfigProblems& problems) {
  validate_secrets(source, config, problems);
  validate_listeners(config, problems);
  if (config.part_target * 2 > config.segment_target)
    problems.error_at(
        problems.given("part.target") ? "part.target" : "segment.target",
        fmt::format("a part of {} does not fit twice into a segment of {}",
                    format_duration(config.part_target), format_duration(config.segment_target)),
        "make part.target at most half of segment.target");
  if (config.window.time < config.segment_target * 4)
    problems.error_at(
        "window.time",
        fmt::format("{} is less than four segments of {}", format_duration(config.window.time),
                    format_duration(config.segment_target)),
        "make window.time longer, or segment.target shorter");
  validate_edges(config, problems);
  validate_channels(config, problems);
  validate_srt(config, problems);
  validate_ladders(config, problems);
  validate_programmes(config, problems);
}

}  // namespace kapok::app
