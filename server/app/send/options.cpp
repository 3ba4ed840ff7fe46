#include "server/app/send/options.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <fstream>
#include <sstream>

#include "server/picture/protocols/srt/encryption.hpp"
#include "server/picture/protocols/srt/fec.hpp"
#include "server/picture/protocols/srt/group.hpp"
#include "server/picture/protocols/srt/options.hpp"
#include "server/picture/protocols/srt/stream_id.hpp"

namespace kapok::send_app {

namespace {

constexpr std::string_view kAbout =
    "Sends an MPEG-TS file or stream over SRT, over one link or several at once.";
constexpr std::string_view kMore =
    "INPUT is a file or - for standard input. A file is sent in real time, by the clock in\n"
    "it (PCR); standard input as it comes, unless --pace says otherwise.\n"
    "Several links carry one feed: broadcast sends everything over all of them, backup uses\n"
    "the one of greatest weight until it fails. bind is the local address of the uplink.\n"
    "\n"
    "Examples:\n"
    "  kapok-send --channel demo --key-file demo.key clip.ts srt://kapok.example:9000\n"
    "  kapok-send --bond broadcast --channel demo --key-file demo.key - \\\n"
    "      'srt://kapok.example:9000?bind=192.168.1.20' \\\n"
    "      'srt://kapok.example:9000?bind=10.64.0.7'\n"
    "  ffmpeg -i INPUT -c copy -f mpegts - | kapok-send --channel demo --key-file demo.key \\\n"
    "      - srt://kapok.example:9000\n"
    "\n"
    "A link that fails is called again, after 0.5 s at first and 8 s at most.\n"
    "Exit: 0 all was sent, or Ctrl-C; 1 every listener refused, the input could not be read,\n"
    "or part of it fell out while no link was up; 2 wrong usage.";

// A secret file holds one line.
constexpr std::size_t kMaxSecretBytes = 512;

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<std::string> read_secret(const std::string& path, std::string_view what) {
  std::ifstream file(path);
  std::string line;
  if (!file || !std::getline(file, line))
    return fail(Errc::config, "{} {} cannot be read, or is empty", what, path);
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
  if (line.empty() || line.size() > kMaxSecretBytes)
    return fail(Errc::config, "{} {}: its first line should be the secret, at most {} bytes", what,
                path, kMaxSecretBytes);
  return line;
}

struct Arguments {
  std::string input;
  std::vector<std::string> urls;
  std::string bond;
  std::string passphrase_file;
  std::string cipher;
  std::string key_file;
  std::string channel;
  std::string stream_id;
  std::string filter;
  unsigned latency_ms = 500;
  bool paced = false;
  bool looped = false;
};

Result<std::string> stream_id_of(const Arguments& arguments) {
  if (!arguments.stream_id.empty()) {
    if (!arguments.channel.empty() || !arguments.key_file.empty())
      return fail(Errc::config, "--stream-id says it all: leave out --channel and --key-file");
    if (arguments.stream_id.size() > srt::kMaxStreamIdBytes)
      return fail(Errc::config, "--stream-id has {} bytes, at most {} are possible",
                  arguments.stream_id.size(), srt::kMaxStreamIdBytes);
    return arguments.stream_id;
  }
  if (arguments.channel.empty()) {
    if (!arguments.key_file.empty()) return fail(Errc::config, "--key-file needs --channel");
    return std::string();
  }
  srt::StreamId id;
  id.mode = srt::StreamMode::publish;
  id.channel = arguments.channel;
  if (!arguments.key_file.empty())
    id.key = KAPOK_TRY(read_secret(arguments.key_file, "the key file"));
  const std::string text = srt::format_stream_id(id);
  if (!srt::parse_stream_id(text))
    return fail(Errc::config, "channel and key make no stream id: is \"{}\" the channel's id?",
                arguments.channel);
  return text;
}

Result<Options> options_of(const Arguments& arguments) {
  Options options;
  options.input = arguments.input;
  for (const auto& url : arguments.urls) options.links.push_back(KAPOK_TRY(parse_link(url)));
  if (options.links.size() > srt::Group::kMaxLinks)
    return fail(Errc::config, "{} links, at most {} are possible", options.links.size(),
                srt::Group::kMaxLinks);
  if (!arguments.bond.empty())
    options.bond = arguments.bond == "backup" ? srt::GroupType::backup : srt::GroupType::broadcast;
  else if (options.links.size() > 1)
    return fail(Errc::config, "several links: say --bond broadcast or --bond backup");
  options.stream_id = KAPOK_TRY(stream_id_of(arguments));
  if (!arguments.passphrase_file.empty()) {
    options.passphrase = KAPOK_TRY(read_secret(arguments.passphrase_file, "the passphrase file"));
    KAPOK_TRY(srt::check_passphrase(options.passphrase));
  } else if (!arguments.cipher.empty()) {
    return fail(Errc::config, "--cipher needs --passphrase-file");
  }
  if (arguments.cipher == "gcm") options.cipher = srt::CipherMode::gcm;
  if (!arguments.filter.empty()) KAPOK_TRY(srt::parse_fec_config(arguments.filter));
  options.filter = arguments.filter;
  options.latency = milliseconds(arguments.latency_ms);
  if (options.latency > srt::kMaxLatency)
    return fail(Errc::config, "--latency is {} at most", srt::kMaxLatency.count());
  const bool stream = options.input == "-";
  options.pace = stream && !arguments.paced ? Pace::arrival : Pace::clock;
  options.loop = arguments.looped;
  if (options.loop && stream) return fail(Errc::config, "--loop needs a file");
  return options;
}

}  // namespace

std::string LinkTarget::name() const {
  const std::string at = fmt::format("{}:{}", host.contains(':') ? "[" + host + "]" : host, port);
  return bind.empty() ? at : at + " from " + bind;
}

Result<LinkTarget> parse_link(std::string_view url) {
  const auto wrong = [&](std::string_view what) {
    return fail(Errc::config, "\"{}\": {}; a link is srt://host:port[?weight=N&bind=ADDRESS]", url,
                what);
  };
  std::string_view rest = url;
  if (!rest.starts_with("srt://")) return wrong("no srt:// address");
  rest.remove_prefix(6);
  const std::size_t question = rest.find('?');
  std::string_view query =
      question == std::string_view::npos ? std::string_view{} : rest.substr(question + 1);
  rest = rest.substr(0, question);
  if (rest.ends_with('/')) rest.remove_suffix(1);

  LinkTarget link;
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos) return wrong("the port is missing");
  std::string_view host = rest.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto port = number<std::uint16_t>(rest.substr(colon + 1));
  if (host.empty()) return wrong("the host is missing");
  if (!port || *port == 0) return wrong("the port is no number from 1 to 65535");
  link.host = host;
  link.port = *port;
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
    if (pair.starts_with("weight=")) {
      const auto weight = number<std::uint16_t>(pair.substr(7));
      if (!weight) return wrong("weight is no number from 0 to 65535");
      link.weight = *weight;
    } else if (pair.starts_with("bind=") && pair.size() > 5) {
      link.bind = pair.substr(5);
    } else {
      return wrong("only weight and bind are known after \"?\"");
    }
  }
  return link;
}

