#include "server/app/server/config_schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace kapok::app {
namespace {

constexpr std::string_view kAnonymousNames[] = {"allow", "edges"};
constexpr std::string_view kLogLevelNames[] = {"debug", "info", "warn", "error"};
constexpr std::string_view kLogFormatNames[] = {"logfmt", "json"};
constexpr std::string_view kBondNames[] = {"broadcast", "backup"};
// In the order of media::Codec.
constexpr std::string_view kCodecNames[] = {"avc", "hevc", "av1", "aac", "opus"};
constexpr std::string_view kRungRateNames[] = {"full", "half"};
constexpr std::string_view kRungRangeNames[] = {"keep", "sdr"};
constexpr std::string_view kCornerNames[] = {"top-left", "top-right", "bottom-left",
                                             "bottom-right"};
constexpr std::string_view kEnterpriseNames[] = {"broadcaster", "iptv", "state-internet",
                                                 "private-internet"};

template <class Enum>
Target choice(Enum& value, std::span<const std::string_view> names) {
  static_assert(sizeof(Enum) == 1);
  return Choice{reinterpret_cast<unsigned char*>(&value), names};
}

constexpr std::int64_t kMs = 1'000;
constexpr std::int64_t kSecond = 1'000 * kMs;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kKiB = 1024;
constexpr std::int64_t kMiB = 1024 * kKiB;
constexpr std::int64_t kGiB = 1024 * kMiB;

// Entries of one list of texts.
constexpr std::int64_t kMaxListed = 256;

constexpr auto kReload = Applies::on_reload;
constexpr auto kRestart = Applies::on_restart;

#define KAPOK_KEY(member) [](Record r) -> Target { return &r.as<Config>().member; }
constexpr KeySpec kRoot[] = {
    {"rtmp.port", KAPOK_KEY(rtmp.port), "Where encoders publish. 0 or \"off\": not at all.",
     kRestart, Form::any, 0, 65535},
    {"rtmp.address", KAPOK_KEY(rtmp.address),
     "Address to listen on; \"::\" is every IPv6 and IPv4 address.", kRestart, Form::address},
    {"rtmps.port", KAPOK_KEY(rtmps.port), "RTMP over TLS. Off while there is no certificate.",
     kRestart, Form::any, 0, 65535},
    {"rtmps.address", KAPOK_KEY(rtmps.address), "Address to listen on.", kRestart, Form::address},
    {"srt.port", KAPOK_KEY(srt.listener.port),
     "Where encoders publish over SRT (UDP), and where callers receive channels.", kRestart,
     Form::any, 0, 65535},
    {"srt.address", KAPOK_KEY(srt.listener.address), "Address to listen on.", kRestart,
     Form::address},
    {"srt.latency", KAPOK_KEY(srt.latency),
     "How long a lost packet may take to come again; pictures come that much later. Of both ends' "
     "wishes the greater holds. Four round trips of the path are right: 120ms within a city, 400ms "
     "for 5G, more by satellite.",
     kRestart, Form::any, 20 * kMs, 10 * kSecond},
    {"srt.max_connections", KAPOK_KEY(srt.max_connections), "SRT connections at a time.", kRestart,
     Form::any, 1, 65'536},
    {"srt.connections_per_address", KAPOK_KEY(srt.connections_per_address),
     "SRT connections from one address at a time.", kRestart, Form::any, 1, 65'536},
    {"srt.receive_memory", KAPOK_KEY(srt.receive_memory),
     "What received datagrams that wait for their turn may hold, all feeds together: latency times "
     "bit rate of each, and a fifth more.",
     kRestart, Form::any, kMiB, 64 * kGiB},
    {"srt.socket_buffer", KAPOK_KEY(srt.socket_buffer),
     "What the kernel may hold per thread while that is busy. More than net.core.rmem_max needs "
     "CAP_NET_ADMIN.",
     kRestart, Form::any, 64 * kKiB, kGiB},
    {"http.port", KAPOK_KEY(http.port), "Players, web pages and the API.", kRestart, Form::any, 0,
     65535},
    {"http.address", KAPOK_KEY(http.address), "Address to listen on.", kRestart, Form::address},
    {"https.port", KAPOK_KEY(https.port),
     "The same as http over TLS. Off while there is no certificate.", kRestart, Form::any, 0,
     65535},
    {"https.address", KAPOK_KEY(https.address), "Address to listen on.", kRestart, Form::address},
    {"tls.certificate", KAPOK_KEY(tls.certificate),
     "Certificate chain, PEM. The file is read again on reload.", kRestart},
    {"tls.key", KAPOK_KEY(tls.key),
     "Private key of the certificate, PEM. The file is read again on reload.", kRestart},
    {"tls.self_signed", KAPOK_KEY(tls.self_signed),
     "Make a self-signed certificate when none is given. For trying out: browsers warn.", kRestart},
    {"data.dir", KAPOK_KEY(data_dir),
     "Everything that must outlive a restart: keys, ledger and, unless spool.dir says otherwise, "
     "the live window.",
     kRestart},
    {"spool.dir", KAPOK_KEY(spool_dir),
     "The live window's files; may lie on a tmpfs. Empty: <data.dir>/spool.", kRestart},
    {"spool.reserve", KAPOK_KEY(spool_reserve),
     "With the spool on a tmpfs: memory for its files that is made ready at start, when nothing "
     "else wants the core (\"12GiB\"). For virtual machines, whose hosts find new memory slowly: "
     "twice window.time times the bit rates of all renditions. 0: none.",
     kRestart, Form::any, 0, 1024 * 1024 * kGiB},
    {"window.time", KAPOK_KEY(window.time), "How far back viewers can go (time shift).", kReload,
     Form::any, 10 * kSecond, 14 * kDay},
    {"window.bytes", KAPOK_KEY(window.bytes),
     "Room for the live windows of all channels together: bytes (\"40GiB\") or a share of the "
     "spool's disk (\"25%\").",
     kReload, Form::any, 64 * kMiB, 1024 * 1024 * kGiB},
    {"segment.target", KAPOK_KEY(segment_target),
     "Segments are the smallest multiple of the GOP not below this.", kReload, Form::any, 500 * kMs,
     30 * kSecond},
    {"part.target", KAPOK_KEY(part_target), "Length of a low-latency part.", kReload, Form::any,
     40 * kMs, 2 * kSecond},
    {"delivery.anonymous",
     [](Record r) { return choice(r.as<Config>().anonymous, kAnonymousNames); },
     "Whether /live/ may be fetched without a session: by anybody (allow) or by edge caches only "
     "(edges). Anonymous viewing is never credited.",
     kRestart},
    {"delivery.edges", KAPOK_KEY(edges),
     "The edge caches that delivery.anonymous = \"edges\" lets in: addresses and networks, "
     "[\"192.0.2.0/24\", \"2001:db8::7\"].",
     kRestart, Form::any, 0, kMaxListed},
    {"session.ttl", KAPOK_KEY(session_ttl), "How long a viewer's session token is good for.",
     kRestart, Form::any, kMinute, kDay},
    {"server.shards", KAPOK_KEY(shards), "Threads that move media; 0: one per core.", kRestart,
     Form::any, 0, 256},
    {"log.level", [](Record r) { return choice(r.as<Config>().log_level, kLogLevelNames); },
     "The least serious level that is written.", kReload},
    {"log.format", [](Record r) { return choice(r.as<Config>().log_format, kLogFormatNames); },
     "One line per event on standard error: key=value pairs, or a JSON object.", kRestart},
    {"web.root", KAPOK_KEY(web_root),
     "Folder of the web pages. Empty: the installed ones, or player/dist of the source tree.",
     kRestart},
    {"transcoder.program", KAPOK_KEY(transcoder.program),
     "What makes the rungs of channels with a ladder, one process each.", kRestart},
    {"transcoder.ladders", KAPOK_KEY(transcoder.ladders),
     "Folder of the ladder presets that channels name.", kReload},
    {"transcoder.cores", KAPOK_KEY(transcoder.cores),
     "How many cores the transcoder of one channel or file may use, those that the fewest others "
     "use; 0: all. Whatever it decodes, the other cores are not its to take.",
     kRestart, Form::any, 0, 1024},
    {"vod.import", KAPOK_KEY(vod.import),
     "Folder below which files lie that may be made into ladders (POST /api/v1/vod), on a disk of "
     "this machine. Empty: none may.",
     kRestart},
    {"vod.dir", KAPOK_KEY(vod.dir),
     "What was made of them, to be watched below /vod/. Empty: <data.dir>/vod.", kRestart},
    {"vod.jobs", KAPOK_KEY(vod.jobs),
     "Files at a time. They run at the lowest priority, behind every channel.", kRestart, Form::any,
     1, 16},
    {"vod.segment_target", KAPOK_KEY(vod.segment_target),
     "Segments last at least so long: up to the next GOP of a file that is published as it is.",
     kRestart, Form::any, kSecond, 10 * kSecond},
    {"ledger.origin", KAPOK_KEY(ledger_origin),
     "The name of this log of hours, in every checkpoint: host/name, no spaces. Never change it "
     "once the log has entries.",
     kRestart, Form::origin},
    {"ledger.dir", KAPOK_KEY(ledger_dir), "The log of hours. Empty: <data.dir>/ledger.", kRestart},
    {"limits.connections", KAPOK_KEY(limits.connections), "HTTP connections at a time.", kRestart,
     Form::any, 16, 1'000'000},
    {"limits.connections_per_address", KAPOK_KEY(limits.connections_per_address),
     "Connections from one address at a time; a carrier's NAT is one address.", kRestart, Form::any,
     1, 1'000'000},
    {"limits.half_open_per_address", KAPOK_KEY(limits.half_open_per_address),
     "RTMP connections from one address that have not shown a key yet.", kRestart, Form::any, 1,
     1024},
    {"limits.sessions", KAPOK_KEY(limits.sessions), "Viewing sessions held open at a time.",
     kRestart, Form::any, 1, 10'000'000},
    {"limits.sessions_per_address_per_minute", KAPOK_KEY(limits.sessions_per_address_per_minute),
     "New sessions from one address in a minute; more get 429.", kRestart, Form::any, 1, 1'000'000},
    {"limits.request_body", KAPOK_KEY(limits.request_body), "Largest body of an API request.",
     kRestart, Form::any, kKiB, 16 * kMiB},
    {"limits.idle", KAPOK_KEY(limits.idle), "A silent keep-alive connection is closed after this.",
     kRestart, Form::any, 5 * kSecond, kHour},
    {"limits.drain", KAPOK_KEY(limits.drain),
     "On SIGTERM, how long requests in flight may take to finish.", kRestart, Form::any, 0,
     10 * kMinute},
};
#undef KAPOK_KEY

#define KAPOK_KEY(member) [](Record r) -> Target { return &r.as<ChannelConfig>().member; }
constexpr KeySpec kChannel[] = {
    {"id", KAPOK_KEY(id), "The channel's name in URLs: a-z, 0-9, '-' and '_', at most 64.", kReload,
     Form::required_id},
    {"title", KAPOK_KEY(title), "What viewers see; the id when empty.", kReload},
    {"key", KAPOK_KEY(key),
     "Publish key: shorthand for one feed named \"main\". The file must then have mode 0600.",
     kReload},
    {"key_hash", KAPOK_KEY(key_hash), "The same, hashed: safe in a file that others may read.",
     kReload},
    {"srt_passphrase", KAPOK_KEY(srt_passphrase),
     "Over SRT, feeds of this channel must be encrypted with this, 10 to 79 characters. The file "
     "must then have mode 0600.",
     kReload},
    {"srt_passphrase_file", KAPOK_KEY(srt_passphrase_file),
     "The same, in a file of its own with mode 0600.", kReload},
    {"ladder", KAPOK_KEY(ladder),
     "What is made of the source beside it: a preset's name (\"4k-sdr-museum\") or a file "
     "(\"/etc/kapok/own.toml\"). Empty: the source alone is published.",
     kReload},
};
#undef KAPOK_KEY

#define KAPOK_KEY(member) [](Record r) -> Target { return &r.as<media::Ladder>().member; }
constexpr KeySpec kLadder[] = {
    {"engine", KAPOK_KEY(engine), "What encodes: ffmpeg or gstreamer.", kReload},
    {"device", KAPOK_KEY(device),
     "Where: auto takes the best whole path that this machine has (never a Vulkan device that is a "
     "processor); nvidia, qsv, vaapi, vulkan or software forces one, nvidia:1 one of several. What "
     "works: kapok-transcoder --probe. A device that fails while running is left for the next one, "
     "then for software.",
     kReload},
    {"detect.black", KAPOK_KEY(detect.black),
     "Black that lasts so long is told as an event; \"0s\": not looked for.", kReload, Form::any, 0,
     media::kLongestDetection.count()},
    {"detect.frozen", KAPOK_KEY(detect.frozen), "A picture that stands still; likewise.", kReload,
     Form::any, 0, media::kLongestDetection.count()},
    {"detect.frozen_noise", KAPOK_KEY(detect.frozen_noise),
     "What may still move in it, in thousandths of the range from black to white: film grain and "
     "what encoders leave. 2 for a camera that shows an empty hall.",
     kReload, Form::any, 0, media::kMaxFrozenNoise},
    {"detect.bars", KAPOK_KEY(detect.bars), "Colour bars; likewise.", kReload, Form::any, 0,
     media::kLongestDetection.count()},
    {"detect.silence", KAPOK_KEY(detect.silence), "Sound below -60 dBFS; likewise.", kReload,
     Form::any, 0, media::kLongestDetection.count()},
    {"poster.enabled", KAPOK_KEY(poster.enabled),
     "A still picture of the channel under /live/<channel>/poster.jpg, of ladders with video.",
     kReload},
    {"poster.interval", KAPOK_KEY(poster.interval),
     "A new one so often, with the next segment's first frame.", kReload, Form::any,
     media::kMinPosterInterval.count(), media::kMaxPosterInterval.count()},
    {"poster.side", KAPOK_KEY(poster.side),
     "Pixels of its longer side; a smaller source is not enlarged.", kReload, Form::any,
     media::kMinStillSide, media::kMaxPosterSide},
    {"thumbnails.enabled", KAPOK_KEY(thumbnails.enabled),
     "A still picture of each segment for seek bars, listed for players in HLS, DASH and WebVTT.",
     kReload},
    {"thumbnails.side", KAPOK_KEY(thumbnails.side),
     "Pixels of its longer side, at most: its height is a multiple of 16, for sheets.", kReload,
     Form::any, media::kMinStillSide, media::kMaxThumbnailSide},
    {"overlay.image", KAPOK_KEY(overlay.image),
     "A logo on all video rungs: a PNG of at most 4 MiB and 4096x4096 pixels. A path that is not "
     "absolute begins at the ladder's file. Empty: none.",
     kReload},
    {"overlay.corner",
     [](Record r) { return choice(r.as<media::Ladder>().overlay.corner, kCornerNames); },
     "Where it is.", kReload},
    {"overlay.height_percent", KAPOK_KEY(overlay.height_percent),
     "Its height, of the picture's height.", kReload, Form::any, 1, 100},
    {"overlay.margin_percent", KAPOK_KEY(overlay.margin_percent),
     "Between it and the picture's edges, of the picture's height.", kReload, Form::any, 0, 49},
    {"overlay.opacity_percent", KAPOK_KEY(overlay.opacity_percent),
     "How much it covers what is behind it, beside its own transparency.", kReload, Form::any, 1,
     100},
    {"clock", KAPOK_KEY(clock), "Channel time (UTC) in the picture of all video rungs, for tests.",
     kReload},
};
#undef KAPOK_KEY

#define KAPOK_KEY(member) [](Record r) -> Target { return &r.as<media::VideoRung>().member; }
constexpr KeySpec kVideoRung[] = {
    {"name", KAPOK_KEY(name), "Of the rendition, in URLs: \"1080p\".", kReload, Form::required_id},
    {"codec", [](Record r) { return choice(r.as<media::VideoRung>().codec, kCodecNames); },
     "avc plays everywhere, hevc and av1 hold 10 bit and need a third less.", kReload},
    {"height", KAPOK_KEY(height),
     "Lines, even; the width follows the source's shape. A rung above the source is left out.",
     kReload, Form::any, media::kMinRungHeight, media::kMaxRungHeight},
    {"rate", [](Record r) { return choice(r.as<media::VideoRung>().rate, kRungRateNames); },
     "Every frame of the source, or every second (50 to 25).", kReload},
    {"bit_rate", KAPOK_KEY(bit_rate), "b/s; what 5_000_000 reads as.", kReload, Form::any,
     media::kMinRungBitRate, media::kMaxRungBitRate},
    {"vbv_ms", KAPOK_KEY(vbv_ms), "The mean over so many milliseconds never exceeds bit_rate.",
     kReload, Form::any, media::kMinVbvMs, media::kMaxVbvMs},
    {"bit_depth", KAPOK_KEY(bit_depth), "8 or 10.", kReload, Form::any, 8, 10},
    {"range", [](Record r) { return choice(r.as<media::VideoRung>().range, kRungRangeNames); },
     "An HDR source's range kept (10 bit), or tone-mapped to SDR. The rungs of one codec agree.",
     kReload},
    {"b_frames", KAPOK_KEY(b_frames),
     "Pictures from both sides: fewer bits, but that many frames later.", kReload, Form::any, 0,
     media::kMaxBFrames},
    {"preset", KAPOK_KEY(preset), "The encoder's own word for speed against quality.", kReload},
    {"tune", KAPOK_KEY(tune), "The encoder's own word for the kind of picture.", kReload},
    {"bin", KAPOK_KEY(bin),
     "With engine gstreamer: a graph of your own from the source's pictures to this rung's codec, "
     "as "
     "gst-launch-1.0 reads it (\"videoscale ! video/x-raw,width=1280,height=720 ! x264enc\").",
     kReload},
};
#undef KAPOK_KEY

#define KAPOK_KEY(member) [](Record r) -> Target { return &r.as<media::AudioRung>().member; }
constexpr KeySpec kAudioRung[] = {
    {"name", KAPOK_KEY(name), "Of the rendition, in URLs: \"stereo\".", kReload, Form::required_id},
    {"codec", [](Record r) { return choice(r.as<media::AudioRung>().codec, kCodecNames); },
     "aac plays everywhere; opus in browsers.", kReload},
    {"channels", KAPOK_KEY(channels), "1, 2 or 6.", kReload, Form::any, 1, 6},
    {"bit_rate", KAPOK_KEY(bit_rate), "b/s.", kReload, Form::any, media::kMinRungBitRate,
     media::kMaxRungBitRate},
    {"loudness", KAPOK_KEY(loudness),
     "What programmes are brought to, in LUFS (EBU R 128: -23; streams: -16), with true peaks "
     "below "
     "-1 dBTP. 0: the sound stays as loud as it is.",
     kReload, Form::any, media::kMinLoudness, 0},
};
#undef KAPOK_KEY

#define KAPOK_KEY(member) [](Record r) -> Target { return &r.as<FeedConfig>().member; }
constexpr KeySpec kFeed[] = {
    {"name", KAPOK_KEY(name), "The feed's name, unique within its channel.", kReload,
     Form::required_id},
    {"priority", KAPOK_KEY(priority), "Of the feeds that are live the lowest number is shown.",
     kReload, Form::any, 0, 1000},
    {"key", KAPOK_KEY(key), "Publish key. The file must then have mode 0600.", kReload},
    {"key_hash", KAPOK_KEY(key_hash), "The same, hashed.", kReload},
    {"srt_passphrase", KAPOK_KEY(srt_passphrase),
     "Instead of the channel's, for this feed. The file must then have mode 0600.", kReload},
    {"srt_passphrase_file", KAPOK_KEY(srt_passphrase_file),
     "The same, in a file of its own with mode 0600.", kReload},
    {"url", KAPOK_KEY(url),
     "The server fetches this feed: srt://host:port with parameters streamid, passphrase, "
     "pbkeylen, cryptomode (ctr, gcm), latency (ms), packetfilter and mode (caller, rendezvous). "
     "With a passphrase or streamid the file must have mode 0600.",
     kReload},
    {"urls", KAPOK_KEY(urls),
     "Several paths to the same feed, bonded; weight says which is used first in a backup bond.",
     kReload, Form::any, 0, 8},
    {"bond", [](Record r) { return choice(r.as<FeedConfig>().bond, kBondNames); },
     "How several urls work together: all at once (broadcast), or one and the others in reserve "
     "(backup).",
     kReload},
};
#undef KAPOK_KEY

#define KAPOK_KEY(member) [](Record r) -> Target { return &r.as<EnterpriseConfig>().member; }
constexpr KeySpec kEnterprise[] = {
    {"id", KAPOK_KEY(id), "Short name, for programmes to refer to.", kReload, Form::required_id},
    {"name", KAPOK_KEY(name), "Registered name, as it stands in reports.", kReload,
     Form::required_text},
    {"kind", [](Record r) { return choice(r.as<EnterpriseConfig>().kind, kEnterpriseNames); },
     "Which of the four kinds of clause 17 it is.", kReload},
};
#undef KAPOK_KEY

#define KAPOK_KEY(member) [](Record r) -> Target { return &r.as<WorkConfig>().member; }
constexpr KeySpec kWork[] = {
    {"id", KAPOK_KEY(id), "Short name, for programmes to refer to.", kReload, Form::required_id},
    {"title", KAPOK_KEY(title), "The work's title.", kReload, Form::required_text},
    {"baseline", KAPOK_KEY(baseline),
     "It was offered before the reward's window, so showing it adds no new hours.", kReload},
};
#undef KAPOK_KEY

#define KAPOK_KEY(member) [](Record r) -> Target { return &r.as<ProgrammeConfig>().member; }
constexpr KeySpec kProgramme[] = {
    {"id", KAPOK_KEY(id), "Short name, unique.", kReload, Form::required_id},
    {"work", KAPOK_KEY(work),
     "The work shown. Showing it again adds no programme hours. Empty: a work of its own.", kReload,
     Form::id},
    {"title", KAPOK_KEY(title), "What viewers and reports see; the work's title when empty.",
     kReload},
    {"channel", KAPOK_KEY(channel), "Where it is shown.", kReload, Form::required_id},
    {"enterprise", KAPOK_KEY(enterprise), "Who offers it.", kReload, Form::required_id},
    {"start", KAPOK_KEY(start), "RFC 3339 with offset, e.g. 2026-11-23T20:00:00+08:00.", kReload},
    {"end", KAPOK_KEY(end), "RFC 3339 with offset; not shown any more from then on.", kReload},
    {"free", KAPOK_KEY(free), "Offered to households free of charge.", kReload},
    {"new", KAPOK_KEY(is_new),
     "Newly added, as clause 17 counts; false makes its work a baseline work.", kReload},
    {"region", KAPOK_KEY(region), "Where it is offered: GB/T 2260 code, 440000 is Guangdong.",
     kReload, Form::any, 0, 999'999},
};
#undef KAPOK_KEY

constexpr SectionSpec kSections[] = {
    {"", "Keys of the server. `rtmp.port = 1935` and `[rtmp]` with `port = 1935` are the same.",
     kRoot},
    {"channel", "One live service, fed by one or more feeds. Repeat `[[channel]]` for each.",
     kChannel},
    {"channel.feed", "A feed of the channel above it. Repeat `[[channel.feed]]` for each.", kFeed},
    {"enterprise", "Who files for the reward. Repeat `[[enterprise]]` for each.", kEnterprise},
    {"work", "A film, an event. Repeat `[[work]]` for each.", kWork},
    {"programme",
     "A work's appearance on a channel; hours are counted for programmes only. Repeat "
     "`[[programme]]` for each.",
     kProgramme},
    {"ladder file", "What a ladder's file holds at its top, each key once.", kLadder},
    {"video", "A rung of a ladder's file. Repeat `[[video]]` for each.", kVideoRung},
    {"audio", "A rung of a ladder's file. Repeat `[[audio]]` for each.", kAudioRung},
};

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      (out += '\\') += c;
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    else
      out += c;
  }
  return out += '"';
}

struct TypeName {
  std::string_view operator()(Port*) const { return "port"; }
  std::string_view operator()(bool*) const { return "true or false"; }
  std::string_view operator()(std::uint8_t*) const { return "whole number"; }
  std::string_view operator()(std::uint32_t*) const { return "whole number"; }
  std::string_view operator()(std::int32_t*) const { return "whole number"; }
  std::string_view operator()(std::string*) const { return "text"; }
  std::string_view operator()(Secret*) const { return "secret text"; }
  std::string_view operator()(std::filesystem::path*) const { return "path"; }
  std::string_view operator()(microseconds*) const { return "duration"; }
  std::string_view operator()(ByteSize*) const { return "bytes"; }
  std::string_view operator()(ByteBudget*) const { return "bytes or share"; }
  std::string_view operator()(std::optional<UtcTime>*) const { return "time"; }
  std::string_view operator()(std::vector<std::string>*) const { return "list of texts"; }
  std::string_view operator()(Secrets*) const { return "list of secret texts"; }
  std::string_view operator()(const Choice&) const { return "one of"; }
};

struct ValueText {
  std::string operator()(const Port* port) const {
    return port->on() ? fmt::format("{}", port->number) : "\"off\"";
  }
  std::string operator()(const bool* value) const { return *value ? "true" : "false"; }
  std::string operator()(const std::uint8_t* value) const { return fmt::format("{}", *value); }
  std::string operator()(const std::uint32_t* value) const { return fmt::format("{}", *value); }
  std::string operator()(const std::int32_t* value) const { return fmt::format("{}", *value); }
  std::string operator()(const std::string* text) const { return in_quotes(*text); }
  std::string operator()(const Secret* secret) const {
    return secret->empty() ? "\"\"" : "\"********\"";
  }
  std::string operator()(const std::filesystem::path* path) const {
    return in_quotes(path->string());
  }
  std::string operator()(const microseconds* duration) const {
    return in_quotes(format_duration(*duration));
  }
  std::string operator()(const ByteSize* size) const { return in_quotes(format_bytes(*size)); }
  std::string operator()(const ByteBudget* budget) const {
    return in_quotes(format_budget(*budget));
  }
  std::string operator()(const std::optional<UtcTime>* time) const {
    return *time ? format_utc(**time) : "";
  }
  std::string operator()(const std::vector<std::string>* list) const {
    std::string out;
    for (const std::string& text : *list) out += (out.empty() ? "" : ", ") + in_quotes(text);
    return "[" + out + "]";
  }
  std::string operator()(const Secrets* secrets) const {
    std::string out;
    for (std::size_t i = 0; i < secrets->texts.size(); ++i)
      out += i == 0 ? "\"********\"" : ", \"********\"";
    return "[" + out + "]";
  }
  std::string operator()(const Choice& choice) const {
    return in_quotes(choice.names[*choice.value]);
  }
};

}  // namespace

std::span<const KeySpec> root_keys() {
  return kRoot;
}
std::span<const KeySpec> channel_keys() {
  return kChannel;
}
std::span<const KeySpec> feed_keys() {
  return kFeed;
}
std::span<const KeySpec> enterprise_keys() {
  return kEnterprise;
}
std::span<const KeySpec> work_keys() {
  return kWork;
}
std::span<const KeySpec> programme_keys() {
  return kProgramme;
}
std::span<const KeySpec> ladder_keys() {
  return kLadder;
}
std::span<const KeySpec> video_rung_keys() {
  return kVideoRung;
}
std::span<const KeySpec> audio_rung_keys() {
  return kAudioRung;
}
std::span<const SectionSpec> sections() {
  return kSections;
}

const KeySpec* find_key(std::span<const KeySpec> keys, std::string_view name) {
  const auto found = std::ranges::find(keys, name, &KeySpec::name);
  return found == keys.end() ? nullptr : &*found;
}

std::string_view type_name(const Target& target) {
  return std::visit(TypeName{}, target);
}
std::string format_value(const Target& target) {
  return std::visit(ValueText{}, target);
}

std::string format_range(const KeySpec& key, const Target& target) {
  if (const auto* choice = std::get_if<Choice>(&target))
    return fmt::format("{}", fmt::join(choice->names, ", "));
  if (std::holds_alternative<Port*>(target)) return "1 to 65535; 0 or \"off\": none";
  if (key.least == key.most) return {};
  if (std::holds_alternative<std::vector<std::string>*>(target) ||
      std::holds_alternative<Secrets*>(target))
    return fmt::format("at most {} entries", key.most);
  if (std::holds_alternative<microseconds*>(target))
    return fmt::format("{} to {}", format_duration(microseconds(key.least)),
                       format_duration(microseconds(key.most)));
  if (std::holds_alternative<ByteSize*>(target))
    return fmt::format("{} to {}", format_bytes({static_cast<std::uint64_t>(key.least)}),
                       format_bytes({static_cast<std::uint64_t>(key.most)}));
  if (std::holds_alternative<ByteBudget*>(target))
    return fmt::format("1% to 95%, or {} to {}",
                       format_bytes({static_cast<std::uint64_t>(key.least)}),
                       format_bytes({static_cast<std::uint64_t>(key.most)}));
  return fmt::format("{} to {}", key.least, key.most);
}

}  // namespace kapok::app
