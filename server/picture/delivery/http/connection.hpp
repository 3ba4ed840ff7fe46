// One client's HTTP/1.1 connection on its shard: reads requests one after the other (pipelined ones
// are answered in order), asks the media routes, the handlers or the pages, and sends the reply.
// Waiting for the next request it holds no buffer and no coroutine but run() itself.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <memory>
#include <string>

#include "server/net/address_limits.hpp"
#include "server/net/stream.hpp"
#include "server/net/watchdog.hpp"
#include "server/picture/delivery/http/http_shard.hpp"
#include "server/picture/delivery/http/reply_head.hpp"
#include "server/picture/delivery/http/sender.hpp"
#include "server/picture/protocols/http/request_head.hpp"

namespace kapok::delivery {

class Connection {
 public:
  struct Peer {
    boost::asio::ip::address address;
    std::uint16_t port = 0;
    net::AddressLimits::Place place;
  };
  Connection(HttpShard& shard, std::unique_ptr<net::Stream> stream, Peer peer);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Until the connection ends.
  Task<> run();
  // Ends now if no request is being answered, else after the answer.
  void finish();
  void abort();

 private:
  enum class After : std::uint8_t { next_request, close, linger, hold };

  // The request being answered, without what only the media routes or the handlers need.
  struct Current {
    http::Method method = http::Method::get;
    std::uint8_t minor_version = 1;
    bool keep_alive = true;
    bool has_unread_body = false;
    RouteClass route = RouteClass::refused;
  };

  // Where the request's body ends.
  struct Framing {
    std::optional<std::uint64_t> length;
    bool chunked = false;
    bool expects_continue = false;
  };

  Task<> serve();
  void deadline_passed();
  // Looks for a head in what is pending, with what the socket has behind it. The head and what
  // follows it are in shard_.input and valid until the next suspension.
  enum class Source : std::uint8_t { pending, socket };
  struct Heard {
    std::size_t head_size = 0;  // 0: not a whole one yet
    bool closed = false;
  };
  Heard hear(Source source);
  Task<After> answer(std::size_t head_size);
  // After::hold: held_ waits for what waiter_ says; serve() does the waiting.
  Task<After> answer_media(MediaRequest request, Patience patience);
  Task<After> answer_handler(std::shared_ptr<http::Request> request, const Handler& handler,
                             PathParameters parameters, Framing body);
  Task<After> refuse(http::Refusal refusal);
  // The one line about bytes of the client's that end the connection: in which state, at which
  // byte.
  void tell_refused(std::string_view state, std::uint64_t offset, std::string_view why);
  // The same of what has begun and does not come to its end; nothing when nothing has begun.
  void tell_cut_short(std::string_view why);

  Task<After> send(BytesReply reply);
  Task<After> send(ObjectReply reply);
  Task<After> send(SheetReply reply);
  Task<After> send(GrowingReply reply);
  Task<After> send(http::Response response);
  Task<bool> send_growing(GrowingReply& reply);
  // Errc::closed: the client has left, which is told already.
  Task<Result<Buffer>> read_body(std::optional<std::uint64_t> length, bool chunked);
  Task<> linger();

  ConnectionFields fields();
  After ended(bool sent, unsigned status, std::uint64_t body_bytes);
  void credit(const std::optional<Credit>& whom, evidence::Interval interval, std::uint64_t bytes);

  HttpShard& shard_;
  std::unique_ptr<net::Stream> stream_;
  Peer peer_;
  net::Watchdog watchdog_;
  Sender sender_;
  std::string pending_;  // read, but not a whole head yet, or behind the request being answered
  std::size_t input_size_ = 0;
  http::HeadScanner scanner_;
  Current current_;
  std::optional<MediaRequest> held_;
  Waiter waiter_;
  std::uint64_t heard_bytes_ = 0;  // of HTTP, on this connection
  bool shaken_ = false;
  bool busy_ = false;
  bool reading_body_ = false;
  bool finishing_ = false;
  bool refusal_told_ = false;
};

}  // namespace kapok::delivery
