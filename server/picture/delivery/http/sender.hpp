// Gets bytes of a response out of one connection: memory as it is, media straight from the spool's
// pages, in turns short enough to be fair to the other connections of the shard, and with an eye on
// clients that do not read. One response at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "server/base/task.hpp"
#include "server/net/stream.hpp"
#include "server/net/watchdog.hpp"
#include "server/picture/delivery/http/http_shard.hpp"

namespace kapok::delivery {

class Sender {
 public:
  Sender(HttpShard& shard, net::Stream& stream, net::Watchdog& watchdog)
      : shard_(shard), stream_(stream), watchdog_(watchdog) {}

  // Tries at once, without suspending. True: all of it is out (`head` may be the shard's).
  bool send_now(std::string_view head, ByteSpan body);
  // What send_now left. False: the connection is gone.
  Task<bool> send_rest(Buffer body);
  // `head`, then a piece of a spool file. False: gone, or the file could not be read.
  Task<bool> send_file(std::string head, std::shared_ptr<const packaging::SpoolFile> file,
                       http::ByteRange piece);
  // nullopt: its pictures cannot be joined, or cannot be read any more.
  Task<std::optional<Buffer>> join(const packaging::Sheet& sheet);
  // A response has left entirely: the watchdog is no longer about it.
  void response_ended();

  // The watchdog bit while a response was being sent: true if the client is too slow and must go.
  bool is_stalled();
  bool is_sending() const { return watched_; }

 private:
  Task<bool> writable();
  Task<bool> flush();
  // The bytes to send next; empty: cold, ask warm_up().
  ByteSpan hot_bytes(const packaging::SpoolFile& file, std::uint64_t at, std::uint64_t size);
  Task<bool> warm_up(std::shared_ptr<const packaging::SpoolFile> file, http::ByteRange piece);
  // Does it on the thread that may block. False: the connection has gone before it could begin.
  Task<bool> on_disk(std::function<void()> work);

  HttpShard& shard_;
  net::Stream& stream_;
  net::Watchdog& watchdog_;
  std::string head_left_;
  std::size_t body_from_ = 0;
  std::uint64_t hot_until_ = 0;  // in the file being sent: known to be in memory
  bool watched_ = false;
  std::uint64_t acknowledged_ = 0;
};

}  // namespace kapok::delivery
