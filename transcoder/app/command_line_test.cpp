#include "transcoder/app/command_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace kapok::transcoder {
namespace {

using testing::HasSubstr;

// What it says on standard error; it must refuse.
std::string refused(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "kapok-transcoder");
  int exit_code = 0;
  testing::internal::CaptureStderr();
  EXPECT_FALSE(parse(static_cast<int>(arguments.size()), arguments.data(), exit_code));
  EXPECT_EQ(exit_code, 2);
  return testing::internal::GetCapturedStderr();
}

TEST(CommandLine, WhatNobodyKnowsIsNamedBeforeWhatIsMissing) {
  EXPECT_THAT(refused({"--bogus"}), HasSubstr("--bogus"));
  EXPECT_THAT(refused({"--worker", "--bogus"}), HasSubstr("--bogus"));
  EXPECT_THAT(refused({}), HasSubstr("--worker"));
  EXPECT_THAT(refused({"--json"}), HasSubstr("--probe"));
}

}  // namespace
}  // namespace kapok::transcoder
