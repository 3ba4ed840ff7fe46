// What the API needs from the rest of the server, as small interfaces that app/ binds. Calls come
// on the shard of the connection and are awaited there; an implementation goes to the owner's shard
// or thread and comes back. Errors become problems by their code (problem.hpp).
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/problem.hpp"
#include "server/base/buffer.hpp"
#include "server/base/clock.hpp"
#include "server/base/task.hpp"
#include "server/hours/ledger/tile.hpp"
#include "server/hours/metering/beacon.hpp"
#include "server/media/ladder.hpp"
#include "server/picture/channel/channel_facts.hpp"
#include "server/picture/protocols/srt/stats.hpp"
#include "server/picture/vod/item_facts.hpp"

namespace kapok::api {

struct RenditionView {
  std::string id;  // "source", "audio-zh"
  media::TrackKind kind = media::TrackKind::video;
  std::string codec_string;
  std::string language;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  double frame_rate = 0;
  media::DynamicRange range = media::DynamicRange::sdr;
  std::uint64_t bandwidth = 0;  // bit/s, peak
};

struct ProgrammeView {
  std::string id;
  std::string title;
  std::optional<UtcTime> start;
  std::optional<UtcTime> end;
  bool free = true;
};

enum class LadderOrigin : std::uint8_t { configuration, api };

struct ChannelView {
  channel::ChannelFacts facts;
  std::vector<RenditionView> renditions;
  std::optional<ProgrammeView> programme;  // that is on now
  LadderOrigin ladder_origin = LadderOrigin::configuration;
};

// How a feed that comes over SRT travels.
struct SrtFeedView {
  std::string feed;
  bool bonded = false;
  srt::GroupStats transport;       // a single connection shows as one link
  std::vector<std::string> peers;  // of transport.links
  std::uint64_t continuity_errors = 0;
};

class ChannelsPort {
 public:
  virtual ~ChannelsPort() = default;
  virtual Task<std::vector<ChannelView>> list() = 0;
  virtual Task<Result<ChannelView>> find(std::string channel) = 0;
  virtual Task<std::vector<SrtFeedView>> srt_feeds(std::string channel) = 0;
};

struct SessionRequest {
  std::string channel;  // a valid id
  std::string peer;     // address, for attribution to a region; never stored with the session
};
struct OpenedSession {
  std::string id;     // hex
  std::string token;  // goes into /s/<token>/
  UtcTime expires;
  seconds beacon_interval{10};
};
struct SessionCounts {
  std::uint64_t open = 0;
  struct OfChannel {
    std::string channel;
    std::uint64_t open = 0;
  };
  std::vector<OfChannel> channels;
};

class SessionsPort {
 public:
  virtual ~SessionsPort() = default;
  // Errors: not_found (no such channel), full.
  virtual Task<Result<OpenedSession>> open(SessionRequest request) = 0;
  // Errors: denied (token of another session, or forged), timeout (expired), not_found, limit.
  virtual Task<Result<void>> beacon(std::string session, metering::BeaconReport report) = 0;
  virtual Task<Result<void>> close(std::string session, std::string token) = 0;
  virtual Task<SessionCounts> counts() = 0;
};

enum class ReportFormat : std::uint8_t { json, csv };
struct ReportQuery {
  std::optional<UtcTime> from;  // nothing: since the log began
  std::optional<UtcTime> to;    // nothing: until now
  std::string enterprise;       // empty: all
  std::string channel;
  std::string programme;
  ReportFormat format = ReportFormat::json;
};

class ReportsPort {
 public:
  virtual ~ReportsPort() = default;
  // The whole report as text of the wanted format. Runs off the shards.
  virtual Task<Result<std::string>> hours(ReportQuery query) = 0;
};

class LedgerPort {
 public:
  virtual ~LedgerPort() = default;
  virtual Task<Result<std::string>> checkpoint() = 0;
  virtual Task<Result<Buffer>> tile(ledger::TilePath path) = 0;
};

struct MadeKey {
  std::string key;  // shown this once, then only its hash is kept
};
class KeysPort {
 public:
  virtual ~KeysPort() = default;
  // A new key for the feed, in place of the old one. Errors: not_found, conflict (the key stands in
  // the configuration file).
  virtual Task<Result<MadeKey>> make(std::string channel, std::string feed) = 0;
  // Also ends the feed if it is being published.
  virtual Task<Result<void>> revoke(std::string channel, std::string feed) = 0;
};

class LaddersPort {
 public:
  virtual ~LaddersPort() = default;
  virtual Task<Result<std::vector<media::Ladder>>> presets() = 0;
  // `wanted`: {"preset": name}, or the fields of a ladder's file. Gives what that means.
  virtual Task<std::expected<media::Ladder, Problem>> set_ladder(std::string channel,
                                                                 boost::json::object wanted) = 0;
  // Errors: not_found (no such channel, or it has no ladder but the configuration's).
  virtual Task<Result<void>> reset_ladder(std::string channel) = 0;
};

struct VodRequest {
  std::string id;  // a valid id
  std::string title;
  std::string file;
  std::string ladder;  // a preset's name
  bool publish_source = true;
};
class VodPort {
 public:
  virtual ~VodPort() = default;
  virtual Task<std::vector<vod::ItemFacts>> vod_items() = 0;
  virtual Task<Result<vod::ItemFacts>> vod_item(std::string id) = 0;
  // Errors: not_found (no such file or ladder), conflict, malformed, denied, unsupported, full.
  virtual Task<Result<vod::ItemFacts>> add_vod(VodRequest request) = 0;
  virtual Task<Result<void>> remove_vod(std::string id) = 0;
};

struct Roles {
  bool admin = false;
  bool regulator = false;
};
class Authoriser {
 public:
  virtual ~Authoriser() = default;
  // The value of the Authorization header. No roles: unknown token. Called from any shard.
  virtual Roles roles_of(std::string_view authorization) const = 0;
};

struct NotReady {
  std::string part;  // "ledger", "listener.rtmp"
  std::string cause;
  std::string remedy;
};
class OperationsPort {
 public:
  virtual ~OperationsPort() = default;
  // Called from any shard.
  virtual std::string metrics_text() const = 0;
  virtual std::vector<NotReady> not_ready() const = 0;  // empty: ready
};

}  // namespace kapok::api
