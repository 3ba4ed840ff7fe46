#include "server/picture/channel/device_load.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace kapok::channel {
namespace {

TEST(DeviceLoad, AWorkerIsToldWhatTheOthersUse) {
  const auto load = std::make_shared<DeviceLoad>();
  DeviceLoad::Place first = load->enter();
  EXPECT_EQ(first.others(), "");
  DeviceLoad::Place second = load->enter();
  EXPECT_EQ(second.others(), "starting=1");
  first.uses("nvidia:0");
  second.uses("nvidia:1");
  DeviceLoad::Place third = load->enter();
  third.uses("nvidia:1");
  third.uses("nvidia:1");
  EXPECT_EQ(load->enter().others(), "nvidia:0=1,nvidia:1=2");
}

TEST(DeviceLoad, OneThatEndsOrFallsBackCountsNoMore) {
  const auto load = std::make_shared<DeviceLoad>();
  DeviceLoad::Place stays = load->enter();
  stays.uses("vaapi:0");
  {
    std::vector<DeviceLoad::Place> others;
    others.push_back(load->enter());
    others.push_back(load->enter());
    others[0].uses("vaapi:0");
    EXPECT_EQ(load->enter().others(), "vaapi:0=2,starting=1");
  }
  EXPECT_EQ(load->enter().others(), "vaapi:0=1");
  stays.uses("software");
  EXPECT_EQ(load->enter().others(), "");
}

TEST(DeviceLoad, WhatAWorkerSaysIsNotBelieved) {
  const auto load = std::make_shared<DeviceLoad>();
  DeviceLoad::Place liar = load->enter();
  liar.uses("nvidia:0=99,vaapi:0");
  EXPECT_EQ(load->enter().others(), "");
}

}  // namespace
}  // namespace kapok::channel
