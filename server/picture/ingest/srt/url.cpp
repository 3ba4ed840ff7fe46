#include "server/picture/ingest/srt/url.hpp"

#include <charconv>

#include "server/picture/protocols/srt/options.hpp"

namespace kapok::ingest {

namespace {

constexpr std::string_view kScheme = "srt://";
constexpr std::size_t kMaxHost = 255;  // [RFC 1035 2.3.4]

std::unexpected<Error> wrong(std::string_view what) {
  return fail(Errc::config, "{}", what);
}

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

// [RFC 3986 2.1]
Result<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const auto high = i + 1 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
    const auto low = i + 2 < text.size() ? hex_digit(text[i + 2]) : std::nullopt;
    if (!high || !low) return wrong("a % without two hex digits after it");
    out += static_cast<char>(*high << 4U | *low);
    i += 2;
  }
  return out;
}

std::optional<std::uint32_t> number(std::string_view text, std::uint32_t most) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > most) return std::nullopt;
  return value;
}

Result<void> set(SrtUrl& url, std::string_view name, std::string value) {
  if (name == "mode") {
    if (value == "caller") return {};
    if (value != "rendezvous") return wrong("mode is caller or rendezvous");
    url.mode = SrtMode::rendezvous;
  } else if (name == "streamid") {
    if (value.size() > srt::kMaxStreamIdBytes)
      return fail(Errc::config, "streamid has more than {} bytes", srt::kMaxStreamIdBytes);
    url.stream_id = std::move(value);
  } else if (name == "passphrase") {
    KAPOK_TRY(srt::check_passphrase(value));
    url.passphrase = std::move(value);
  } else if (name == "pbkeylen") {
    const auto size = number(value, srt::kMaxKeyBytes);
    if (!size || !srt::is_key_size(*size)) return wrong("pbkeylen is 16, 24 or 32");
    url.key_bytes = *size;
  } else if (name == "cryptomode") {
    // [libsrt docs/API/API-socket-options.md, SRTO_CRYPTOMODE] 0 leaves it to the caller: to us.
    if (value == "gcm" || value == "2")
      url.cipher = srt::CipherMode::gcm;
    else if (value != "ctr" && value != "1" && value != "0")
      return wrong("cryptomode is ctr or gcm");
  } else if (name == "latency") {
    const auto wish = number(value, srt::kMaxLatency.count());
    if (!wish)
      return fail(Errc::config, "latency is milliseconds, {} at most", srt::kMaxLatency.count());
    url.latency = milliseconds(*wish);
  } else if (name == "weight") {
    const auto weight = number(value, 0xFFFF);
    if (!weight) return wrong("weight is a number up to 65535");
    url.weight = static_cast<std::uint16_t>(*weight);
  } else if (name == "packetfilter") {
    url.filter = std::move(value);
  } else {
    return wrong(
        "a parameter other than mode, streamid, passphrase, pbkeylen, cryptomode, latency, weight, "
        "packetfilter");
  }
  return {};
}

}  // namespace

std::string SrtUrl::place() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

Result<SrtUrl> parse_srt_url(std::string_view text) {
  if (!text.starts_with(kScheme)) return wrong("it does not begin with srt://");
  text.remove_prefix(kScheme.size());
  const std::size_t mark = text.find('?');
  std::string_view place = text.substr(0, mark);
  std::string_view query = mark == std::string_view::npos ? "" : text.substr(mark + 1);
  if (place.ends_with('/')) place.remove_suffix(1);

  SrtUrl url;
  const std::size_t colon = place.rfind(':');
  if (colon == std::string_view::npos) return wrong("no port: write srt://host:port");
  const auto port = number(place.substr(colon + 1), 0xFFFF);
  if (!port || *port == 0) return wrong("the port is not a number of 1 to 65535");
  url.port = static_cast<std::uint16_t>(*port);
  std::string_view host = place.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host.remove_prefix(1);
    host.remove_suffix(1);
  } else if (host.find(':') != std::string_view::npos) {
    return wrong("an IPv6 address stands in brackets: srt://[2001:db8::1]:9000");
  }
  if (host.empty()) return wrong("no host: write srt://host:port");
  if (host.size() > kMaxHost || host.find_first_of("@/#% \t\"") != std::string_view::npos)
    return wrong("the host is no name and no address");
  url.host = std::string(host);

  while (!query.empty()) {
    const std::size_t next = query.find('&');
    const std::string_view pair = query.substr(0, next);
    query = next == std::string_view::npos ? "" : query.substr(next + 1);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return wrong("a parameter without a value");
    std::string value = KAPOK_TRY(decoded(pair.substr(equals + 1)));
    KAPOK_TRY(set(url, pair.substr(0, equals), std::move(value)));
  }
  if (url.cipher == srt::CipherMode::gcm && url.key_bytes == 24)
    return wrong("cryptomode=gcm goes with a pbkeylen of 16 or 32");
  return url;
}

}  // namespace kapok::ingest
