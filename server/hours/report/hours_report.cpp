#include "server/hours/report/hours_report.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <map>

#include "server/hours/rules/canonical_json.hpp"
#include "server/hours/verify/audit.hpp"
#include "server/hours/verify/measured_json.hpp"

namespace kapok::report {

namespace {

namespace json = boost::json;

std::int64_t to_ms(UtcTime time) {
  return std::chrono::floor<milliseconds>(time.time_since_epoch()).count();
}

verify::MeasureFilter filter_of(const HoursQuery& query) {
  verify::MeasureFilter filter;
  if (query.from) filter.from_ms = to_ms(*query.from);
  if (query.to) filter.to_ms = to_ms(*query.to);
  filter.enterprise = ledger::number32_of(query.enterprise);
  filter.programme = ledger::number64_of(query.programme);
  filter.channel = ledger::number32_of(query.channel);
  filter.region = query.region;
  return filter;
}

struct Label {
  std::string id;
  std::string name;
};

// Numbers of the leaves back to names.
class Labels {
 public:
  explicit Labels(const catalogue::Catalogue& catalogue) {
    for (const auto& enterprise : catalogue.config().enterprises)
      enterprises_[ledger::number32_of(enterprise.id)] = {enterprise.id, enterprise.name};
    for (const auto& programme : catalogue.config().programmes)
      programmes_[ledger::number64_of(programme.id)] = {programme.id, programme.title};
    for (const auto& work : catalogue.config().works)
      works_[ledger::number64_of(work.id)] = {work.id, work.title};
  }
  Label enterprise(std::uint32_t number) const { return find(enterprises_, number); }
  Label programme(std::uint64_t number) const { return find(programmes_, number); }
  Label work(std::uint64_t number) const { return find(works_, number); }

