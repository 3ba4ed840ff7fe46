#include "server/hours/verify/audit.hpp"

#include <algorithm>
#include <boost/json/value.hpp>
#include <set>

#include "server/hours/rules/canonical_json.hpp"
#include "server/hours/rules/rule_set.hpp"
#include "server/hours/verify/measured_json.hpp"

namespace kapok::verify {

namespace {

using ledger::Checkpoint;
using ledger::Frontier;
using ledger::kTileHeight;
using ledger::kTileLevels;
using ledger::kTileWidth;
using ledger::TileKind;
using ledger::TilePath;

constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kMaxReportBytes = 256 * 1024 * 1024;

// Compares the hashes of one level, as they are computed, with the stored tiles, one tile at a
// time.
class LevelCheck {
 public:
  LevelCheck(const ledger::LogSource& log, unsigned level, std::uint64_t size)
      : log_(log), level_(level), count_(size >> (level * kTileHeight)) {}

  // The first stored hash that differs, and the hash stored at `next()` for the tiles' own root.
  void take(const Digest256& computed) {
    if (failed_ || next_ >= count_) return;
    const std::uint64_t at = next_ % kTileWidth;
    if (at == 0 && !load()) return;
    const ByteSpan stored =
        ByteSpan(tile_).subspan(static_cast<std::size_t>(at) * kHashBytes, kHashBytes);
    std::copy(stored.begin(), stored.end(), last_.begin());
    if (last_ != computed && !first_bad_) first_bad_ = next_;
    ++next_;
  }
  const Digest256& last() const { return last_; }
  std::optional<std::uint64_t> first_bad() const { return first_bad_; }
  const std::optional<Error>& failed() const { return failed_; }
  std::uint64_t tiles() const { return tiles_; }
  std::string place_of(std::uint64_t index) const {
    const TilePath path{TileKind::hashes, level_, index / kTileWidth, width_of(index)};
    return fmt::format("{} hash {}", log_.name_of_tile(path), index);
  }

 private:
  std::uint64_t width_of(std::uint64_t index) const {
    return std::min(kTileWidth, count_ - index / kTileWidth * kTileWidth);
  }
  bool load() {
    Result<Bytes> tile =
        log_.read_tile({TileKind::hashes, level_, next_ / kTileWidth, width_of(next_)});
    if (!tile) {
      failed_ = std::move(tile).error();
      return false;
    }
    tile_ = *std::move(tile);
    ++tiles_;
    return true;
  }
  const ledger::LogSource& log_;
  unsigned level_;
  std::uint64_t count_;
  std::uint64_t next_ = 0;
  Bytes tile_;
  Digest256 last_{};
  std::optional<std::uint64_t> first_bad_;
  std::optional<Error> failed_;
  std::uint64_t tiles_ = 0;
};

class Audit {
 public:
  Audit(const ledger::LogSource& log, const AuditRequest& request) : log_(log), request_(request) {}

  Result<AuditResult> run() {
    const std::string note = KAPOK_TRY(log_.checkpoint_note());
    if (!open_checkpoint(note)) return std::move(out_);
    const std::optional<Checkpoint> older = open_older();
    read_report();
    hash_everything(older);
    compare_report();
    return std::move(out_);
  }

 private:
  void find(std::string what) {
    if (out_.findings.size() < kMaxFindings) out_.findings.push_back({std::move(what)});
  }

  Result<Checkpoint> verified(const std::string& note) {
    std::string text = note.substr(0, note.rfind("\n\n") + 1);
    if (request_.verifier) {
      ledger::OpenedNote opened =
          KAPOK_TRY(ledger::open_note(note, std::span(&*request_.verifier, 1)));
      text = opened.text;
      out_.signed_by = opened.verified;
      out_.unknown_signatures = opened.unknown;
    }
    Checkpoint checkpoint = KAPOK_TRY(ledger::parse_checkpoint(text));
    if (request_.verifier && checkpoint.origin != request_.verifier->name())
      return fail(Errc::denied, "the log is \"{}\", the key is of \"{}\"", checkpoint.origin,
                  request_.verifier->name());
    return checkpoint;
  }

  bool open_checkpoint(const std::string& note) {
    Result<Checkpoint> checkpoint = verified(note);
    if (!checkpoint) {
      find("checkpoint: " + checkpoint.error().message);
      return false;
    }
    out_.checkpoint = *std::move(checkpoint);
    return true;
  }

