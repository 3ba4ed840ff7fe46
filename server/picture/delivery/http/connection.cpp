#include "server/picture/delivery/http/connection.hpp"

#include <boost/asio/post.hpp>
#include <cstring>
#include <exception>
#include <utility>

#include "server/picture/protocols/http/chunked.hpp"
#include "server/picture/protocols/http/target.hpp"

namespace kapok::delivery {

namespace {

// Requests that came in one read are answered without waiting; after so many, others first.
constexpr unsigned kRequestsPerTurn = 16;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::size_t kMaxLingerBytes = 256 * 1024;

RouteClass class_of(const MediaRequest& request) {
  switch (request.what) {
    case MediaRequest::What::multivariant:
      return RouteClass::playlist;
    case MediaRequest::What::playlist:
      return request.msn ? RouteClass::blocking_playlist : RouteClass::playlist;
    case MediaRequest::What::manifest:
      return RouteClass::manifest;
    case MediaRequest::What::init:
      return RouteClass::init;
    case MediaRequest::What::segment:
      return RouteClass::segment;
    case MediaRequest::What::part:
      return RouteClass::part;
    case MediaRequest::What::poster:
    case MediaRequest::What::thumbnail:
    case MediaRequest::What::sheet:
      return RouteClass::image;
    case MediaRequest::What::thumbnail_playlist:
    case MediaRequest::What::thumbnail_times:
    case MediaRequest::What::sheet_playlist:
    case MediaRequest::What::sheet_times:
      return RouteClass::playlist;
    case MediaRequest::What::time:
      return RouteClass::time;
    default:
      return RouteClass::refused;
  }
}

// CORS preflight: needed for Range with other forms than "bytes=a-b" and for CMCD headers.
http::Response preflight() {
  http::Response response;
  response.status = 204;
  response.with("Access-Control-Allow-Origin", "*")
      .with("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
      .with("Access-Control-Allow-Headers",
            "Range, If-None-Match, If-Range, CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status")
      .with("Access-Control-Max-Age", "86400")
      .with("Cache-Control", "public, max-age=86400");
  return response;
}

std::string allow_list(std::span<const http::Method> allowed) {
  std::string list;
  for (const http::Method method : allowed) {
    if (!list.empty()) list += ", ";
    list += http::name_of(method);
    if (method == http::Method::get) list += ", HEAD";
  }
  return list;
}

http::Response plain(unsigned status, std::string text) {
  http::Response response =
      http::Response::text(status, "text/plain; charset=utf-8", std::move(text) + "\n");
  response.with("Cache-Control", "no-store");
  return response;
}

std::shared_ptr<http::Request> owned_request(const http::RequestHead& head, std::string_view path,
                                             std::string peer) {
  auto request = std::make_shared<http::Request>();
  request->method = head.method;
  request->path = path;
  request->query = head.query;
  request->headers.reserve(head.field_count);
  for (const http::HeaderView& field : head.headers())
    request->headers.push_back({std::string(field.name), std::string(field.value)});
  request->peer = std::move(peer);
  return request;
}

}  // namespace

Connection::Connection(HttpShard& shard, std::unique_ptr<net::Stream> stream, Peer peer)
    : shard_(shard),
      stream_(std::move(stream)),
      peer_(std::move(peer)),
      watchdog_(shard.executor, [this] { deadline_passed(); }),
      sender_(shard, *stream_, watchdog_) {
  shard_.connections.insert(this);
  shard_.metrics.open_connections.add(1);
}

Connection::~Connection() {
  shard_.connections.erase(this);
  shard_.metrics.open_connections.add(-1);
}

void Connection::finish() {
  finishing_ = true;
  if (!busy_) stream_->close();
}

void Connection::abort() {
  refusal_told_ = true;  // what ends now is not the client's doing
  stream_->close();
}

void Connection::deadline_passed() {
  if (sender_.is_sending()) {
    if (!sender_.is_stalled()) return;
    shard_.metrics.slow_clients_cut.increment();
    shard_.shared.log.debug("http.slow_client_cut", {{"route", name_of(current_.route)}});
  } else {
    tell_cut_short("not finished in time");
  }
  stream_->close();
}

Task<> Connection::run() {
  watchdog_.arm(shard_.shared.limits.handshake);
  shaken_ = co_await stream_->handshake();
  if (!shaken_) {
    tell_cut_short("closed before its end");
    co_return;
  }
  co_await serve();
  stream_->close();
}

// Thousands of connections wait in here at a time, for a request or holding one: no frame but this
// one's and the wait's lives then.
Task<> Connection::serve() {
  unsigned in_a_row = 0;
  while (stream_->is_open() && !finishing_) {
    const bool waited = pending_.empty();
    if (waited) pending_ = {};  // an idle connection holds no buffer
    watchdog_.arm(shard_.shared.limits.idle);
    bool header_deadline = false;
    Heard heard = waited ? Heard{} : hear(Source::pending);
    while (heard.head_size == 0) {
      if (!pending_.empty() && !header_deadline) {
        header_deadline = true;
        watchdog_.arm(shard_.shared.limits.header);
      }
      const bool open = co_await stream_->wait(net::Ready::read);
      if (!open || (finishing_ && pending_.empty())) co_return;
      heard = hear(Source::socket);
      if (heard.closed) {
        tell_cut_short("closed before its end");
        co_return;
      }
    }
    busy_ = true;
    After after = co_await answer(heard.head_size);
    while (after == After::hold) {
      shard_.metrics.waiting_requests.add(1);
      co_await shard_.live.wait(waiter_, held_->channel, held_->rendition);
      shard_.metrics.waiting_requests.add(-1);
      if (!stream_->is_open()) co_return;
      current_.keep_alive = current_.keep_alive && !finishing_;
      const auto patience = waiter_.woken == Woken::gave_up ? Patience::exhausted : Patience::woken;
      after = co_await answer_media(*std::exchange(held_, std::nullopt), patience);
    }
    busy_ = false;
    if (after == After::linger || (after == After::close && current_.has_unread_body))
      co_await linger();
    if (after != After::next_request || finishing_) break;
    in_a_row = waited ? 0 : in_a_row + 1;
    if (in_a_row >= kRequestsPerTurn) {
      in_a_row = 0;
      co_await boost::asio::post(shard_.executor, boost::asio::use_awaitable);
    }
  }
  stream_->end_sending();
}

Connection::Heard Connection::hear(Source source) {
  std::memcpy(shard_.input.data(), pending_.data(), pending_.size());
  input_size_ = pending_.size();
  if (source == Source::socket) {
    const net::Moved moved = stream_->receive(std::span(shard_.input).subspan(input_size_));
    if (moved.closed) return {.closed = true};
    input_size_ += moved.bytes;
    heard_bytes_ += moved.bytes;
  }
  std::string_view input = as_text(ByteSpan(shard_.input).first(input_size_));
  // [RFC 9112 2.2] an empty line before a request line is ignored.
  std::size_t blank = 0;
  while (input.substr(blank).starts_with("\r\n")) blank += 2;
  if (blank > 0) {
    std::memmove(shard_.input.data(), shard_.input.data() + blank, input_size_ - blank);
    input_size_ -= blank;
    input.remove_suffix(blank);
    scanner_.reset();
  }
  const std::size_t head_size = scanner_.scan(input);
  if (head_size != 0 || input_size_ >= http::kMaxHeadBytes) {
    scanner_.reset();
    return {.head_size = head_size != 0 ? head_size : input_size_};
  }
  pending_.assign(input);
  return {};
}

Task<Connection::After> Connection::answer(std::size_t head_size) {
  const std::string_view input = as_text(ByteSpan(shard_.input).first(input_size_));
  const std::string_view head_text = input.substr(0, head_size);
  http::RequestHead& head = shard_.request;
  current_ = {};
  if (!head_text.ends_with("\r\n\r\n")) {
    const After after = co_await refuse(http::refuse_endless(head_text));
    co_return after;
  }
  if (const auto refusal = http::parse_head(head_text, head)) {
    const After after = co_await refuse(*refusal);
    co_return after;
  }
  peer_.place.opened();
  current_.method = head.method;
  current_.minor_version = head.minor_version;
  current_.keep_alive = head.keep_alive && !finishing_;
  std::string storage;
  const auto path = http::normalise_path(head.raw_path == "*" ? "/" : head.raw_path, storage);
  if (!path) {
    const After after = co_await refuse({400, "malformed path", 0});
    co_return after;
  }
  pending_ = input.substr(head_size);
  watchdog_.disarm();
  // `head` is the shard's and ends with the first suspension: what is needed later is taken now.
  const bool has_body = head.has_body();
  const Framing framing{.length = head.content_length,
                        .chunked = head.chunked,
                        .expects_continue = head.expects_continue};
  // What nobody sends a body with does not read one, so the connection cannot go on.
  const auto leave_body = [&] {
    current_.has_unread_body = has_body;
    if (has_body) current_.keep_alive = false;
  };
  if (auto media = read_media_request(head, *path)) {
    current_.route = class_of(*media);
    leave_body();
    if (head.method != http::Method::get && head.method != http::Method::head) {
      http::Response response = head.method == http::Method::options
                                    ? preflight()
                                    : shard_.shared.router.refuse(*path, 405);
      if (response.status == 405) response.with("Allow", "GET, HEAD, OPTIONS");
      const After after = co_await send(std::move(response));
      co_return after;
    }
    const After after = co_await answer_media(std::move(*media), Patience::fresh);
    co_return after;
  }
  const bool reads = head.method == http::Method::get || head.method == http::Method::head;
  Router::Match match = shard_.shared.router.match(reads ? http::Method::get : head.method, *path);
  if (match.handler != nullptr) {
    current_.route = RouteClass::handler;
    auto request = owned_request(head, *path, peer_.address.to_string());
    request->secure = stream_->secure();
    const After after = co_await answer_handler(std::move(request), *match.handler,
                                                std::move(match.parameters), framing);
    co_return after;
  }
  leave_body();
  if (!match.allowed.empty()) {
    current_.route = RouteClass::handler;
    http::Response response = shard_.shared.router.refuse(*path, 405);
    response.with("Allow", allow_list(match.allowed));
    if (current_.method == http::Method::options) {
      response.status = 204;
      response.body = {};
    }
    const After after = co_await send(std::move(response));
    co_return after;
  }
  if (shard_.shared.pages && reads) {
    auto page = shard_.shared.pages->find(*path, {head.accept_encoding, head.if_none_match});
    if (page) {
      current_.route = RouteClass::page;
      const After after = co_await send(std::move(*page));
      co_return after;
    }
  }
  const After after = co_await send(shard_.shared.router.refuse(*path, 404));
  co_return after;
}

Task<Connection::After> Connection::answer_media(MediaRequest request, Patience patience) {
  Reply reply = shard_.routes.answer(request, peer_.address, patience);
  if (const auto* hold = std::get_if<Hold>(&reply)) {
    waiter_.wish = hold->wish;
    if (patience == Patience::fresh) waiter_.give_up = shard_.shared.clock.mono() + hold->patience;
    held_ = std::move(request);
    co_return After::hold;
  }
  if (auto* bytes = std::get_if<BytesReply>(&reply)) {
    const After after = co_await send(std::move(*bytes));
    co_return after;
  }
  if (auto* object = std::get_if<ObjectReply>(&reply)) {
    const After after = co_await send(std::move(*object));
    co_return after;
  }
  if (auto* sheet = std::get_if<SheetReply>(&reply)) {
    const After after = co_await send(std::move(*sheet));
    co_return after;
  }
  current_.route = RouteClass::growing_segment;
  const After after = co_await send(std::move(std::get<GrowingReply>(reply)));
  co_return after;
}

Task<Connection::After> Connection::answer_handler(std::shared_ptr<http::Request> request,
                                                   const Handler& handler,
                                                   PathParameters parameters, Framing framing) {
  if (framing.chunked || framing.length.value_or(0) > 0) {
    if (framing.length.value_or(0) > shard_.shared.limits.body_bytes) {
      current_.keep_alive = false;
      tell_refused("body", heard_bytes_ - pending_.size(), "body too large");
      const After after = co_await send(plain(413, "body too large"));
      co_return after == After::close ? After::linger : after;
    }
    if (framing.expects_continue && !sender_.send_now(kContinue, {})) {
      const bool sent = co_await sender_.send_rest({});
      if (!sent) co_return After::close;
    }
    watchdog_.arm(shard_.shared.limits.body);
    reading_body_ = true;
    auto body = co_await read_body(framing.length, framing.chunked);
    reading_body_ = false;
    if (!stream_->is_open()) co_return After::close;
    if (!body) {
      current_.keep_alive = false;
      co_await send(plain(400, "malformed or too large body"));
      co_return After::linger;
    }
    request->body = std::move(*body);
    watchdog_.disarm();
  }
  http::Response response;
  try {
    response = co_await handler(std::move(request), std::move(parameters));
  } catch (const std::exception& bug) {
    shard_.shared.log.error("http.handler_failed", {{"reason", bug.what()}});
    response = plain(500, "internal error");
  }
  current_.keep_alive = current_.keep_alive && !finishing_;
  const After after = co_await send(std::move(response));
  co_return after;
}

Task<Result<Buffer>> Connection::read_body(std::optional<std::uint64_t> length, bool chunked) {
  const std::uint64_t begin = heard_bytes_ - pending_.size();
  http::ChunkedDecoder decoder(shard_.shared.limits.body_bytes);
  Bytes body;
  while (true) {
    std::string given = std::move(pending_);
    pending_.clear();
    std::size_t taken = 0;
    if (chunked) {
      const auto received = decoder.receive(given);
      if (!received) {
        tell_refused("body", begin + decoder.offset(), received.error().message);
        co_return std::unexpected(received.error());
      }
      taken = *received;
    } else {
      taken = std::min<std::uint64_t>(given.size(), *length - body.size());
      const ByteSpan piece = as_bytes(given).first(taken);
      body.insert(body.end(), piece.begin(), piece.end());
    }
    pending_ = given.substr(taken);
    if (chunked && decoder.complete()) co_return Buffer(decoder.take());
    if (!chunked && body.size() == *length) co_return Buffer(std::move(body));
    const bool open = co_await stream_->wait(net::Ready::read);
    if (!open) co_return fail(Errc::closed, "closed");
    const net::Moved moved = stream_->receive(shard_.input);
    if (moved.closed) {
      tell_cut_short("closed before its end");
      stream_->close();
      co_return fail(Errc::closed, "closed");
    }
    heard_bytes_ += moved.bytes;
    pending_.append(as_text(ByteSpan(shard_.input).first(moved.bytes)));
  }
}

Task<Connection::After> Connection::refuse(http::Refusal refusal) {
  current_.keep_alive = false;
  current_.route = RouteClass::refused;
  // The head is what the input begins with.
  tell_refused(refusal.at == 0 ? "request line" : "headers",
               heard_bytes_ - input_size_ + refusal.at, refusal.why);
  // Whatever follows cannot be told from a next request: the connection ends.
  co_await send(plain(refusal.status, std::string(refusal.why)));
  co_return After::linger;
}

void Connection::tell_refused(std::string_view state, std::uint64_t offset, std::string_view why) {
  if (std::exchange(refusal_told_, true)) return;
  shard_.metrics.protocol_errors.increment();
  const Log::Fields fields = {{"peer", net::peer_name(peer_.address, peer_.port)},
                              {"protocol", stream_->secure() ? "https" : "http"},
                              {"state", state},
                              {"offset", offset},
                              {"reason", why}};
  const MonoTime now = shard_.shared.clock.mono();
  if (shard_.refusals_told.take(peer_.address.to_string(), now))
    shard_.shared.log.info("http.refused", fields);
  else
    shard_.shared.log.debug("http.refused", fields);
}

void Connection::tell_cut_short(std::string_view why) {
  const char* const tls = stream_->tls_error();
  if (!shaken_ || tls != nullptr) {
    // Whoever connects and says nothing has done nothing wrong.
    if (stream_->received_bytes() > 0)
      tell_refused(shaken_ ? "tls" : "tls handshake", stream_->received_bytes(),
                   tls != nullptr ? tls : why);
  } else if (reading_body_) {
    tell_refused("body", heard_bytes_, why);
  } else if (!busy_ && !pending_.empty()) {
    tell_refused(pending_.contains("\r\n") ? "headers" : "request line", heard_bytes_, why);
  }
}

ConnectionFields Connection::fields() {
  return {.date = shard_.date.at(shard_.shared.clock.utc()),
          .minor_version = current_.minor_version,
          .keep_alive = current_.keep_alive};
}

Connection::After Connection::ended(bool sent, unsigned status, std::uint64_t body_bytes) {
  sender_.response_ended();
  shard_.metrics.answered(current_.route, status);
  // The access log: no path (it may hold a token) and no address of a viewer.
  const Log& log = shard_.shared.log;
  if (log.enabled(LogLevel::debug))
    log.debug("http.answered", {{"route", name_of(current_.route)},
                                {"method", http::name_of(current_.method)},
                                {"status", status},
                                {"bytes", body_bytes},
                                {"whole", sent}});
  if (!sent) return After::close;
  shard_.metrics.sent(current_.route, body_bytes);
  return current_.keep_alive ? After::next_request : After::close;
}

void Connection::credit(const std::optional<Credit>& whom, evidence::Interval interval,
                        std::uint64_t bytes) {
  if (!whom || current_.method == http::Method::head) return;
  shard_.shared.evidence.report(evidence::Delivered{.session = whom->session,
                                                    .channel = whom->channel,
                                                    .rendition = whom->rendition,
                                                    .video = whom->video,
                                                    .interval = interval,
                                                    .bytes = bytes,
                                                    .at = shard_.shared.clock.utc()});
}

Task<Connection::After> Connection::send(BytesReply reply) {
  const Selected selected = select(reply.status, reply.wanted, reply.body.size());
  const std::string_view head = write_head(shard_.head, reply, selected, fields());
  Buffer body;
  if (current_.method != http::Method::head && selected.piece.size() > 0)
    body = reply.body.slice(selected.piece.first, selected.piece.size());
  bool sent = sender_.send_now(head, body.bytes());
  if (!sent) sent = co_await sender_.send_rest(body);
  co_return ended(sent, selected.status, body.size());
}

Task<Connection::After> Connection::send(http::Response response) {
  const std::string_view head = write_head(shard_.head, response, fields());
  Buffer body;
  if (current_.method != http::Method::head && response.status != 204 && response.status != 304)
    body = response.body;
  bool sent = sender_.send_now(head, body.bytes());
  if (!sent) sent = co_await sender_.send_rest(body);
  co_return ended(sent, response.status, body.size());
}

Task<Connection::After> Connection::send(ObjectReply reply) {
  const Selected selected = select(reply.status, reply.wanted, reply.object.size);
  std::string head(write_head(shard_.head, reply, selected, fields()));
  http::ByteRange piece = {reply.object.offset + selected.piece.first,
                           reply.object.offset + selected.piece.end};
  if (current_.method == http::Method::head) piece.end = piece.first;
  const bool sent = co_await sender_.send_file(std::move(head), reply.object.file, piece);
  // A range earns nothing unless it is the whole object: which part of the pictures arrived cannot
  // be told from its bytes.
  if (sent && selected.piece.size() == reply.object.size)
    credit(reply.credit, {reply.object.from, reply.object.to}, piece.size());
  co_return ended(sent, selected.status, piece.size());
}

Task<Connection::After> Connection::send(SheetReply reply) {
  std::optional<Buffer> joined = co_await sender_.join(reply.sheet);
  if (!stream_->is_open()) co_return ended(false, 200, 0);
  BytesReply& answer = joined ? reply.found : reply.otherwise;
  if (joined) answer.body = std::move(*joined);
  if (joined && !reply.range.empty())
    answer.wanted = http::parse_range(reply.range, answer.body.size());
  const After after = co_await send(std::move(answer));
  co_return after;
}

Task<Connection::After> Connection::send(GrowingReply reply) {
  if (current_.method == http::Method::head) {
    const std::string_view head = write_head(shard_.head, reply, fields());
    bool sent = sender_.send_now(head, {});
    if (!sent) sent = co_await sender_.send_rest({});
    co_return ended(sent, 200, 0);
  }
  // HTTP/1.0 knows no chunks: the end of the connection is the end of the segment.
  if (current_.minor_version == 0) current_.keep_alive = false;
  const bool sent = co_await send_growing(reply);
  co_return ended(sent, 200, 0);
}

Task<bool> Connection::send_growing(GrowingReply& reply) {
  const bool chunks = current_.minor_version > 0;
  std::string prefix(write_head(shard_.head, reply, fields()));
  std::uint64_t sent_bytes = 0;
  std::optional<UtcTime> sent_until;
  while (true) {
    const packaging::RenditionWindow* window = shard_.live.find(reply.channel, reply.rendition);
    const auto object = window == nullptr ? std::nullopt : window->find_segment(reply.name);
    if (!object || !object->file) co_return false;
    if (object->size > sent_bytes) {
      const std::uint64_t more = object->size - sent_bytes;
      if (chunks) prefix += http::chunk_head(more).view();
      const bool sent =
          co_await sender_.send_file(std::move(prefix), object->file,
                                     {object->offset + sent_bytes, object->offset + object->size});
      if (!sent) co_return false;
      sender_.response_ended();  // waiting for the next part is not the client's fault
      watchdog_.disarm();
      shard_.metrics.sent(current_.route, more);
      credit(reply.credit, {sent_until.value_or(object->from), object->to}, more);
      sent_bytes = object->size;
      sent_until = object->to;
      prefix = chunks ? http::kChunkEnd : "";
      continue;  // more may have come meanwhile
    }
    if (object->complete) break;
    // The head and every part go out as soon as they are there.
    if (!prefix.empty()) {
      bool flushed = sender_.send_now(prefix, {});
      if (!flushed) flushed = co_await sender_.send_rest({});
      if (!flushed) co_return false;
      prefix.clear();
    }
    waiter_.wish = {.what = Wish::What::growth,
                    .number = reply.name.number,
                    .part = std::nullopt,
                    .discontinuity_sequence = reply.name.discontinuity_sequence,
                    .bytes = sent_bytes};
    waiter_.give_up = shard_.shared.clock.mono() + reply.patience;
    co_await shard_.live.wait(waiter_, reply.channel, reply.rendition);
    // Without the last chunk, so that no cache takes half a segment for a whole one.
    if (waiter_.woken == Woken::gave_up || !stream_->is_open()) co_return false;
  }
  if (chunks) prefix += http::kLastChunk;
  bool sent = sender_.send_now(prefix, {});
  if (!sent) sent = co_await sender_.send_rest({});
  co_return sent;
}

Task<> Connection::linger() {
  // Closing with unread input would reset the connection and take our answer with it.
  stream_->end_sending();
  watchdog_.arm(shard_.shared.limits.linger);
  std::size_t read = 0;
  while (stream_->is_open() && read < kMaxLingerBytes) {
    const net::Moved moved = stream_->receive(shard_.input);
    if (moved.closed) break;
    read += moved.bytes;
    if (!moved.wait_for) continue;
    const bool open = co_await stream_->wait(net::Ready::read);
    if (!open) break;
  }
}

}  // namespace kapok::delivery
