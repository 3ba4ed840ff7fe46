#include "server/app/verify/verify_command.hpp"

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <filesystem>
#include <optional>
#include <sstream>

#include "server/hours/ledger/file.hpp"
#include "server/hours/rules/canonical_json.hpp"
#include "server/hours/verify/audit.hpp"
#include "server/hours/verify/measured_json.hpp"

namespace kapok::verify_app {

namespace {

namespace json = boost::json;

constexpr std::size_t kMaxReportBytes = 256 * 1024 * 1024;

constexpr std::string_view kAbout =
    "Checks a Kapok ledger offline: the signature of its checkpoint, every entry and\n"
    "tile against the signed root, an older checkpoint, and the figures of a report.\n"
    "Nothing is written and nothing is sent.";
constexpr std::string_view kMore =
    "LOG_DIR is the server's ledger folder (<data.dir>/ledger), or a folder with what\n"
    "was downloaded from /log/: checkpoint, tile/0/000, tile/entries/000, ...\n"
    "\n"
    "Examples:\n"
    "  kapok-verify /var/lib/kapok/ledger --key operator.pub\n"
    "  kapok-verify log --key 'tv.example/kapok+0a1b2c3d+AbC...=' --report hours.json\n"
    "  kapok-verify log --key operator.pub --checkpoint checkpoint-of-last-month\n"
    "\n"
    "Get the key from the operator by another way than the log itself, and keep each\n"
    "checkpoint that you were given: the next one must be consistent with it.\n"
    "\n"
    "Exit: 0 all is right; 1 something is not, and the first bad file and index are\n"
    "named; 2 wrong usage, or files that cannot be read.";

struct Arguments {
  std::string log;
  std::string key;
  std::string report;
  std::string older;
  bool as_json = false;
};

Result<std::string> read_text(const std::string& path, std::size_t limit) {
  const Bytes bytes = KAPOK_TRY(ledger::read_small_file(path, limit));
  return std::string(as_text(bytes));
}

struct Key {
  ledger::Ed25519Verifier verifier;
  bool from_log = false;
};

// A file, the key itself, or else the one that lies beside the log.
Result<std::optional<Key>> find_key(const Arguments& arguments) {
  std::error_code ignored;
  if (!arguments.key.empty()) {
    std::string text = arguments.key;
    if (std::filesystem::is_regular_file(arguments.key, ignored))
      text = KAPOK_TRY(read_text(arguments.key, ledger::kMaxNoteBytes));
    else if (text.find('+') == std::string::npos)
      return fail(Errc::not_found, "--key: no file {}, and not a verifier key", arguments.key);
    Result<ledger::Ed25519Verifier> verifier = ledger::Ed25519Verifier::parse(text);
    if (!verifier) return std::unexpected(std::move(verifier).error().within("--key"));
    return Key{*std::move(verifier), false};
  }
  std::filesystem::path log(arguments.log);
  if (!log.has_filename()) log = log.parent_path();
  std::filesystem::path beside = log;
  beside += ".key.pub";
  for (const std::filesystem::path& path : {beside, log / "key.pub"})
    if (std::filesystem::is_regular_file(path, ignored)) {
      const std::string text = KAPOK_TRY(read_text(path, ledger::kMaxNoteBytes));
      return Key{KAPOK_TRY(ledger::Ed25519Verifier::parse(text)), true};
    }
  return std::nullopt;
}

std::string hours_text(std::int64_t ms) {
  return fmt::format("{}:{:02}:{:02}.{:03}", ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60,
                     ms % 1000);
}

std::string as_text(const verify::AuditResult& result, const std::optional<Key>& key) {
  std::string out;
  const auto line = [&out](std::string_view text) { out.append(text).append("\n"); };
  line(fmt::format("log         {}", result.checkpoint.origin));
  line(fmt::format("size        {} entries", result.checkpoint.size));
  line(fmt::format("root        {}", to_base64(result.checkpoint.root)));
  std::string signers;
  for (const std::string& name : result.signed_by) signers += (signers.empty() ? "" : " ") + name;
  if (!key)
    line("signature   NOT CHECKED: no --key given and none beside the log");
  else
    line(fmt::format("signature   {}{}", signers.empty() ? "none that is right" : signers,
                     key->from_log ? " (key taken from beside the log: shows that it is whole, "
                                     "not whose it is)"
                                   : ""));
  line(fmt::format("checked     {} entries, {} tiles", result.entries, result.tiles));
  if (result.consistent_with)
    line(fmt::format("consistent  with the older checkpoint of {} entries",
                     *result.consistent_with));
  if (result.report_checked && result.ok()) line("report      every figure recomputed: the same");
  line("witnessed   by none: an operator alone could have rewritten everything");
  if (result.ok()) {
    verify::ProgrammeHours offered;
    for (const auto& [row, hours] : result.measured.programme_hours) {
      offered.offered_strict_ms += hours.offered_strict_ms;
      offered.offered_loose_ms += hours.offered_loose_ms;
      offered.fresh_strict_ms += hours.fresh_strict_ms;
      offered.fresh_loose_ms += hours.fresh_loose_ms;
    }
    verify::ViewingHours viewed;
    for (const auto& [row, hours] : result.measured.viewing_hours) {
      viewed.strict_ms += hours.strict_ms;
      viewed.loose_ms += hours.loose_ms;
      viewed.total_ms += hours.total_ms;
    }
    line(fmt::format("A  programme hours offered  strict {}  loose {}",
                     hours_text(offered.offered_strict_ms), hours_text(offered.offered_loose_ms)));
    line(fmt::format("A  of these new             strict {}  loose {}",
                     hours_text(offered.fresh_strict_ms), hours_text(offered.fresh_loose_ms)));
    line(fmt::format("B  viewing hours            strict {}  loose {}  all {}",
                     hours_text(viewed.strict_ms), hours_text(viewed.loose_ms),
                     hours_text(viewed.total_ms)));
    line("OK");
    return out;
  }
  for (const verify::AuditFinding& finding : result.findings)
    line(fmt::format("BAD  {}", finding.what));
  line("FAILED");
  return out;
}

std::string as_json(const verify::AuditResult& result, const std::optional<Key>& key) {
  json::array findings;
  for (const verify::AuditFinding& finding : result.findings) findings.emplace_back(finding.what);
  json::array signers;
  for (const std::string& name : result.signed_by) signers.emplace_back(name);
  json::object out{{"ok", result.ok()},
                   {"origin", result.checkpoint.origin},
                   {"size", result.checkpoint.size},
                   {"root", to_base64(result.checkpoint.root)},
                   {"signature_checked", key.has_value()},
                   {"key_from_log", key && key->from_log},
                   {"signed_by", std::move(signers)},
                   {"witnessed_by", "none"},
                   {"entries", result.entries},
                   {"tiles", result.tiles},
                   {"report_checked", result.report_checked},
                   {"findings", std::move(findings)},
                   {"measures", verify::to_json(result.measured)}};
  if (result.consistent_with) out["consistent_with"] = *result.consistent_with;
  return rules::canonical_json(out) + "\n";
}

Result<Outcome> check(const Arguments& arguments) {
  const std::unique_ptr<ledger::LogSource> log = KAPOK_TRY(ledger::open_log(arguments.log));
  const std::optional<Key> key = KAPOK_TRY(find_key(arguments));
  verify::AuditRequest request;
  if (key) request.verifier = key->verifier;
  if (!arguments.report.empty())
    request.report = KAPOK_TRY(read_text(arguments.report, kMaxReportBytes));
  if (!arguments.older.empty())
    request.older_note = KAPOK_TRY(read_text(arguments.older, ledger::kMaxNoteBytes));
  const verify::AuditResult result = KAPOK_TRY(verify::audit(*log, request));
  return Outcome{result.ok() ? kExitGood : kExitBad,
                 arguments.as_json ? as_json(result, key) : as_text(result, key),
                 {}};
}

}  // namespace

Outcome run(int argc, const char* const* argv) {
  Arguments arguments;
  CLI::App app{std::string(kAbout), "kapok-verify"};
  app.footer(std::string(kMore));
  app.set_version_flag("--version", std::string(KAPOK_VERSION));
  app.add_option("LOG_DIR", arguments.log, "The log to check")->required();
  app.add_option("--key", arguments.key,
                 "Who must have signed: a file with the verifier key, or the key itself");
  app.add_option("--report", arguments.report,
                 "A report of hours (JSON) whose figures are recomputed");
  app.add_option("--checkpoint", arguments.older,
                 "An older checkpoint that the log must be consistent with");
  app.add_flag("--json", arguments.as_json, "Print the result as JSON");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& stopped) {
    std::ostringstream out;
    std::ostringstream error;
    const int code = app.exit(stopped, out, error);
    return {code == 0 ? kExitGood : kExitUsage, out.str(), error.str()};
  }
  Result<Outcome> outcome = check(arguments);
  if (outcome) return *std::move(outcome);
  return {kExitUsage, {}, fmt::format("kapok-verify: {}\n", outcome.error().message)};
}

}  // namespace kapok::verify_app