  std::optional<Checkpoint> open_older() {
    if (!request_.older_note) return std::nullopt;
    const auto keep = std::pair(out_.signed_by, out_.unknown_signatures);
    Result<Checkpoint> older = verified(*request_.older_note);
    std::tie(out_.signed_by, out_.unknown_signatures) = keep;
    if (!older) {
      find("older checkpoint: " + older.error().message);
      return std::nullopt;
    }
    if (older->origin != out_.checkpoint.origin) {
      find(fmt::format("older checkpoint is of another log, \"{}\"", older->origin));
      return std::nullopt;
    }
    if (older->size > out_.checkpoint.size) {
      find(fmt::format("the log shrank: {} entries were signed before, {} now", older->size,
                       out_.checkpoint.size));
      return std::nullopt;
    }
    return *older;
  }

  void read_report() {
    if (!request_.report) return;
    Result<boost::json::value> report = rules::parse_json(*request_.report, kMaxReportBytes);
    if (!report || !report->is_object()) {
      find(fmt::format("report: {}", report ? "not an object" : report.error().message));
      return;
    }
    report_ = *std::move(report);
    const boost::json::object& in = report_->get_object();
    const boost::json::value* filter = in.if_contains("filter");
    Result<MeasureFilter> parsed =
        filter == nullptr ? Result<MeasureFilter>(fail(Errc::malformed, "filter is missing"))
                          : parse_filter(*filter);
    if (!parsed) {
      find("report: " + parsed.error().message);
      report_.reset();
      return;
    }
    filter_ = *parsed;
    check_report_checkpoint(in);
  }

  // A report is of the log as it was: it may be older than the log that is here now.
  void check_report_checkpoint(const boost::json::object& report) {
    const boost::json::value* checkpoint = report.if_contains("checkpoint");
    const boost::json::object* in = checkpoint == nullptr ? nullptr : checkpoint->if_object();
    boost::system::error_code failed;
    const boost::json::value* size = in == nullptr ? nullptr : in->if_contains("size");
    const boost::json::value* root = in == nullptr ? nullptr : in->if_contains("root");
    const boost::json::value* origin = in == nullptr ? nullptr : in->if_contains("origin");
    if (size == nullptr || root == nullptr || !root->is_string() || origin == nullptr ||
        !origin->is_string()) {
      find("report: names no checkpoint");
      report_.reset();
      return;
    }
    report_size_ = size->to_number<std::uint64_t>(failed);
    report_root_ = std::string(root->get_string());
    if (std::string_view(origin->get_string()) != out_.checkpoint.origin)
      find(fmt::format("report is of another log, \"{}\"", std::string_view(origin->get_string())));
    if (failed || report_size_ > out_.checkpoint.size) {
      find(fmt::format("report is of a log of {} entries, here are {}", report_size_,
                       out_.checkpoint.size));
      report_.reset();
    }
  }

  void hash_everything(const std::optional<Checkpoint>& older) {
    const std::uint64_t size = out_.checkpoint.size;
    std::vector<LevelCheck> levels;
    for (unsigned level = 0; level < kTileLevels; ++level) levels.emplace_back(log_, level, size);
    Measures measures(filter_);
    const std::uint64_t measured_size = report_ ? report_size_ : size;
    // Two trees: of the entries, and of the leaf hashes that are stored. Where they part, the one
    // that gives the signed root is right and the other one is damaged.
    Frontier of_entries;
    Frontier of_tiles;
    const auto nothing = [](unsigned, const Digest256&) {};
    const auto on_entry = [&](std::uint64_t index, ByteSpan entry) -> Result<void> {
      if (older && index == older->size) check_older(*older, of_entries.root());
      if (report_ && index == report_size_) check_report_root(of_entries.root());
      of_entries.append(ledger::leaf_hash(entry), [&](unsigned height, const Digest256& hash) {
        if (height % kTileHeight == 0 && height / kTileHeight < kTileLevels)
          levels[height / kTileHeight].take(hash);
      });
      of_tiles.append(levels.front().last(), nothing);
      const Result<ledger::Leaf> leaf = ledger::decode_leaf(entry);
      if (!leaf) {
        if (!bad_entry_) bad_entry_ = std::pair(index, leaf.error().message);
      } else {
        if (index < measured_size) measures.add(*leaf);
        check_text(index, *leaf);
      }
      ++out_.entries;
      return {};
    };
    if (const Result<void> read = for_each_entry(log_, 0, size, on_entry); !read) {
      find(read.error().message);
      report_bad_entry();
      return;
    }
    if (older && older->size == size) check_older(*older, of_entries.root());
    if (report_ && report_size_ == size) check_report_root(of_entries.root());
    judge_roots(levels, of_entries.root(), of_tiles.root());
    report_bad_entry();
    out_.measured = measures.finish();
  }