Parsed parse_options(int argc, const char* const* argv) {
  CLI::App app(std::string(kAbout), "kapok-send");
  app.footer(std::string(kMore));
  app.set_version_flag("--version", std::string(KAPOK_VERSION));
  Arguments arguments;
  app.add_option("INPUT", arguments.input, "MPEG-TS file, or - for standard input")->required();
  app.add_option("LINK", arguments.urls, "srt://host:port[?weight=N&bind=ADDRESS], one or more")
      ->required();
  app.add_option("--bond", arguments.bond, "broadcast or backup: the links carry one feed")
      ->check(CLI::IsMember({"broadcast", "backup"}));
  app.add_option("--channel", arguments.channel, "publish to this channel");
  app.add_option("--key-file", arguments.key_file, "file with the channel's publish key");
  app.add_option("--stream-id", arguments.stream_id, "SRT stream id, in place of the two");
  app.add_option("--passphrase-file", arguments.passphrase_file,
                 "file with the passphrase: encrypts (AES-256)");
  app.add_option("--cipher", arguments.cipher,
                 "ctr (default) or gcm, which also notices forged packets; a libsrt that receives\n"
                 "gcm must be 1.5.2 or newer")
      ->check(CLI::IsMember({"ctr", "gcm"}));
  app.add_option("--latency", arguments.latency_ms,
                 "milliseconds for retransmission, at both ends (default 500)");
  app.add_option("--fec", arguments.filter, "packet filter, as fec,cols:10,rows:5");
  app.add_flag("--pace", arguments.paced, "send standard input by its clock, too");
  app.add_flag("--loop", arguments.looped, "send the file again and again");
  std::ostringstream out;
  std::ostringstream error;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& stopped) {
    const int code = app.exit(stopped, out, error);
    return {.options = {},
            .text = out.str() + error.str(),
            .exit_code = code == 0 ? kExitGood : kExitUsage};
  }
  auto options = options_of(arguments);
  if (!options)
    return {
        .options = {}, .text = "error: " + options.error().message + "\n", .exit_code = kExitUsage};
  return {.options = std::move(*options), .text = {}, .exit_code = kExitGood};
}

}  // namespace kapok::send_app
