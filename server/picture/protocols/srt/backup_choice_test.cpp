#include "server/picture/protocols/srt/backup_choice.hpp"

#include <gtest/gtest.h>

namespace kapok::srt {
namespace {

constexpr MonoTime kStart{seconds(1'000)};
LinkHealth heard(MonoTime at) {
  return {.last_heard = at,
          .rtt = milliseconds(20),
          .rtt_variance = milliseconds(2),
          .latency = milliseconds(200),
          .dropped = 0};
}
BackupStanding stable(std::uint16_t weight) {
  BackupStanding link(weight);
  link.activate(kStart, heard(kStart));
  link.qualify(kStart + milliseconds(251), heard(kStart + milliseconds(250)));
  return link;
}

TEST(BackupChoice, TheHeaviestIdleLinkComesFirst) {
  const BackupStanding light(1);
  const BackupStanding heavy(9);
  const std::array links{&light, &heavy};
  EXPECT_EQ(link_to_activate(links), 1U);
}

TEST(BackupChoice, AFreshLinkIsStableAfterProbing) {
  BackupStanding link(1);
  link.activate(kStart, heard(kStart));
  link.qualify(kStart + milliseconds(250), heard(kStart + milliseconds(240)));
  EXPECT_EQ(link.state(), LinkState::fresh);
  link.qualify(kStart + milliseconds(251), heard(kStart + milliseconds(240)));
  EXPECT_EQ(link.state(), LinkState::stable);
}

TEST(BackupChoice, SilenceOfTwoRoundTripsMakesAStableLinkUnstable) {
  BackupStanding link = stable(1);
  // 2 x 20 + 4 x 2 are 48 ms: the least that is ever suspected is 60.
  link.qualify(kStart + milliseconds(360), heard(kStart + milliseconds(300)));
  EXPECT_EQ(link.state(), LinkState::stable);
  link.qualify(kStart + milliseconds(361), heard(kStart + milliseconds(300)));
  EXPECT_EQ(link.state(), LinkState::unstable);
}

TEST(BackupChoice, AnUnstableLinkIsWaryForFourLatencies) {
  BackupStanding link = stable(1);
  link.failed();
  const MonoTime back = kStart + seconds(1);
  link.qualify(back, heard(back));
  EXPECT_EQ(link.state(), LinkState::wary);
  link.qualify(back + milliseconds(800), heard(back + milliseconds(800)));
  EXPECT_EQ(link.state(), LinkState::wary);
  link.qualify(back + milliseconds(801), heard(back + milliseconds(801)));
  EXPECT_EQ(link.state(), LinkState::stable);
}

TEST(BackupChoice, DropsMakeAStableLinkUnstable) {
  BackupStanding link = stable(1);
  LinkHealth dropping = heard(kStart + milliseconds(300));
  dropping.dropped = 3;
  link.qualify(kStart + milliseconds(301), dropping);
  EXPECT_EQ(link.state(), LinkState::unstable);
}

TEST(BackupChoice, AnUnstableMainLinkCallsABackupAndKeepsGoing) {
  BackupStanding main = stable(9);
  BackupStanding backup(1);
  const std::array<const BackupStanding*, 2> links{&main, &backup};
  EXPECT_FALSE(link_to_activate(links));
  main.failed();
  EXPECT_EQ(link_to_activate(links), 1U);
  backup.activate(kStart, heard(kStart));
  EXPECT_TRUE(links_to_silence(links).empty());
}

TEST(BackupChoice, AHeavierIdleLinkIsActivatedBesideTheOneInUse) {
  BackupStanding in_use = stable(1);
  BackupStanding heavier(5);
  const std::array<const BackupStanding*, 2> links{&in_use, &heavier};
  EXPECT_EQ(link_to_activate(links), 1U);
}

TEST(BackupChoice, WhatComesAfterTheFirstStableLinkFallsSilent) {
  BackupStanding heavy = stable(9);
  BackupStanding light = stable(1);
  const std::array<const BackupStanding*, 2> links{&light, &heavy};
  EXPECT_EQ(links_to_silence(links), (std::vector<std::size_t>{0}));
  heavy.failed();
  // The heavier one is not trusted yet: both carry.
  EXPECT_TRUE(links_to_silence(links).empty());
}

}  // namespace
}  // namespace kapok::srt
