#include "server/net/address_rate.hpp"

#include <gtest/gtest.h>

namespace kapok::net {
namespace {

TEST(AddressRate, AHouseholdsIpv6PrefixIsOneAddress) {
  EXPECT_EQ(rate_group("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(rate_group("2001:db8:1:2::1"), "2001:db8:1:2::/64");
  EXPECT_EQ(rate_group("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(rate_group("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(rate_group("not an address"), "not an address");
}

TEST(AddressRate, RefillsOverTime) {
  AddressRate rate(6);
  MonoTime now{seconds(100)};
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(rate.take("a", now));
  EXPECT_FALSE(rate.take("a", now));
  EXPECT_TRUE(rate.take("b", now));
  now += seconds(10);
  EXPECT_TRUE(rate.take("a", now));
  EXPECT_FALSE(rate.take("a", now));
}

TEST(AddressRate, ForgetsTheLongestIdleFirst) {
  AddressRate rate(1);
  const MonoTime now{seconds(100)};
  for (std::size_t i = 0; i < AddressRate::kMaxAddresses + 5; ++i)
    rate.take("host" + std::to_string(i), now);
  EXPECT_EQ(rate.size(), AddressRate::kMaxAddresses);
  EXPECT_FALSE(rate.take("host" + std::to_string(AddressRate::kMaxAddresses), now));
  EXPECT_TRUE(rate.take("host0", now));
}

}  // namespace
}  // namespace kapok::net
