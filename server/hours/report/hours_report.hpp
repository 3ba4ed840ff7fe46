// The report of hours: the measures of hours/verify joined with the names of the catalogue that is
// in the ledger, under a checkpoint. From log files alone; the server may be off. JSON (canonical)
// and CSV. What kapok-verify recomputes is in the JSON under the leaves' numbers; names only label.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/base/clock.hpp"
#include "server/base/result.hpp"
#include "server/hours/catalogue/catalogue.hpp"
#include "server/hours/ledger/log_source.hpp"
#include "server/hours/ledger/note.hpp"
#include "server/hours/verify/measures.hpp"

namespace kapok::report {

struct HoursQuery {
  std::optional<UtcTime> from;  // half-open
  std::optional<UtcTime> to;
  std::string enterprise;  // ids; empty: all
  std::string programme;
  std::string channel;
  std::uint32_t region = 0;
};

struct HoursReport {
  ledger::Checkpoint checkpoint;
  std::string note;                    // the signed checkpoint
  std::vector<std::string> witnesses;  // empty: the operator could have rewritten everything
  verify::MeasureFilter filter;
  verify::Measured measured;
  catalogue::Catalogue catalogue;  // the last one in the log; empty without one
  UtcTime made;
};

// Reads the whole log up to `note`'s size: blocking, about a second for 2 million leaves.
Result<HoursReport> make_hours_report(const ledger::LogSource& log, std::string note,
                                      const HoursQuery& query, UtcTime now);

// Canonical JSON (RFC 8785).
std::string to_json(const HoursReport& report);

// UTF-8 with a byte order mark (for spreadsheet programs), CRLF; measures A and B are two tables,
// one after the other, never in one column.
std::string to_csv(const HoursReport& report);

// One CSV cell: quoted when needed, and defused when a spreadsheet would take it for a formula.
std::string csv_cell(std::string_view text);

}  // namespace kapok::report
