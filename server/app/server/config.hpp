// The typed configuration of kapok-server. Every value has its default here and its name, range and
// help in the one schema table (config_schema.cpp), from which parsing, --check, --print-config and
// docs/configuration.md come. Immutable once loaded; a reload makes a new one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/app/server/units.hpp"
#include "server/base/clock.hpp"
#include "server/base/log.hpp"
#include "server/media/ladder.hpp"

namespace kapok::app {

struct Port {
  std::uint16_t number = 0;
  bool on() const { return number != 0; }
  auto operator<=>(const Port&) const = default;
};

// A type of its own, without formatting, so that no log call takes it by accident.
struct Secret {
  std::string text;
  bool empty() const { return text.empty(); }
  bool operator==(const Secret&) const = default;
};

struct Secrets {
  std::vector<std::string> texts;
  bool empty() const { return texts.empty(); }
  bool operator==(const Secrets&) const = default;
};

struct ListenerConfig {
  std::string address = "::";  // "::" takes IPv4 as well
  Port port;
};

struct SrtConfig {
  ListenerConfig listener{"::", {9000}};
  // Four round trips of a loaded 5G uplink (100 ms): two retransmissions and a moment's congestion.
  microseconds latency = std::chrono::milliseconds(400);
  std::uint32_t max_connections = 4'096;
  std::uint32_t connections_per_address = 1'024;
  ByteSize receive_memory = {std::uint64_t{512} * 1024 * 1024};
  ByteSize socket_buffer = {std::uint64_t{8} * 1024 * 1024};
};

struct TlsConfig {
  std::filesystem::path certificate;
  std::filesystem::path key;
  bool self_signed = false;
  bool available() const { return self_signed || !certificate.empty(); }
};

struct WindowConfig {
  microseconds time = std::chrono::minutes(30);
  ByteBudget bytes = DiskShare{25};  // shared by all channels
};

enum class AnonymousViewing : std::uint8_t { allow, edges };
enum class LogFormat : std::uint8_t { logfmt, json };

struct LimitsConfig {
  std::uint32_t connections = 65'536;
  std::uint32_t connections_per_address = 4'096;
  std::uint32_t half_open_per_address = 16;
  std::uint32_t sessions = 200'000;
  std::uint32_t sessions_per_address_per_minute = 60;
  ByteSize request_body = {64 * 1024};
  microseconds idle = std::chrono::seconds(75);
  microseconds drain = std::chrono::seconds(20);
};

enum class SrtBond : std::uint8_t { broadcast, backup };

struct FeedConfig {
  std::string name;
  std::uint32_t priority = 0;  // the lowest one that is live is chosen
  Secret key;
  std::string key_hash;
  Secret srt_passphrase;  // after loading: from the file, or the channel's
  std::filesystem::path srt_passphrase_file;
  Secret url;    // may hold a passphrase
  Secrets urls;  // after loading, url is in here as well
  SrtBond bond = SrtBond::broadcast;
  bool fetched() const { return !urls.empty(); }
};

struct TranscoderConfig {
  std::filesystem::path program;  // empty: found_transcoder()
  std::filesystem::path ladders;  // empty: found_ladders()
  std::uint32_t cores = 0;        // that one process may use at most; 0: all
};

struct VodConfig {
  std::filesystem::path dir;     // empty: data_dir / "vod"
  std::filesystem::path import;  // empty: nothing can be taken in
  std::uint32_t jobs = 1;
  microseconds segment_target = std::chrono::seconds(4);
};

struct ChannelConfig {
  std::string id;
  std::string title;
  Secret key;  // shorthand for one feed named "main"
  std::string key_hash;
  Secret srt_passphrase;
  std::filesystem::path srt_passphrase_file;
  std::vector<FeedConfig> feeds;       // after loading, the shorthand is in here as well
  std::string ladder;                  // a preset's name or a file
  std::optional<media::Ladder> rungs;  // after loading: what that holds
};

enum class EnterpriseKind : std::uint8_t { broadcaster, iptv, state_internet, private_internet };
struct EnterpriseConfig {
  std::string id;
  std::string name;
  EnterpriseKind kind = EnterpriseKind::broadcaster;
};

struct WorkConfig {
  std::string id;
  std::string title;
  bool baseline = false;  // offered before the reward's window: never new
};

struct ProgrammeConfig {
  std::string id;
  std::string work;
  std::string title;
  std::string channel;
  std::string enterprise;
  std::optional<UtcTime> start;
  std::optional<UtcTime> end;
  bool free = true;
  bool is_new = true;              // false: the work becomes a baseline work
  std::uint32_t region = 440'000;  // GB/T 2260: where it is offered
};

struct Config {
  ListenerConfig rtmp{"::", {1935}};
  ListenerConfig rtmps{"::", {1936}};
  ListenerConfig http{"::", {8080}};
  ListenerConfig https{"::", {8443}};
  SrtConfig srt;
  TlsConfig tls;
  std::filesystem::path data_dir = "/var/lib/kapok";
  std::filesystem::path spool_dir;  // empty: data_dir / "spool"
  ByteSize spool_reserve = {0};
  std::filesystem::path ledger_dir;  // empty: data_dir / "ledger"
  std::string ledger_origin = "kapok.local/hours";
  WindowConfig window;
  microseconds segment_target = std::chrono::seconds(2);
  microseconds part_target = std::chrono::milliseconds(200);
  AnonymousViewing anonymous = AnonymousViewing::allow;
  std::vector<std::string> edges;  // with AnonymousViewing::edges: the caches in front of us
  microseconds session_ttl = std::chrono::hours(6);
  std::uint32_t shards = 0;  // 0: one per core
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::logfmt;
  std::filesystem::path web_root;  // empty: found_web_root()
  LimitsConfig limits;
  TranscoderConfig transcoder;
  VodConfig vod;
  std::vector<ChannelConfig> channels;
  std::vector<EnterpriseConfig> enterprises;
  std::vector<WorkConfig> works;
  std::vector<ProgrammeConfig> programmes;

  std::filesystem::path spool() const { return spool_dir.empty() ? data_dir / "spool" : spool_dir; }
  std::filesystem::path vod_folder() const { return vod.dir.empty() ? data_dir / "vod" : vod.dir; }
  std::filesystem::path ledger() const {
    return ledger_dir.empty() ? data_dir / "ledger" : ledger_dir;
  }
  // A TLS listener needs a certificate; without one it stays off.
  bool rtmps_on() const { return rtmps.port.on() && tls.available(); }
  bool https_on() const { return https.port.on() && tls.available(); }
};

// Where the web pages are when web.root is not set: beside the installed program
// (<prefix>/share/kapok/web) or in the source tree (player/dist). Empty: neither exists.
std::filesystem::path found_web_root(const std::filesystem::path& program);
// Likewise the ladder presets: <prefix>/share/kapok/ladders or config/ladders.
std::filesystem::path found_ladders(const std::filesystem::path& program);
// Where they are looked for: what the configuration says, else there.
std::filesystem::path ladder_presets(const Config& config);
// kapok-transcoder beside the program.
std::filesystem::path found_transcoder(const std::filesystem::path& program);

}  // namespace kapok::app
