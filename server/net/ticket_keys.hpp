// The keys that TLS session tickets are sealed with. A ticket is the whole session at the client,
// so whoever learns its key later reads what TLS 1.2 connections resumed from it said; hence new
// keys twice a day, from memory only. The ones before still open tickets, so that a rotation costs
// nobody a full handshake. Shared by all threads and by reloads of the certificate.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "server/base/clock.hpp"

// OpenSSL's, without its headers.
struct ssl_ctx_st;

namespace kapok::net {

struct TicketKey {
  std::array<std::byte, 16> name{};
  std::array<std::byte, 32> cipher{};  // AES-256-CBC
  std::array<std::byte, 32> mac{};     // HMAC-SHA-256
  MonoTime made;
};

constexpr std::chrono::hours kTicketKeyLife{12};

class TicketKeys {
 public:
  TicketKey sealing_key(MonoTime now);
  // nullopt: older than two lives, or not ours: a full handshake.
  struct Found {
    TicketKey key;
    bool is_current = false;  // else the client is given a new ticket
  };
  std::optional<Found> find(std::span<const std::byte> name, MonoTime now);

 private:
  void rotate(MonoTime now);

  // A mutex, because handshakes run on every shard; held for the copy of a key.
  std::mutex mutex_;
  std::optional<TicketKey> current_;
  std::optional<TicketKey> previous_;
};

// Tickets of `context` are sealed and opened with `keys`, which it keeps alive.
void use_ticket_keys(ssl_ctx_st* context, std::shared_ptr<TicketKeys> keys);

}  // namespace kapok::net
