#include "server/picture/channel/worker_link.hpp"

#include <gtest/gtest.h>

namespace kapok::channel {
namespace {

constexpr nanoseconds kStep = milliseconds(250);

TEST(Silence, GrowsUntilSomethingIsHeard) {
  MonoTime now{};
  Silence silence(now, kStep);
  for (int look = 1; look <= 4; ++look) EXPECT_EQ(silence.look(now += kStep), look * kStep);
  silence.hear(now);
  EXPECT_EQ(silence.look(now += kStep), kStep);
}

// What was said meanwhile is in the socket: a look that comes 10 s late must not kill for it.
TEST(Silence, OfALookThatComesLateOnlyAStepCounts) {
  MonoTime now{};
  Silence silence(now, kStep);
  EXPECT_EQ(silence.look(now += kStep), kStep);
  EXPECT_EQ(silence.look(now += seconds(10)), 2 * kStep);
  EXPECT_EQ(silence.look(now += kStep), 3 * kStep);
}

}  // namespace
}  // namespace kapok::channel