  void judge_roots(const std::vector<LevelCheck>& levels, const Digest256& of_entries,
                   const Digest256& of_tiles) {
    const LevelCheck& leaves = levels.front();
    const bool entries_right = of_entries == out_.checkpoint.root;
    if (!entries_right) {
      const bool tiles_right = of_tiles == out_.checkpoint.root && !leaves.failed();
      if (tiles_right && leaves.first_bad()) {
        const std::uint64_t index = *leaves.first_bad();
        const TilePath path{
            TileKind::entries, 0, index / kTileWidth,
            std::min(kTileWidth, out_.checkpoint.size - index / kTileWidth * kTileWidth)};
        find(fmt::format("{} entry {}: is not the one that was signed", log_.name_of_tile(path),
                         index));
        return;
      }
      find(fmt::format(
          "the entries do not give the signed root of {} entries{}", out_.checkpoint.size,
          leaves.first_bad()
              ? fmt::format("; the first that differs from its tile is {}", *leaves.first_bad())
              : ": entries and tiles were changed together"));
    }
    for (const LevelCheck& level : levels) {
      out_.tiles += level.tiles();
      if (level.failed()) find(level.failed()->message);
      if (level.first_bad() && entries_right)
        find(level.place_of(*level.first_bad()) + ": does not match the entries below it");
    }
  }

  void report_bad_entry() {
    if (!bad_entry_) return;
    const TilePath path{TileKind::entries, 0, bad_entry_->first / kTileWidth, kTileWidth};
    find(fmt::format("{} entry {}: {}", log_.name_of_tile(path), bad_entry_->first,
                     bad_entry_->second));
  }

  void check_older(const Checkpoint& older, const Digest256& root) {
    if (root == older.root)
      out_.consistent_with = older.size;
    else
      find(fmt::format(
          "history was rewritten: the first {} entries do not give the root that was signed then",
          older.size));
  }

  void check_report_root(const Digest256& root) {
    if (to_base64(root) != report_root_)
      find(fmt::format("report: its root is not that of the first {} entries", report_size_));
  }

  void check_text(std::uint64_t index, const ledger::Leaf& leaf) {
    if (leaf.kind != ledger::LeafKind::rule_set && leaf.kind != ledger::LeafKind::catalogue) return;
    const Result<std::string> text = log_.text(leaf.sha256);
    // A log may be handed over without its texts: the figures do not need them.
    if (!text && text.error().code != Errc::not_found)
      find(fmt::format("text of entry {}: {}", index, text.error().message));
    if (text && leaf.kind == ledger::LeafKind::rule_set)
      if (const auto rules = rules::parse_rule_set(*text); !rules)
        find(fmt::format("rule set of entry {}: {}", index, rules.error().message));
  }

  void compare_report() {
    if (!report_ || bad_entry_) return;
    boost::json::object measured = to_json(out_.measured);
    const boost::json::value* format = report_->get_object().if_contains("format");
    if (format != nullptr && *format == 1)
      for (const std::string_view later : {"excluded_loose_ms", "picture_events_ms"})
        measured["programme_hours"].get_object().erase(later);
    const boost::json::value computed(std::move(measured));
    const std::string difference = first_difference(*report_, computed, "report");
    if (!difference.empty()) find(difference);
    out_.report_checked = true;
  }

  const ledger::LogSource& log_;
  const AuditRequest& request_;
  AuditResult out_;
  std::optional<std::pair<std::uint64_t, std::string>> bad_entry_;
  std::optional<boost::json::value> report_;
  MeasureFilter filter_;
  std::uint64_t report_size_ = 0;
  std::string report_root_;
};

}  // namespace

Result<AuditResult> audit(const ledger::LogSource& log, const AuditRequest& request) {
  return Audit(log, request).run();
}

Result<Measured> measure(const ledger::LogSource& log, std::uint64_t size, MeasureFilter filter) {
  Measures measures(filter);
  const auto on_entry = [&](std::uint64_t index, ByteSpan entry) -> Result<void> {
    Result<ledger::Leaf> leaf = ledger::decode_leaf(entry);
    if (!leaf)
      return std::unexpected(std::move(leaf).error().within(fmt::format("entry {}", index)));
    measures.add(*leaf);
    return {};
  };
  KAPOK_TRY(for_each_entry(log, 0, size, on_entry));
  return measures.finish();
}

}  // namespace kapok::verify
