// One SRT connection, or one group of them, seen alike: what brings a feed or takes a channel to a
// viewer. Used from one shard.
#pragma once

#include <memory>
#include <variant>

#include "server/picture/protocols/srt/connection.hpp"
#include "server/picture/protocols/srt/group.hpp"

namespace kapok::ingest {

class SrtCarrier {
 public:
  explicit SrtCarrier(std::unique_ptr<srt::Connection> connection) : held_(std::move(connection)) {}
  explicit SrtCarrier(std::unique_ptr<srt::Group> group) : held_(std::move(group)) {}

  void receive(MonoTime now, srt::SocketId link, const srt::PeerAddress& from, Buffer datagram,
               srt::Output& out) {
    if (auto* group = this->group())
      group->receive(now, link, from, std::move(datagram), out);
    else
      connection().receive(now, from, std::move(datagram), out);
  }
  void advance(MonoTime now, srt::Output& out) {
    std::visit([&](auto& held) { held->advance(now, out); }, held_);
  }
  MonoTime next_deadline() const {
    return std::visit([](const auto& held) { return held->next_deadline(); }, held_);
  }
  Result<void> send(MonoTime now, Buffer message) {
    return std::visit([&](auto& held) { return held->send(now, std::move(message)); }, held_);
  }
  std::size_t max_payload_bytes() const {
    return std::visit([](const auto& held) { return held->max_payload_bytes(); }, held_);
  }
  void shutdown(MonoTime now, srt::Output& out) {
    std::visit([&](auto& held) { held->shutdown(now, out); }, held_);
  }
  // A plain connection shows as a group of one link.
  srt::GroupStats stats(MonoTime now) const;

  bool is_group() const { return held_.index() == 1; }
  srt::Group* group() {
    auto* held = std::get_if<std::unique_ptr<srt::Group>>(&held_);
    return held != nullptr ? held->get() : nullptr;
  }

 private:
  srt::Connection& connection() { return *std::get<std::unique_ptr<srt::Connection>>(held_); }

  std::variant<std::unique_ptr<srt::Connection>, std::unique_ptr<srt::Group>> held_;
};

}  // namespace kapok::ingest
