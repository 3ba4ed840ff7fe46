#include "server/app/server/log_text.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace kapok::app {
namespace {

constexpr std::string_view kHidden = "[hidden]";

// Length of the valid UTF-8 sequence at the start, 0: invalid. [RFC 3629 4]
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F) ||
      (first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F))
    return 0;
  return size;
}

// Escapes for both formats, which differ for invalid bytes only.
void append_escaped(std::string& out, std::string_view text, std::string_view invalid_format) {
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text.front());
    std::size_t size = utf8_length(text);
    if (c == '"' || c == '\\')
      (out += '\\') += text.front();
    else if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\t')
      out += "\\t";
    else if (c < 0x20 || c == 0x7f)
      out += fmt::format("\\u{:04x}", c);
    // C1 controls (U+0080..U+009F) move cursors on some terminals.
    else if (c == 0xC2 && size == 2 && static_cast<unsigned char>(text[1]) < 0xA0)
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(text[1]));
    else if (size == 0)
      out += fmt::format(fmt::runtime(invalid_format), c);
    else
      out += text.substr(0, size);
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
}

std::string cut(std::string text) {
  if (text.size() <= kMaxLogValueBytes) return text;
  std::size_t keep = kMaxLogValueBytes;
  while (keep > 0 && (static_cast<unsigned char>(text[keep]) & 0xC0) == 0x80) --keep;
  text.resize(keep);
  return text += "...";
}

bool needs_quotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (u <= 0x20 || u == 0x7f || c == '"' || c == '=' || c == '\\') return true;
    if (u >= 0x80) return true;
  }
  return false;
}

std::string safe_text(const LogField& field) {
  if (is_secret_field(field.key)) return std::string(kHidden);
  return cut(hide_secrets(std::get<std::string>(field.value.held())));
}

// Field names are ours, but one that came from elsewhere must not break the line.
std::string safe_name(std::string_view name) {
  std::string out;
  for (const char c : name.substr(0, 64)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '.' || c == '-';
    out += plain ? c : '_';
  }
  return out.empty() ? "_" : out;
}

struct LogfmtValue {
  const LogField& field;
  std::string operator()(const std::string&) const {
    const std::string text = safe_text(field);
    if (!needs_quotes(text)) return text;
    std::string out = "\"";
    append_escaped(out, text, "\\x{:02x}");
    return out += '"';
  }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(double value) const { return fmt::format("{:.6g}", value); }
  template <class Number>
  std::string operator()(Number value) const {
    return is_secret_field(field.key) ? std::string(kHidden) : fmt::format("{}", value);
  }
};

struct JsonValue {
  const LogField& field;
  std::string operator()(const std::string&) const {
    std::string out = "\"";
    append_escaped(out, safe_text(field), "\\ufffd");
    return out += '"';
  }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(double value) const {
    return std::isfinite(value) ? fmt::format("{:.6g}", value) : "null";
  }
  template <class Number>
  std::string operator()(Number value) const {
    return is_secret_field(field.key) ? fmt::format("\"{}\"", kHidden) : fmt::format("{}", value);
  }
};

// Replaces what follows `mark` up to one of `ends`.
void hide_after(std::string& text, std::string_view mark, std::string_view ends) {
  std::size_t at = 0;
  while ((at = text.find(mark, at)) != std::string::npos) {
    at += mark.size();
    std::size_t end = text.find_first_of(ends, at);
    if (end == std::string::npos) end = text.size();
    if (end == at) continue;
    text.replace(at, end - at, kHidden);
    at += kHidden.size();
  }
}

}  // namespace

std::string_view name_of(LogLevel level) {
  constexpr std::array<std::string_view, 4> kNames = {"debug", "info", "warn", "error"};
  return kNames[static_cast<std::size_t>(level)];
}

bool is_secret_field(std::string_view name) {
  constexpr std::array<std::string_view, 7> kNames = {
      "key", "token", "secret", "password", "passphrase", "authorization", "bearer"};
  for (const std::string_view secret : kNames)
    if (name == secret || (name.ends_with(secret) && name.size() > secret.size() &&
                           name[name.size() - secret.size() - 1] == '_'))
      return true;
  return false;
}

std::string hide_secrets(std::string_view text) {
  std::string out(text);
  if (out.find('=') != std::string::npos)
    for (const std::string_view mark : {"key=", "token=", "secret=", "password=", "passphrase="})
      hide_after(out, mark, "& \"'#;,");
  hide_after(out, "/s/", "/ \"'?#");
  hide_after(out, "Bearer ", " \"',;");
  return out;
}

std::string logfmt_fields(std::span<const LogField> context, std::span<const LogField> fields) {
  std::string out;
  for (const auto& list : {context, fields})
    for (const LogField& field : list) {
      out += ' ';
      out += safe_name(field.key);
      out += '=';
      out += std::visit(LogfmtValue{field}, field.value.held());
    }
  return out;
}

std::string json_fields(std::span<const LogField> context, std::span<const LogField> fields) {
  std::string out;
  for (const auto& list : {context, fields})
    for (const LogField& field : list)
      out += fmt::format(",\"{}\":{}", safe_name(field.key),
                         std::visit(JsonValue{field}, field.value.held()));
  return out;
}

}  // namespace kapok::app
