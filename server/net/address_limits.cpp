#include "server/net/address_limits.hpp"

#include <fmt/format.h>

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>
#include <cassert>
#include <utility>

namespace kapok::net {

namespace {

namespace ip = boost::asio::ip;

ip::address key_of(const ip::address& peer) {
  ip::address plain = plain_address(peer);
  if (plain.is_v4()) return plain;
  ip::address_v6::bytes_type bytes = plain.to_v6().to_bytes();
  for (std::size_t i = 8; i < bytes.size(); ++i) bytes[i] = 0;
  return ip::address_v6(bytes);
}

}  // namespace

ip::address plain_address(const ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return ip::make_address_v4(ip::v4_mapped, address.to_v6());
  return address;
}

ip::address_v6 mapped_address(const ip::address& address) {
  return address.is_v6() ? address.to_v6() : ip::make_address_v6(ip::v4_mapped, address.to_v4());
}

std::string peer_name(const ip::address& address, std::uint16_t port) {
  const ip::address plain = plain_address(address);
  return plain.is_v6() ? fmt::format("[{}]:{}", plain.to_string(), port)
                       : fmt::format("{}:{}", plain.to_string(), port);
}

AddressLimits::AddressLimits(AddressLimitOptions options) : options_(options) {}

std::optional<AddressLimits::Place> AddressLimits::admit(const ip::address& peer) {
  const ip::address key = key_of(peer);
  const bool exempt = options_.loopback == Loopback::exempt && plain_address(peer).is_loopback();
  const std::lock_guard lock(mutex_);
  if (total_ >= options_.total) return std::nullopt;
  const auto found = counts_.find(key);
  if (found != counts_.end() && !exempt &&
      (found->second.half_open >= options_.half_open || found->second.open >= options_.open))
    return std::nullopt;
  Counts& counts = found != counts_.end() ? found->second : counts_[key];
  ++counts.half_open;
  ++counts.open;
  ++total_;
  return Place(*this, key);
}

std::size_t AddressLimits::connections() const {
  const std::lock_guard lock(mutex_);
  return total_;
}

void AddressLimits::opened(const ip::address& key) {
  const std::lock_guard lock(mutex_);
  --counts_.at(key).half_open;
}

void AddressLimits::left(const ip::address& key, bool half_open) {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(key);
  assert(found != counts_.end());
  if (half_open) --found->second.half_open;
  if (--found->second.open == 0) counts_.erase(found);
  --total_;
}

AddressLimits::Place::Place(Place&& from) noexcept
    : table_(std::exchange(from.table_, nullptr)),
      key_(std::move(from.key_)),
      half_open_(from.half_open_) {}

AddressLimits::Place& AddressLimits::Place::operator=(Place&& from) noexcept {
  std::swap(table_, from.table_);
  std::swap(key_, from.key_);
  std::swap(half_open_, from.half_open_);
  return *this;
}

AddressLimits::Place::~Place() {
  if (table_ != nullptr) table_->left(key_, half_open_);
}

void AddressLimits::Place::opened() {
  if (!half_open_) return;
  half_open_ = false;
  table_->opened(key_);
}

}  // namespace kapok::net
