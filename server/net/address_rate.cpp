#include "server/net/address_rate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>

namespace kapok::net {

std::string rate_group(std::string_view address) {
  boost::system::error_code error;
  const auto parsed = boost::asio::ip::make_address(std::string(address), error);
  if (error || !parsed.is_v6()) return std::string(address);
  const auto v6 = parsed.to_v6();
  auto bytes = v6.to_bytes();
  if (v6.is_v4_mapped())
    return fmt::format("{}.{}.{}.{}", bytes[12], bytes[13], bytes[14], bytes[15]);
  std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
  return boost::asio::ip::address_v6(bytes).to_string() + "/64";
}

bool AddressRate::take(std::string_view address, MonoTime now) {
  std::string group = rate_group(address);
  auto found = by_address_.find(group);
  if (found == by_address_.end()) {
    if (by_use_.size() >= max_addresses_) {
      by_address_.erase(by_use_.front().address);
      by_use_.pop_front();
    }
    by_use_.push_back({group, static_cast<double>(per_minute_), now});
    found = by_address_.emplace(std::move(group), std::prev(by_use_.end())).first;
  } else {
    by_use_.splice(by_use_.end(), by_use_, found->second);
  }
  Entry& entry = *found->second;
  const double minutes = std::chrono::duration<double, std::ratio<60>>(now - entry.at).count();
  entry.left = std::min<double>(per_minute_, entry.left + std::max(0.0, minutes) * per_minute_);
  entry.at = now;
  if (entry.left < 1) return false;
  entry.left -= 1;
  return true;
}

}  // namespace kapok::net
