// How often an address may do something: a token bucket per address, bounded in number. IPv6
// addresses count as their /64, because a household has a whole one.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "server/base/clock.hpp"

namespace kapok::net {

// "2001:db8:1:2:3::4" -> "2001:db8:1:2::/64"; IPv4 and what is no address stay as they are.
std::string rate_group(std::string_view address);

class AddressRate {
 public:
  static constexpr std::size_t kMaxAddresses = 100'000;  // about 15 MB; the longest idle goes first

  explicit AddressRate(std::uint32_t per_minute, std::size_t max_addresses = kMaxAddresses)
      : per_minute_(per_minute), max_addresses_(max_addresses) {}
  // Takes one if there is one. A burst of a minute's worth is allowed.
  bool take(std::string_view address, MonoTime now);
  std::size_t size() const { return by_use_.size(); }

 private:
  struct Entry {
    std::string address;
    double left = 0;
    MonoTime at;
  };
  std::uint32_t per_minute_;
  std::size_t max_addresses_;
  std::list<Entry> by_use_;  // longest idle first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_address_;
};

}  // namespace kapok::net