 private:
  template <class Map, class Number>
  static Label find(const Map& map, Number number) {
    const auto found = map.find(number);
    return found == map.end() ? Label() : found->second;
  }
  std::map<std::uint32_t, Label> enterprises_;
  std::map<std::uint64_t, Label> programmes_;
  std::map<std::uint64_t, Label> works_;
};

std::uint64_t number_in(const json::object& row, std::string_view key) {
  std::uint64_t number = 0;
  for (const std::byte b : from_hex(std::string_view(row.at(key).get_string())).value_or(Bytes()))
    number = (number << 8) | std::to_integer<std::uint64_t>(b);
  return number;
}

void label_rows(json::value& measure, const Labels& labels) {
  for (json::value& value : measure.get_object()["rows"].get_array()) {
    json::object& row = value.get_object();
    const Label enterprise =
        labels.enterprise(static_cast<std::uint32_t>(number_in(row, "enterprise_number")));
    const Label programme = labels.programme(number_in(row, "programme_number"));
    const Label work = labels.work(number_in(row, "work_number"));
    row["enterprise"] = enterprise.id;
    row["enterprise_name"] = enterprise.name;
    row["programme"] = programme.id;
    row["programme_title"] = programme.name;
    row["work"] = work.id;
    row["region_name"] = std::string(
        catalogue::region_name(static_cast<std::uint32_t>(row["region"].to_number<int>())));
  }
}

// Hours with three decimals, rounded down: 1 h 30 min is 1.500.
std::string hours_text(std::int64_t ms) {
  const std::int64_t thousandths = ms / 3600;
  return fmt::format("{}.{:03}", thousandths / 1000, thousandths % 1000);
}

class Csv {
 public:
  Csv() : text_("\xEF\xBB\xBF") {}
  void row(std::initializer_list<std::string_view> cells) {
    bool first = true;
    for (const std::string_view cell : cells) {
      if (!std::exchange(first, false)) text_ += ',';
      text_ += csv_cell(cell);
    }
    text_ += "\r\n";
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string witness_text(const HoursReport& report) {
  std::string out;
  for (const std::string& witness : report.witnesses) out += (out.empty() ? "" : " ") + witness;
  return out.empty() ? "none" : out;
}

// "black=12000 bars=3000"
std::string reasons_text(const verify::Excluded& excluded) {
  std::string out;
  for (std::size_t i = 1; i < excluded.size(); ++i)
    if (excluded[i] != 0)
      out += fmt::format("{}{}={}", out.empty() ? "" : " ", name_of(static_cast<ledger::Reason>(i)),
                         excluded[i]);
  return out;
}

std::string month_text(std::int32_t month) {
  return fmt::format("{}-{:02}", month / 100, month % 100);
}

}  // namespace

Result<HoursReport> make_hours_report(const ledger::LogSource& log, std::string note,
                                      const HoursQuery& query, UtcTime now) {
  HoursReport out;
  out.note = std::move(note);
  out.checkpoint =
      KAPOK_TRY(ledger::parse_checkpoint(out.note.substr(0, out.note.rfind("\n\n") + 1)));
  out.filter = filter_of(query);
  out.made = now;
  out.measured = KAPOK_TRY(verify::measure(log, out.checkpoint.size, out.filter));
  if (out.measured.catalogue) {
    const std::string text = KAPOK_TRY(log.text(*out.measured.catalogue));
    out.catalogue = KAPOK_TRY(catalogue::Catalogue::parse(text));
  }
  return out;
}

std::string to_json(const HoursReport& report) {
  json::object out = verify::to_json(report.measured);
  const Labels labels(report.catalogue);
  label_rows(out["programme_hours"], labels);
  label_rows(out["viewing_hours"], labels);
  out["filter"] = verify::to_json(report.filter);
  out["checkpoint"] = {{"origin", report.checkpoint.origin},
                       {"size", report.checkpoint.size},
                       {"root", to_base64(report.checkpoint.root)},
                       {"note", report.note}};
  out["witnessed_by"] = witness_text(report);
  out["made"] = format_utc(report.made);
  out["format"] = 2;  // 1 had no readings of what was taken out of A
  return rules::canonical_json(out);
}

std::string csv_cell(std::string_view text) {
  std::string cell(text);
  // [OWASP CSV injection] these make a spreadsheet calculate what a programme's title says.
  constexpr std::string_view kFormulaStarts = "=+-@\t\r";
  if (!cell.empty() && kFormulaStarts.find(cell.front()) != std::string_view::npos)
    cell.insert(0, "'");
  if (cell.find_first_of(",\"\r\n'") == std::string::npos) return cell;
  std::string quoted = "\"";
  for (const char c : cell) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

std::string to_csv(const HoursReport& report) {
  const Labels labels(report.catalogue);
  Csv csv;
  csv.row({"节目时长 A / programme hours A", "origin", report.checkpoint.origin, "size",
           fmt::format("{}", report.checkpoint.size), "root", to_base64(report.checkpoint.root)});
  csv.row({"口径 / rule set", fmt::format("{}", report.measured.rule_set_version),
           report.measured.rule_set ? to_hex(*report.measured.rule_set) : std::string(),
           "见证 / witnessed by", witness_text(report), "生成 / made", format_utc(report.made)});
  csv.row({"月份 / month", "企业 / enterprise", "名称 / name", "节目 / programme", "标题 / title",
           "地区 / region", "免费超高清 严口径 (h) / offered strict",
           "免费超高清 宽口径 (h) / offered loose", "新增 严口径 (h) / new strict",
           "新增 宽口径 (h) / new loose", "非超高清 (h) / not UHD", "收费 (h) / paid",
           "offered strict ms", "offered loose ms", "new strict ms", "new loose ms"});
  for (const auto& [row, hours] : report.measured.programme_hours) {
    const Label enterprise = labels.enterprise(row.enterprise);
    const Label programme = labels.programme(row.programme);
    csv.row({month_text(row.month), enterprise.id, enterprise.name, programme.id, programme.name,
             fmt::format("{}", row.region), hours_text(hours.offered_strict_ms),
             hours_text(hours.offered_loose_ms), hours_text(hours.fresh_strict_ms),
             hours_text(hours.fresh_loose_ms), hours_text(hours.offered_other_ms),
             hours_text(hours.offered_paid_ms), fmt::format("{}", hours.offered_strict_ms),
             fmt::format("{}", hours.offered_loose_ms), fmt::format("{}", hours.fresh_strict_ms),
             fmt::format("{}", hours.fresh_loose_ms)});
  }
  csv.row({"不计入节目时长 / no programme", "严口径 / strict ms",
           reasons_text(report.measured.excluded_hours), "宽口径 / loose ms",
           reasons_text(report.measured.excluded_loose_hours), "检出 / found ms",
           reasons_text(report.measured.picture_events)});
  csv.row({""});
  csv.row({"观看时长 B / viewing hours B"});
  csv.row({"月份 / month", "企业 / enterprise", "名称 / name", "节目 / programme", "标题 / title",
           "地区 / region", "超高清 严口径 (h) / strict", "超高清 宽口径 (h) / loose",
           "非超高清 (h) / not UHD", "合计 (h) / total", "strict ms", "loose ms", "total ms",
           "claimed ms", "excluded ms by reason"});
  for (const auto& [row, hours] : report.measured.viewing_hours) {
    const Label enterprise = labels.enterprise(row.enterprise);
    const Label programme = labels.programme(row.programme);
    std::string excluded;
    if (const auto found = report.measured.excluded_views.find(row);
        found != report.measured.excluded_views.end())
      excluded = reasons_text(found->second);
    csv.row({month_text(row.month), enterprise.id, enterprise.name, programme.id, programme.name,
             fmt::format("{}", row.region), hours_text(hours.strict_ms), hours_text(hours.loose_ms),
             hours_text(hours.other_ms), hours_text(hours.total_ms),
             fmt::format("{}", hours.strict_ms), fmt::format("{}", hours.loose_ms),
             fmt::format("{}", hours.total_ms), fmt::format("{}", hours.claimed_ms), excluded});
  }
  return csv.take();
}

}  // namespace kapok::report
