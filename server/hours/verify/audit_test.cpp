#include "server/hours/verify/audit.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "server/base/log.hpp"
#include "server/base/metrics.hpp"
#include "server/hours/ledger/ledger.hpp"

namespace kapok::verify {
namespace {

namespace fs = std::filesystem;
using ledger::Leaf;
using ledger::LeafKind;

// 2026-09-21 22:13:20 in Guangdong.
constexpr std::int64_t kStartMs = 1'790'000'000'000;

Leaf view(std::int64_t opened_ms, std::uint32_t credit_ms) {
  Leaf leaf;
  leaf.kind = LeafKind::view;
  leaf.uhd = ledger::UhdClass::strict;
  leaf.opened_ms = opened_ms;
  leaf.closed_ms = opened_ms + credit_ms;
  leaf.enterprise = 1;
  leaf.programme = 2;
  leaf.work = 3;
  leaf.channel = 4;
  leaf.credit_ms = leaf.claimed_ms = leaf.delivered_ms = leaf.wall_ms = credit_ms;
  leaf.session.fill(static_cast<std::byte>(credit_ms));
  return leaf;
}

class AuditTest : public testing::Test {
 protected:
  AuditTest()
      : root_((fs::is_directory("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path()) /
              ("kapok-audit-" + to_hex(random_bytes<8>()))),
        folder_(root_ / "ledger") {}
  ~AuditTest() override { fs::remove_all(root_); }

  // Leaves numbered by their credit; returns the checkpoint after them.
  std::string write(std::uint32_t from, std::uint32_t to) {
    ledger::LedgerConfig config;
    config.directory = folder_;
    config.origin = "test.example/log";
    const auto log = ledger::Ledger::open(config, {}, Log(), metrics_).value();
    std::vector<Leaf> leaves;
    for (std::uint32_t i = from; i < to; ++i) leaves.push_back(view(kStartMs + i, i));
    EXPECT_TRUE(log->append(std::move(leaves), nullptr));
    EXPECT_TRUE(log->flush());
    verifier_ = log->verifier();
    return log->published()->note;
  }
  AuditResult check(const fs::path& folder) {
    AuditRequest request;
    request.verifier = verifier_;
    request.older_note = older_;
    const auto log = ledger::open_log(folder).value();
    return audit(*log, request).value();
  }
  static void flip(const fs::path& path, std::uint64_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(byte ^ 0x10));
  }

  fs::path root_;
  fs::path folder_;
  NullMetrics metrics_;
  std::optional<ledger::Ed25519Verifier> verifier_;
  std::optional<std::string> older_;
};

TEST_F(AuditTest, AGoodLogPassesInBothLayouts) {
  write(0, 700);
  const AuditResult dense = check(folder_);
  EXPECT_TRUE(dense.ok()) << dense.findings.at(0).what;
  EXPECT_EQ(dense.entries, 700U);
  EXPECT_EQ(dense.tiles, 4U);
  EXPECT_EQ(dense.signed_by, std::vector<std::string>{"test.example/log"});
  ASSERT_TRUE(ledger::export_static(*ledger::open_log(folder_).value(), 700, root_ / "static"));
  const AuditResult copied = check(root_ / "static");
  EXPECT_TRUE(copied.ok()) << copied.findings.at(0).what;
  EXPECT_EQ(copied.measured, dense.measured);
}

// Every byte below the checkpoint, in every file that the signature stands for.
TEST_F(AuditTest, EveryFlippedByteIsFoundWithItsFileAndIndex) {
  write(0, 300);
  struct Part {
    std::string file;
    std::uint64_t item_bytes;
    std::string item;
  };
  for (const Part& part : {Part{"entries", ledger::kEntryBytes, "entries entry"},
                           Part{"tile.0", 32, "tile.0 hash"}, Part{"tile.1", 32, "tile.1 hash"}}) {
    const std::uint64_t size = fs::file_size(folder_ / part.file);
    for (std::uint64_t at = 0; at < size; at += part.file == "entries" ? 37 : 13) {
      flip(folder_ / part.file, at);
      const AuditResult result = check(folder_);
      ASSERT_FALSE(result.ok()) << part.file << " byte " << at;
      const std::string expected = fmt::format("{} {}:", part.item, at / part.item_bytes);
      EXPECT_EQ(result.findings[0].what.substr(0, expected.size()), expected);
      flip(folder_ / part.file, at);
    }
  }
  EXPECT_TRUE(check(folder_).ok());
}

TEST_F(AuditTest, AFlippedByteOfTheCheckpointIsFound) {
  write(0, 3);
  for (std::uint64_t at = 0; at < fs::file_size(folder_ / "checkpoint"); ++at) {
    flip(folder_ / "checkpoint", at);
    ASSERT_FALSE(check(folder_).ok()) << at;
    flip(folder_ / "checkpoint", at);
  }
}

TEST_F(AuditTest, FlippedBytesOfADownloadedLogNameTheirTile) {
  write(0, 300);
  const fs::path copy = root_ / "static";
  ASSERT_TRUE(ledger::export_static(*ledger::open_log(folder_).value(), 300, copy));
  flip(copy / "tile/entries/001.p/44", 202 * 3 + 20);
  EXPECT_EQ(check(copy).findings.at(0).what,
            "tile/entries/001.p/44 entry 259: is not the one that was signed");
  flip(copy / "tile/entries/001.p/44", 202 * 3 + 20);
  flip(copy / "tile/0/000", 32 * 5);
  EXPECT_EQ(check(copy).findings.at(0).what,
            "tile/0/000 hash 5: does not match the entries below it");
  flip(copy / "tile/0/000", 32 * 5);
  fs::remove(copy / "tile/1/000.p/1");
  EXPECT_FALSE(check(copy).ok());
}

TEST_F(AuditTest, AnOlderCheckpointIsContinuedOrHistoryWasRewritten) {
  older_ = write(0, 100);
  write(100, 300);
  const AuditResult good = check(folder_);
  EXPECT_TRUE(good.ok());
  EXPECT_EQ(good.consistent_with, 100U);
  // The operator makes another history with the same key.
  fs::remove_all(folder_);
  write(1, 300);
  const AuditResult rewritten = check(folder_);
  ASSERT_FALSE(rewritten.ok());
  EXPECT_NE(rewritten.findings[0].what.find("history was rewritten"), std::string::npos);
  // A shorter one.
  older_ = write(300, 310);
  fs::remove_all(folder_);
  write(0, 50);
  EXPECT_NE(check(folder_).findings.at(0).what.find("shrank"), std::string::npos);
}

TEST_F(AuditTest, AStrangersSignatureIsNotAccepted) {
  write(0, 10);
  verifier_ = ledger::Ed25519Signer::generate("test.example/log").verifier();
  EXPECT_FALSE(check(folder_).ok());
}

Leaf hour(std::int64_t from_s, std::int64_t to_s, std::int64_t content_s, std::uint64_t programme) {
  Leaf leaf;
  leaf.kind = LeafKind::hour;
  leaf.uhd = ledger::UhdClass::strict;
  leaf.flags = ledger::kLeafFree;
  leaf.media_from_ms = kStartMs + from_s * 1000;
  leaf.media_to_ms = kStartMs + to_s * 1000;
  leaf.content_from_ms = content_s * 1000;
  leaf.enterprise = 1;
  leaf.programme = programme;
  leaf.work = 3;
  leaf.channel = 4;
  return leaf;
}

ProgrammeHours sum(const Measured& measured) {
  ProgrammeHours out;
  for (const auto& [row, hours] : measured.programme_hours) {
    out.offered_strict_ms += hours.offered_strict_ms;
    out.offered_loose_ms += hours.offered_loose_ms;
    out.offered_other_ms += hours.offered_other_ms;
    out.offered_paid_ms += hours.offered_paid_ms;
    out.fresh_strict_ms += hours.fresh_strict_ms;
    out.fresh_loose_ms += hours.fresh_loose_ms;
  }
  return out;
}

Measured measured(const std::vector<Leaf>& leaves, MeasureFilter filter = {}) {
  Measures measures(filter);
  for (const Leaf& leaf : leaves) measures.add(leaf);
  return measures.finish();
}

TEST(Measures, AReRunIsOfferedAgainButNotNewAgain) {
  const ProgrammeHours hours = sum(measured({hour(0, 100, 0, 10), hour(500, 600, 0, 11)}));
  EXPECT_EQ(hours.offered_strict_ms, 200'000);
  EXPECT_EQ(hours.fresh_strict_ms, 100'000);
}

TEST(Measures, ASimulcastAndASecondRenditionCountOnce) {
  Leaf other_channel = hour(0, 100, 0, 11);
  other_channel.channel = 5;
  Leaf loose = hour(0, 100, 0, 10);
  loose.uhd = ledger::UhdClass::loose;
  const ProgrammeHours hours = sum(measured({hour(0, 100, 0, 10), loose, other_channel}));
  EXPECT_EQ(hours.offered_strict_ms, 200'000);  // two programmes, each once
  EXPECT_EQ(hours.offered_loose_ms, 200'000);
  EXPECT_EQ(hours.fresh_strict_ms, 100'000);
  EXPECT_EQ(hours.fresh_loose_ms, 100'000);
}

TEST(Measures, EachEnterpriseHasItsOwnNewHours) {
  Leaf other = hour(500, 600, 0, 11);
  other.enterprise = 2;
  EXPECT_EQ(sum(measured({hour(0, 100, 0, 10), other})).fresh_strict_ms, 200'000);
}

TEST(Measures, BaselineWorksPaidTimeAndSlatesAreNotNew) {
  Leaf baseline = hour(0, 100, 0, 10);
  baseline.flags |= ledger::kLeafBaseline;
  Leaf paid = hour(200, 300, 0, 11);
  paid.flags = 0;
  paid.work = 4;
  Leaf slate = hour(420, 430, 0, 0);
  slate.kind = LeafKind::picture_event;
  slate.reason = ledger::Reason::slate;
  Leaf free = hour(400, 500, 0, 12);
  free.work = 5;
  const Measured all = measured({baseline, paid, free, slate});
  const ProgrammeHours hours = sum(all);
  EXPECT_EQ(hours.offered_strict_ms, 190'000);
  EXPECT_EQ(hours.offered_paid_ms, 100'000);
  EXPECT_EQ(hours.fresh_strict_ms, 90'000);
  EXPECT_EQ(all.excluded_hours[static_cast<std::size_t>(ledger::Reason::slate)], 10'000);
}

Leaf event(int from_s, int to_s, ledger::Reason reason, ledger::UhdClass taken_out_of) {
  Leaf leaf = hour(from_s, to_s, 0, 0);
  leaf.kind = LeafKind::picture_event;
  leaf.rule_set = 2;
  leaf.reason = reason;
  leaf.uhd = taken_out_of;
  return leaf;
}

TEST(Measures, WhatOnlyTheStrictReadingTakesOutCountsAsLoose) {
  using ledger::Reason;
  using ledger::UhdClass;
  // Told while they last: later leaves say more of the same moments.
  const Measured all =
      measured({event(10, 12, Reason::black, UhdClass::strict),
                event(12, 15, Reason::black, UhdClass::strict), hour(0, 100, 0, 10),
                event(40, 50, Reason::frozen, UhdClass::strict),
                event(40, 60, Reason::frozen, UhdClass::loose),
                event(70, 90, Reason::silence, UhdClass::none)});
  const ProgrammeHours hours = sum(all);
  EXPECT_EQ(hours.offered_loose_ms, 80'000);
  EXPECT_EQ(hours.offered_strict_ms, 75'000);
  EXPECT_EQ(hours.fresh_loose_ms, 80'000);
  EXPECT_EQ(hours.fresh_strict_ms, 75'000);
  const auto of = [](const Excluded& excluded, Reason reason) {
    return excluded[static_cast<std::size_t>(reason)];
  };
  EXPECT_EQ(of(all.excluded_hours, Reason::black), 5'000);
  EXPECT_EQ(of(all.excluded_hours, Reason::frozen), 20'000);
  EXPECT_EQ(of(all.excluded_loose_hours, Reason::black), 0);
  EXPECT_EQ(of(all.excluded_loose_hours, Reason::frozen), 20'000);
  EXPECT_EQ(of(all.picture_events, Reason::silence), 20'000);
  EXPECT_EQ(of(all.excluded_hours, Reason::silence), 0);
}

TEST(Measures, AnEventOfOneChannelTakesNothingFromAnother) {
  Leaf elsewhere = event(0, 100, ledger::Reason::bars, ledger::UhdClass::loose);
  elsewhere.channel = 5;
  EXPECT_EQ(sum(measured({hour(0, 100, 0, 10), elsewhere})).offered_strict_ms, 100'000);
}

TEST(Measures, PicturesThatAreNotUhdAreTakenOutToo) {
  Leaf hd = hour(0, 100, 0, 10);
  hd.uhd = ledger::UhdClass::none;
  const ProgrammeHours hours =
      sum(measured({hd, event(0, 30, ledger::Reason::bars, ledger::UhdClass::loose)}));
  EXPECT_EQ(hours.offered_other_ms, 70'000);
}

TEST(Measures, WhatIsNotUhdStandsApartUnlessTheSameMomentIsUhd) {
  Leaf hd = hour(0, 100, 0, 10);
  hd.uhd = ledger::UhdClass::none;
  for (const bool hd_first : {true, false}) {
    const std::vector<Leaf> leaves =
        hd_first ? std::vector{hd, hour(0, 40, 0, 10)} : std::vector{hour(0, 40, 0, 10), hd};
    const ProgrammeHours hours = sum(measured(leaves));
    EXPECT_EQ(hours.offered_other_ms, 60'000);
    EXPECT_EQ(hours.offered_loose_ms, 40'000);
  }
}

TEST(Measures, ARangeClipsProgrammeHoursAndNewIsDecidedOverTheWholeLog) {
  MeasureFilter filter;
  filter.from_ms = kStartMs + 500'000;
  const ProgrammeHours hours = sum(measured({hour(0, 100, 0, 10), hour(450, 650, 50, 11)}, filter));
  EXPECT_EQ(hours.offered_strict_ms, 150'000);
  // Content 100..250 is shown inside the range, and none of it was shown before.
  EXPECT_EQ(hours.fresh_strict_ms, 150'000);
  EXPECT_EQ(sum(measured({hour(0, 100, 0, 10), hour(500, 600, 0, 11)}, filter)).fresh_strict_ms, 0);
}

TEST(Measures, MonthsAreCutAtLocalMidnight) {
  // 2026-09-30 23:59:50 and on, in Guangdong.
  const std::int64_t midnight = next_local_month(kStartMs);
  EXPECT_EQ(local_month(midnight - 1), 202609);
  EXPECT_EQ(local_month(midnight), 202610);
  EXPECT_EQ((midnight / 1000 + 8 * 3600) % 86400, 0);
  Leaf leaf = hour(0, 0, 0, 10);
  leaf.media_from_ms = midnight - 10'000;
  leaf.media_to_ms = midnight + 30'000;
  const Measured all = measured({leaf});
  ASSERT_EQ(all.programme_hours.size(), 2U);
  EXPECT_EQ(all.programme_hours.begin()->second.offered_strict_ms, 10'000);
  EXPECT_EQ(all.programme_hours.rbegin()->second.offered_strict_ms, 30'000);
}

TEST(Measures, ViewingHoursAndWhatEarnedNothingStandApart) {
  Leaf refused = view(kStartMs, 5'000);
  refused.reason = ledger::Reason::background;
  refused.credit_ms = 0;
  const Measured all = measured({view(kStartMs, 60'000), refused});
  ASSERT_EQ(all.viewing_hours.size(), 1U);
  EXPECT_EQ(all.viewing_hours.begin()->second.total_ms, 60'000);
  EXPECT_EQ(all.viewing_hours.begin()->second.claimed_ms, 65'000);
  EXPECT_EQ(all.excluded_views.begin()->second[4], 5'000);
  EXPECT_EQ(all.sessions, 1);
}

}  // namespace
}  // namespace kapok::verify
