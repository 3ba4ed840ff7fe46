#include "server/access/failure_limit.hpp"

#include <gtest/gtest.h>

namespace kapok::access {
namespace {

const MonoTime kStart{seconds(100)};

TEST(FailureLimit, FourFailuresPassTheFifthIsDelayed) {
  FailureLimit limit;
  for (int i = 0; i < 4; ++i) limit.record_failure("192.0.2.1", kStart);
  EXPECT_EQ(limit.check("192.0.2.1", kStart), Admission::go_on);
  limit.record_failure("192.0.2.1", kStart);
  EXPECT_EQ(limit.check("192.0.2.1", kStart), Admission::delay);
  EXPECT_EQ(limit.check("192.0.2.2", kStart), Admission::go_on);
}

TEST(FailureLimit, TwentyFailuresRefuseForTenMinutes) {
  FailureLimit limit;
  for (int i = 0; i < 20; ++i) limit.record_failure("a", kStart);
  EXPECT_EQ(limit.check("a", kStart + seconds(599)), Admission::refuse);
  EXPECT_EQ(limit.check("a", kStart + seconds(600)), Admission::go_on);
}

TEST(FailureLimit, AMinuteLaterTheCountStartsAgain) {
  FailureLimit limit;
  for (int i = 0; i < 5; ++i) limit.record_failure("a", kStart);
  EXPECT_EQ(limit.check("a", kStart + seconds(60)), Admission::go_on);
  limit.record_failure("a", kStart + seconds(60));
  EXPECT_EQ(limit.check("a", kStart + seconds(60)), Admission::go_on);
}

TEST(FailureLimit, SuccessForgets) {
  FailureLimit limit;
  for (int i = 0; i < 5; ++i) limit.record_failure("a", kStart);
  limit.record_success("a");
  EXPECT_EQ(limit.check("a", kStart), Admission::go_on);
  EXPECT_EQ(limit.size(), 0U);
}

TEST(FailureLimit, TheTableStaysBoundedAndKeepsTheNewest) {
  FailureLimits limits;
  limits.max_addresses = 10;
  limits.delay_from = 1;
  FailureLimit limit(limits);
  for (int i = 0; i < 1000; ++i) limit.record_failure(std::to_string(i), kStart);
  EXPECT_EQ(limit.size(), 10U);
  EXPECT_EQ(limit.check("999", kStart), Admission::delay);
  EXPECT_EQ(limit.check("1", kStart), Admission::go_on);
}

}  // namespace
}  // namespace kapok::access
