#include "server/hours/report/hours_report.hpp"

#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "server/base/log.hpp"
#include "server/base/metrics.hpp"
#include "server/hours/ledger/ledger.hpp"
#include "server/hours/rules/canonical_json.hpp"
#include "server/hours/rules/rule_set.hpp"
#include "server/hours/verify/audit.hpp"

namespace kapok::report {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using ledger::Leaf;
using ledger::LeafKind;

constexpr std::int64_t kStartMs = 1'790'000'000'000;

class HoursReportTest : public testing::Test {
 protected:
  HoursReportTest()
      : root_((fs::is_directory("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path()) /
              ("kapok-report-" + to_hex(random_bytes<8>()))) {
    ledger::LedgerConfig config;
    config.directory = root_ / "ledger";
    config.origin = "test.example/log";
    ledger_ = ledger::Ledger::open(config, {}, Log(), metrics_).value();
    catalogue::CatalogueConfig catalogue;
    catalogue.enterprises = {{"gdtv", "广东广播电视台", catalogue::EnterpriseKind::broadcaster}};
    catalogue.programmes = {
        {"match", "match", "=1+1, \"Cup\"", "demo", "gdtv", std::nullopt, std::nullopt}};
    const auto text = catalogue::Catalogue::create(catalogue)->canonical_text();
    EXPECT_TRUE(ledger_->record_text(LeafKind::rule_set, canonical_text(rules::RuleSet()), 1,
                                     UtcTime(seconds(1))));
    EXPECT_TRUE(ledger_->record_text(LeafKind::catalogue, text, 1, UtcTime(seconds(1))));
    Leaf view;
    view.kind = LeafKind::view;
    view.uhd = ledger::UhdClass::loose;
    view.opened_ms = view.closed_ms = kStartMs;
    view.enterprise = ledger::number32_of("gdtv");
    view.programme = view.work = ledger::number64_of("match");
    view.channel = ledger::number32_of("demo");
    view.region = 440100;
    view.credit_ms = view.claimed_ms = view.wall_ms = view.delivered_ms = 90'000;
    Leaf excluded = view;
    excluded.reason = ledger::Reason::background;
    excluded.credit_ms = 0;
    Leaf hour = view;
    hour.kind = LeafKind::hour;
    hour.flags = ledger::kLeafFree;
    hour.media_from_ms = kStartMs;
    hour.media_to_ms = kStartMs + 5'400'000;
    EXPECT_TRUE(ledger_->append({view, excluded, hour}, nullptr));
    EXPECT_TRUE(ledger_->flush());
  }
  ~HoursReportTest() override {
    ledger_.reset();
    fs::remove_all(root_);
  }
  HoursReport make(const HoursQuery& query = {}) {
    return make_hours_report(ledger_->source(), ledger_->published()->note, query,
                             UtcTime(seconds(1'790'100'000)))
        .value();
  }
  verify::AuditResult check(std::string report) {
    verify::AuditRequest request;
    request.verifier = ledger_->verifier();
    request.report = std::move(report);
    return verify::audit(ledger_->source(), request).value();
  }

  fs::path root_;
  NullMetrics metrics_;
  std::unique_ptr<ledger::Ledger> ledger_;
};

TEST_F(HoursReportTest, BothMeasuresStandApartWithTheirNames) {
  const json::value report = json::parse(to_json(make()));
  const json::object& a = report.at("programme_hours").at("rows").at(0).as_object();
  EXPECT_EQ(a.at("programme"), "match");
  EXPECT_EQ(a.at("enterprise_name"), "广东广播电视台");
  EXPECT_EQ(a.at("offered_loose_ms"), 5'400'000);
  EXPECT_EQ(a.at("offered_strict_ms"), 0);
  EXPECT_EQ(a.at("month"), "2026-09");
  const json::object& b = report.at("viewing_hours").at("rows").at(0).as_object();
  EXPECT_EQ(b.at("loose_ms"), 90'000);
  EXPECT_EQ(b.at("region_name"), "广州");
  EXPECT_EQ(b.at("excluded_ms").at("background"), 90'000);
  EXPECT_EQ(report.at("witnessed_by"), "none");
  EXPECT_EQ(report.at("checkpoint").at("size"), 5);
  EXPECT_EQ(std::string(report.at("rule_set").at("sha256").as_string()),
            to_hex(hash_of(rules::RuleSet())));
}

TEST_F(HoursReportTest, TheVerifierAgreesAndFindsEveryChangedFigure) {
  const std::string report = to_json(make());
  const verify::AuditResult good = check(report);
  EXPECT_TRUE(good.ok()) << good.findings.at(0).what;
  EXPECT_TRUE(good.report_checked);
  for (const char* figure : {"\"total_ms\":90000", "\"offered_loose_ms\":5400000",
                             "\"background\":90000", "\"sessions\":1", "\"intervals\":1"}) {
    std::string forged = report;
    const std::size_t at = forged.find(figure);
    ASSERT_NE(at, std::string::npos) << figure;
    forged.insert(at + std::string_view(figure).size(), "0");
    EXPECT_FALSE(check(forged).ok()) << figure;
  }
  EXPECT_FALSE(check("{}").ok());
  EXPECT_FALSE(check("nonsense").ok());
}

TEST_F(HoursReportTest, PicturesThatAreNoProgrammeStandInItByReadingAndTheVerifierAgrees) {
  Leaf event;
  event.kind = LeafKind::picture_event;
  event.rule_set = 2;
  event.enterprise = ledger::number32_of("gdtv");
  event.programme = event.work = ledger::number64_of("match");
  event.channel = ledger::number32_of("demo");
  event.region = 440100;
  event.reason = ledger::Reason::black;
  event.uhd = ledger::UhdClass::loose;
  event.media_from_ms = kStartMs + 60'000;
  event.media_to_ms = kStartMs + 72'500;
  Leaf silence = event;
  silence.reason = ledger::Reason::silence;
  silence.uhd = ledger::UhdClass::none;
  silence.media_to_ms = kStartMs + 90'000;
  ASSERT_TRUE(ledger_->append({event, silence}, nullptr));
  ASSERT_TRUE(ledger_->flush());
  const std::string report = to_json(make());
  const json::value parsed = json::parse(report);
  const json::object& hours = parsed.at("programme_hours").as_object();
  EXPECT_EQ(hours.at("total").at("offered_loose_ms"), 5'400'000 - 12'500);
  EXPECT_EQ(hours.at("excluded_ms"), (json::object{{"black", 12'500}}));
  EXPECT_EQ(hours.at("excluded_loose_ms"), (json::object{{"black", 12'500}}));
  EXPECT_EQ(hours.at("picture_events_ms"), (json::object{{"black", 12'500}, {"silence", 30'000}}));
  EXPECT_NE(to_csv(make()).find("black=12500 silence=30000"), std::string::npos);
  EXPECT_TRUE(check(report).ok()) << check(report).findings.at(0).what;
  for (const char* figure : {"\"silence\":30000", "\"excluded_loose_ms\":{\"black\":12500"}) {
    std::string forged = report;
    const std::size_t at = forged.find(figure);
    ASSERT_NE(at, std::string::npos) << figure;
    forged.insert(at + std::string_view(figure).size(), "0");
    EXPECT_FALSE(check(forged).ok()) << figure;
  }
  std::string made_up = report;
  made_up.replace(made_up.find("\"excluded_loose_ms\":{"), 21,
                  "\"excluded_loose_ms\":{\"bars\":1,");
  EXPECT_FALSE(check(made_up).ok()) << "a reason that the log does not have";
}

TEST_F(HoursReportTest, AReportOfTheFirstFormatStillVerifies) {
  json::object old = json::parse(to_json(make())).as_object();
  old["format"] = 1;
  old["programme_hours"].as_object().erase("excluded_loose_ms");
  old["programme_hours"].as_object().erase("picture_events_ms");
  EXPECT_TRUE(check(rules::canonical_json(old)).ok());
  old["format"] = 2;
  EXPECT_FALSE(check(rules::canonical_json(old)).ok());
}

TEST_F(HoursReportTest, AnOlderReportStillVerifiesWhenTheLogHasGrown) {
  const std::string report = to_json(make());
  Leaf more;
  more.credit_ms = 1;
  ASSERT_TRUE(ledger_->append({more}, nullptr));
  ASSERT_TRUE(ledger_->flush());
  const verify::AuditResult result = check(report);
  EXPECT_TRUE(result.ok()) << result.findings.at(0).what;
}

TEST_F(HoursReportTest, FiltersAreKeptInTheReportAndVerified) {
  HoursQuery query;
  query.enterprise = "gdtv";
  query.to = UtcTime(milliseconds(kStartMs + 60'000));
  const HoursReport report = make(query);
  EXPECT_EQ(report.measured.programme_hours.begin()->second.offered_loose_ms, 60'000);
  EXPECT_TRUE(check(to_json(report)).ok());
  query.enterprise = "other";
  EXPECT_TRUE(make(query).measured.programme_hours.empty());
}

TEST_F(HoursReportTest, TheSameLogGivesTheSameBytes) {
  EXPECT_EQ(to_json(make()), to_json(make()));
  EXPECT_EQ(rules::canonical_json(json::parse(to_json(make()))), to_json(make()));
}

TEST_F(HoursReportTest, CsvHasByteOrderMarkCrlfAndNoFormulas) {
  const std::string csv = to_csv(make());
  EXPECT_TRUE(csv.starts_with("\xEF\xBB\xBF"));
  EXPECT_NE(csv.find("\"'=1+1, \"\"Cup\"\"\""), std::string::npos) << csv;
  EXPECT_NE(csv.find("1.500"), std::string::npos);
  for (std::size_t at = csv.find('\n'); at != std::string::npos; at = csv.find('\n', at + 1))
    EXPECT_EQ(csv[at - 1], '\r');
}

TEST(CsvCell, FormulasAreDefusedAndQuotesDoubled) {
  EXPECT_EQ(csv_cell("plain"), "plain");
  EXPECT_EQ(csv_cell("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_cell("say \"x\""), "\"say \"\"x\"\"\"");
  for (const char* start : {"=", "+", "-", "@", "\t", "\r"})
    EXPECT_TRUE(csv_cell(start + std::string("cmd")).starts_with("\"'")) << start;
}

}  // namespace
}  // namespace kapok::report
