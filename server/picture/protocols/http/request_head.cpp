#include "server/picture/protocols/http/request_head.hpp"

#include <algorithm>
#include <charconv>

#include "server/picture/protocols/http/target.hpp"

namespace kapok::http {

namespace {

constexpr std::string_view kBlank = " \t";

// [RFC 9110 5.6.2]
constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (const char c : {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'})
    table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr auto kTokenCharacter = make_token_table();

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return kTokenCharacter[static_cast<unsigned char>(c)];
  });
}

// [RFC 9110 5.5] no control character but the tab; above all no NUL, CR or LF.
bool is_field_value(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 ? byte != 0x7F : byte == '\t';
  });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && kBlank.find(text.front()) != std::string_view::npos)
    text.remove_prefix(1);
  while (!text.empty() && kBlank.find(text.back()) != std::string_view::npos) text.remove_suffix(1);
  return text;
}

bool list_holds(std::string_view list, std::string_view wanted) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    if (equal_without_case(trimmed(list.substr(0, end)), wanted)) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

// What the fields said that only makes sense together.
struct Framing {
  unsigned hosts = 0;
  unsigned lengths = 0;
  unsigned encodings = 0;
  bool close = false;
  bool keep = false;
};

std::optional<Refusal> parse_request_line(std::string_view line, RequestHead& head) {
  if (line.size() > kMaxRequestLine) return Refusal{414, "request line too long"};
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return Refusal{400, "malformed request line"};
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(method)) return Refusal{400, "malformed method"};
  if (version.size() != 8 || !version.starts_with("HTTP/"))
    return Refusal{400, "malformed version"};
  if (version == "HTTP/1.1")
    head.minor_version = 1;
  else if (version == "HTTP/1.0")
    head.minor_version = 0;
  else
    return Refusal{505, "unsupported version"};
  for (const char c : target)
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7F)
      return Refusal{400, "malformed request target"};
  const auto split = split_target(target);
  if (!split) return Refusal{400, "malformed request target"};
  head.method = method_from(method);
  if (split->path == "*" && head.method != Method::options)
    return Refusal{400, "malformed request target"};
  head.raw_path = split->path;
  head.query = split->query;
  return std::nullopt;
}

std::optional<Refusal> read_length(std::string_view value, RequestHead& head, Framing& framing) {
  // [RFC 9112 6.3] two lengths, equal or not, are two ways to read the stream: refused.
  if (++framing.lengths > 1) return Refusal{400, "more than one Content-Length"};
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
  if (value.empty() || value.front() == '-' || error != std::errc() ||
      end != value.data() + value.size())
    return Refusal{400, "malformed Content-Length"};
  head.content_length = length;
  return std::nullopt;
}

// Fields of framing and those that media looks at; by length first, since most match none.
std::optional<Refusal> note_field(const HeaderView& field, RequestHead& head, Framing& framing) {
  const std::string_view name = field.name;
  const auto is = [&](std::string_view known) { return equal_without_case(name, known); };
  switch (name.size()) {
    case 4:
      if (is("host")) ++framing.hosts;
      break;
    case 5:
      if (is("range")) head.range = field.value;
      break;
    case 6:
      if (is("expect")) head.expects_continue = equal_without_case(field.value, "100-continue");
      break;
    case 8:
      if (is("if-range")) head.if_range = field.value;
      break;
    case 10:
      if (is("connection")) {
        framing.close |= list_holds(field.value, "close");
        framing.keep |= list_holds(field.value, "keep-alive");
      }
      break;
    case 13:
      if (is("if-none-match")) head.if_none_match = field.value;
      break;
    case 14:
      if (is("content-length")) return read_length(field.value, head, framing);
      break;
    case 15:
      if (is("accept-encoding")) head.accept_encoding = field.value;
      break;
    case 17:
      if (is("if-modified-since")) head.if_modified_since = field.value;
      if (is("transfer-encoding")) {
        if (++framing.encodings > 1) return Refusal{400, "more than one Transfer-Encoding"};
        if (!equal_without_case(field.value, "chunked"))
          return Refusal{501, "unsupported Transfer-Encoding"};
        head.chunked = true;
      }
      break;
    default:
      break;
  }
  return std::nullopt;
}

std::optional<Refusal> check_framing(const Framing& framing, RequestHead& head) {
  if (framing.hosts > 1 || (framing.hosts == 0 && head.minor_version == 1))
    return Refusal{400, "exactly one Host is required"};
  if (framing.encodings > 0 && framing.lengths > 0)
    return Refusal{400, "Content-Length beside Transfer-Encoding"};
  if (framing.encodings > 0 && head.minor_version == 0)
    return Refusal{400, "Transfer-Encoding in HTTP/1.0"};
  head.keep_alive = !framing.close && (head.minor_version == 1 || framing.keep);
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> RequestHead::header(std::string_view name) const {
  for (const HeaderView& field : headers())
    if (equal_without_case(field.name, name)) return field.value;
  return std::nullopt;
}

std::size_t HeadScanner::scan(std::string_view bytes) {
  const std::size_t from = searched_ > 3 ? searched_ - 3 : 0;
  const std::size_t found = bytes.find("\r\n\r\n", from);
  if (found != std::string_view::npos) return found + 4;
  searched_ = bytes.size();
  return 0;
}

std::optional<Refusal> parse_head(std::string_view bytes, RequestHead& head) {
  head.field_count = 0;
  head.content_length.reset();
  head.chunked = head.expects_continue = false;
  head.range = head.if_range = head.if_none_match = head.if_modified_since =
      head.accept_encoding = {};
  Framing framing;
  const std::size_t line_end = bytes.find("\r\n");
  if (line_end == std::string_view::npos) return Refusal{400, "malformed request line"};
  if (auto refusal = parse_request_line(bytes.substr(0, line_end), head)) return refusal;
  std::string_view rest = bytes.substr(line_end + 2);
  const auto refuse = [&](unsigned status, std::string_view why) {
    return Refusal{status, why, bytes.size() - rest.size()};
  };
  if (rest.size() > kMaxHeaderBytes) return refuse(431, "header fields too large");
  while (rest.size() > 2) {
    const std::size_t end = rest.find("\r\n");
    if (end == std::string_view::npos) return refuse(400, "malformed header field");
    const std::string_view line = rest.substr(0, end);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return refuse(400, "malformed header field");
    // A blank before the colon, or a folded line, fails the token check [RFC 9112 5.1, 5.2].
    const HeaderView field{line.substr(0, colon), trimmed(line.substr(colon + 1))};
    if (!is_token(field.name) || !is_field_value(field.value))
      return refuse(400, "malformed header field");
    if (head.field_count == kMaxHeaders) return refuse(431, "too many header fields");
    head.fields[head.field_count++] = field;
    if (const auto refusal = note_field(field, head, framing))
      return refuse(refusal->status, refusal->why);
    rest.remove_prefix(end + 2);
  }
  if (const auto refusal = check_framing(framing, head))
    return refuse(refusal->status, refusal->why);
  return std::nullopt;
}

Refusal refuse_endless(std::string_view bytes) {
  if (bytes.substr(0, kMaxRequestLine + 2).find("\r\n") == std::string_view::npos)
    return {414, "request line too long"};
  return {431, "header fields too large", bytes.size()};
}

}  // namespace kapok::http
