#include "server/hours/rules/interval_set.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace kapok::rules {
namespace {

TEST(IntervalSet, TouchingAndOverlappingSpansBecomeOne) {
  IntervalSet set;
  EXPECT_EQ(set.add({0, 10}), 10);
  EXPECT_EQ(set.add({20, 30}), 10);
  EXPECT_EQ(set.add({10, 20}), 10);
  EXPECT_EQ(set.spans(), (std::vector<Span>{{0, 30}}));
  EXPECT_EQ(set.add({5, 35}), 5);
  EXPECT_EQ(set.length(), 35);
}

TEST(IntervalSet, EmptyAndBackwardSpansChangeNothing) {
  IntervalSet set;
  EXPECT_EQ(set.add({5, 5}), 0);
  EXPECT_EQ(set.add({9, 3}), 0);
  EXPECT_TRUE(set.empty());
}

TEST(IntervalSet, OverItsLimitTheLowestGoes) {
  IntervalSet set(2);
  set.add({0, 1});
  set.add({10, 11});
  set.add({20, 21});
  EXPECT_EQ(set.spans(), (std::vector<Span>{{10, 11}, {20, 21}}));
}

// Against the definition: a set of single milliseconds.
TEST(IntervalSet, AgreesWithASetOfMilliseconds) {
  std::mt19937 random(7);
  const auto number = [&](int limit) {
    return static_cast<std::int64_t>(random() % static_cast<unsigned>(limit));
  };
  for (int round = 0; round < 200; ++round) {
    IntervalSet set;
    std::set<std::int64_t> truth;
    for (int step = 0; step < 20; ++step) {
      const std::int64_t from = number(100);
      const Span span{from, from + number(20)};
      if (number(3) > 0) {
        std::int64_t fresh = 0;
        for (std::int64_t at = span.from; at < span.to; ++at) fresh += truth.insert(at).second;
        ASSERT_EQ(set.add(span), fresh);
      } else {
        set.remove(span);
        for (std::int64_t at = span.from; at < span.to; ++at) truth.erase(at);
      }
      ASSERT_EQ(set.length(), static_cast<std::int64_t>(truth.size()));
      for (std::size_t i = 1; i < set.spans().size(); ++i)
        ASSERT_LE(set.spans()[i - 1].to, set.spans()[i].from);
      const Span query{number(100), number(140)};
      std::int64_t common = 0;
      for (const Span& part : set.common_with(query)) common += part.length();
      std::int64_t missing = 0;
      for (const Span& part : set.missing_from(query)) missing += part.length();
      std::int64_t expected = 0;
      for (std::int64_t at = query.from; at < query.to; ++at)
        expected += static_cast<std::int64_t>(truth.contains(at));
      ASSERT_EQ(common, expected);
      ASSERT_EQ(missing, query.length() - expected);
    }
  }
}

}  // namespace
}  // namespace kapok::rules
