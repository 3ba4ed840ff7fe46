// The whole check of a log, offline: signature, every entry against its hash, every tile against
// the hashes below it, the root, an older checkpoint, the texts, and the figures of a report. Names
// the first bad index and file. Reads through a LogSource, so it does not care how the log lies on
// disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/base/result.hpp"
#include "server/hours/ledger/log_source.hpp"
#include "server/hours/ledger/note.hpp"
#include "server/hours/verify/measures.hpp"

namespace kapok::verify {

struct AuditRequest {
  std::optional<ledger::Ed25519Verifier> verifier;  // none: the signature is not checked
  std::optional<std::string> older_note;            // a checkpoint seen before
  std::optional<std::string> report;                // its JSON
};

struct AuditFinding {
  std::string what;  // "entries entry 17: check does not match its bytes"
};

struct AuditResult {
  ledger::Checkpoint checkpoint;
  std::vector<std::string> signed_by;
  std::vector<std::string> unknown_signatures;
  std::uint64_t entries = 0;                     // hashed
  std::uint64_t tiles = 0;                       // compared
  std::optional<std::uint64_t> consistent_with;  // size of the older checkpoint
  bool report_checked = false;
  Measured measured;
  std::vector<AuditFinding> findings;  // empty: all is well; at most kMaxFindings
  bool ok() const { return findings.empty(); }
};
constexpr std::size_t kMaxFindings = 20;

// Errors: what kept the audit from being made at all (no checkpoint file, unreadable files). What
// is wrong with the log is in the findings.
Result<AuditResult> audit(const ledger::LogSource& log, const AuditRequest& request);

// The measures alone, over the entries of a checkpoint; for the report.
Result<Measured> measure(const ledger::LogSource& log, std::uint64_t size, MeasureFilter filter);

}  // namespace kapok::verify
