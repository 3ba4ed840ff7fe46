// How many connections one peer address may have, and how many it may have before it has shown that
// it speaks the protocol (half-open: no handshake, no request yet). One table for all shards of a
// listener. An IPv6 peer is its /64: a household has one, an attacker has 2^64 addresses in it.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace kapok::net {

enum class Loopback : std::uint8_t { counted, exempt };

struct AddressLimitOptions {
  std::size_t half_open = 16;
  std::size_t open = 256;      // half-open ones included
  std::size_t total = 65'536;  // all addresses together: the table cannot grow past it
  // A reverse proxy, an edge or a bench on this machine is many peers behind one address.
  Loopback loopback = Loopback::exempt;
};

class AddressLimits {
 public:
  explicit AddressLimits(AddressLimitOptions options);
  AddressLimits(const AddressLimits&) = delete;
  AddressLimits& operator=(const AddressLimits&) = delete;

  // One connection's place in the table; gives it back when destroyed. Must not outlive the table.
  class Place {
   public:
    Place(Place&& from) noexcept;
    Place& operator=(Place&& from) noexcept;
    ~Place();
    // The peer has spoken the protocol: no longer half-open.
    void opened();

   private:
    friend class AddressLimits;
    Place(AddressLimits& table, boost::asio::ip::address key) : table_(&table), key_(key) {}
    AddressLimits* table_;
    boost::asio::ip::address key_;
    bool half_open_ = true;
  };

  // nullopt: over a limit, close the connection at once.
  std::optional<Place> admit(const boost::asio::ip::address& peer);
  std::size_t connections() const;

 private:
  struct Counts {
    std::size_t half_open = 0;
    std::size_t open = 0;
  };
  void opened(const boost::asio::ip::address& key);
  void left(const boost::asio::ip::address& key, bool half_open);

  AddressLimitOptions options_;
  // A mutex, because a peer's connections land on every shard; it is held for a table look-up, at
  // accept and at close only.
  mutable std::mutex mutex_;
  std::unordered_map<boost::asio::ip::address, Counts> counts_;
  std::size_t total_ = 0;
};

// ::ffff:192.0.2.1 is 192.0.2.1: one household, one name in limits, logs and requests.
boost::asio::ip::address plain_address(const boost::asio::ip::address& address);
// The other way, for sockets and tables that are one for both families.
boost::asio::ip::address_v6 mapped_address(const boost::asio::ip::address& address);
// "192.0.2.1:51234", "[2001:db8::7]:51234".
std::string peer_name(const boost::asio::ip::address& address, std::uint16_t port);

}  // namespace kapok::net
