// The text of the packet filter's configuration and its negotiation.
#include <charconv>
#include <optional>

#include "server/picture/protocols/srt/fec.hpp"

namespace kapok::srt {

namespace {

// What a text says; what it does not say is for the other side, or the default.
struct Parameters {
  std::optional<std::uint32_t> columns;
  std::optional<std::int32_t> rows;  // negative: columns only
  std::optional<FecLayout> layout;
  std::optional<FecArq> arq;
};

template <class T>
Result<T> number(std::string_view name, std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    return fail(Errc::malformed, "packet filter: {} is no number", name);
  return value;
}

Result<void> read_parameter(std::string_view name, std::string_view value, Parameters& into) {
  const auto twice = [&] { return fail(Errc::malformed, "packet filter: {} stands twice", name); };
  if (name == "cols") {
    if (into.columns) return twice();
    into.columns = KAPOK_TRY(number<std::uint32_t>(name, value));
  } else if (name == "rows") {
    if (into.rows) return twice();
    into.rows = KAPOK_TRY(number<std::int32_t>(name, value));
  } else if (name == "layout") {
    if (into.layout) return twice();
    if (value != "even" && value != "staircase")
      return fail(Errc::malformed, "packet filter: layout is \"even\" or \"staircase\"");
    into.layout = value == "even" ? FecLayout::even : FecLayout::staircase;
  } else if (name == "arq") {
    if (into.arq) return twice();
    if (value == "never")
      into.arq = FecArq::never;
    else if (value == "onreq")
      into.arq = FecArq::onreq;
    else if (value == "always")
      into.arq = FecArq::always;
    else
      return fail(Errc::malformed, "packet filter: arq is \"never\", \"onreq\" or \"always\"");
  } else {
    return fail(Errc::malformed, "packet filter: only cols, rows, layout and arq are known");
  }
  return {};
}

Result<Parameters> read_parameters(std::string_view text) {
  if (text.size() > kMaxFilterBytes)
    return fail(Errc::limit, "packet filter: {} bytes of configuration, at most {}", text.size(),
                kMaxFilterBytes);
  std::size_t end = text.find(',');
  if (text.substr(0, end) != "fec")
    return fail(Errc::unsupported, "packet filter: only \"fec\" is known");
  Parameters parameters;
  while (end != std::string_view::npos) {
    text.remove_prefix(end + 1);
    end = text.find(',');
    const std::string_view pair = text.substr(0, end);
    const std::size_t colon = pair.find(':');
    if (colon == std::string_view::npos)
      return fail(Errc::malformed, "packet filter: a parameter without \":\"");
    KAPOK_TRY(read_parameter(pair.substr(0, colon), pair.substr(colon + 1), parameters));
  }
  return parameters;
}

Result<FecConfig> complete(const Parameters& parameters) {
  if (!parameters.columns) return fail(Errc::malformed, "packet filter: cols is missing");
  const std::int32_t rows = parameters.rows.value_or(1);
  // [libsrt srtcore/fec.cpp, verifyConfig]
  if (*parameters.columns < 2 || rows == 0 || rows == -1)
    return fail(Errc::malformed, "packet filter: cols from 2, rows from 1 or to -2");
  FecConfig config{.columns = *parameters.columns,
                   .rows = 0,
                   .row_parity = rows > 0,
                   .layout = parameters.layout.value_or(FecLayout::staircase),
                   .arq = parameters.arq.value_or(FecArq::onreq)};
  const auto magnitude = static_cast<std::uint32_t>(rows > 0 ? rows : -std::int64_t{rows});
  if (config.columns > kMaxFecColumns || magnitude > kMaxFecRows ||
      config.columns * magnitude > kMaxFecMatrix)
    return fail(Errc::limit, "packet filter: at most {} columns, {} rows and {} packets",
                kMaxFecColumns, kMaxFecRows, kMaxFecMatrix);
  config.rows = magnitude;
  return config;
}

// Fills what one side left open; false when both said something different.
template <class T>
bool agree(std::optional<T>& ours, const std::optional<T>& theirs) {
  if (!ours) ours = theirs;
  return !theirs || *ours == *theirs;
}

}  // namespace

Result<FecConfig> parse_fec_config(std::string_view text) {
  return complete(KAPOK_TRY(read_parameters(text)));
}

std::string to_string(const FecConfig& config) {
  static constexpr std::string_view kArq[] = {"never", "onreq", "always"};
  return fmt::format("fec,cols:{},rows:{}{},layout:{},arq:{}", config.columns,
                     config.row_parity ? "" : "-", config.rows,
                     config.layout == FecLayout::even ? "even" : "staircase",
                     kArq[static_cast<std::size_t>(config.arq)]);
}

Result<FecConfig> negotiate_fec(std::string_view ours, std::string_view theirs) {
  if (ours.empty()) return parse_fec_config(theirs);
  Parameters agreed = KAPOK_TRY(read_parameters(ours));
  const Parameters peer = KAPOK_TRY(read_parameters(theirs));
  const auto differs = [](std::string_view name) {
    return fail(Errc::conflict, "packet filter: {} differs from the other side's", name);
  };
  if (!agree(agreed.columns, peer.columns)) return differs("cols");
  if (!agree(agreed.rows, peer.rows)) return differs("rows");
  if (!agree(agreed.layout, peer.layout)) return differs("layout");
  if (!agree(agreed.arq, peer.arq)) return differs("arq");
  return complete(agreed);
}

}  // namespace kapok::srt
