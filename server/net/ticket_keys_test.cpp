#include "server/net/ticket_keys.hpp"

#include <gtest/gtest.h>

namespace kapok::net {
namespace {

TEST(TicketKeys, ChangeTwiceADayAndOpenTheTicketsOfTheLifeBefore) {
  const MonoTime start{seconds(1000)};
  TicketKeys keys;
  const TicketKey first = keys.sealing_key(start);
  EXPECT_EQ(keys.sealing_key(start + kTicketKeyLife - seconds(1)).name, first.name);
  const TicketKey second = keys.sealing_key(start + kTicketKeyLife);
  EXPECT_NE(second.name, first.name);
  EXPECT_NE(second.cipher, first.cipher);
  const auto old = keys.find(first.name, start + kTicketKeyLife);
  ASSERT_TRUE(old);
  EXPECT_EQ(old->key.cipher, first.cipher);
  EXPECT_FALSE(old->is_current);
  EXPECT_TRUE(keys.find(second.name, start + kTicketKeyLife)->is_current);
  EXPECT_FALSE(keys.find(first.name, start + 2 * kTicketKeyLife));
}

TEST(TicketKeys, AQuietNightDoesNotKeepOldKeysAlive) {
  const MonoTime start{seconds(1000)};
  TicketKeys keys;
  const TicketKey first = keys.sealing_key(start);
  EXPECT_FALSE(keys.find(first.name, start + 3 * kTicketKeyLife));
}

TEST(TicketKeys, NamesOfOthersAreNotFound) {
  TicketKeys keys;
  const std::array<std::byte, 16> name{};
  EXPECT_FALSE(keys.find(name, MonoTime{seconds(1000)}));
}

}  // namespace
}  // namespace kapok::net
