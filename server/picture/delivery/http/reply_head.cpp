#include "server/picture/delivery/http/reply_head.hpp"

#include <fmt/format.h>

namespace kapok::delivery {

namespace {

using http::ResponseHead;

void connection_fields(ResponseHead& head, const ConnectionFields& connection) {
  head.field("Date", connection.date);
  // A media type is what we say it is, never what its bytes look like.
  head.lines("X-Content-Type-Options: nosniff\r\n");
  if (!connection.keep_alive)
    head.lines("Connection: close\r\n");
  else if (connection.minor_version == 0)
    head.lines("Connection: keep-alive\r\n");
}

void caching_field(ResponseHead& head, const Caching& caching) {
  switch (caching.scope) {
    case Caching::Scope::none:
      head.lines("Cache-Control: no-store\r\n");
      return;
    case Caching::Scope::revalidate:
      head.lines("Cache-Control: no-cache\r\n");
      return;
    case Caching::Scope::open:
      head.lines("Cache-Control: public, max-age=");
      break;
    case Caching::Scope::within_session:
      head.lines("Cache-Control: private, max-age=");
      break;
  }
  char digits[10];
  const auto end = std::to_chars(digits, digits + sizeof digits, caching.max_age_s).ptr;
  head.lines({digits, static_cast<std::size_t>(end - digits)});
  head.lines(caching.immutable ? ", immutable\r\n" : "\r\n");
}

void range_fields(ResponseHead& head, const Selected& selected, std::uint64_t object_size) {
  if (selected.status == 206)
    head.field("Content-Range", fmt::format("bytes {}-{}/{}", selected.piece.first,
                                            selected.piece.end - 1, object_size));
  else if (selected.status == 416)
    head.field("Content-Range", fmt::format("bytes */{}", object_size));
}

// [RFC 9110 8.6] a 304 or 204 has no length of its own.
bool has_length(unsigned status) {
  return status != 304 && status != 204;
}

}  // namespace

Selected select(unsigned status, const http::Wanted& wanted, std::uint64_t object_size) {
  if (status != 200) return {status, {0, status == 304 || status == 204 ? 0 : object_size}};
  if (const auto* range = std::get_if<http::ByteRange>(&wanted)) return {206, *range};
  if (std::holds_alternative<http::Unsatisfiable>(wanted)) return {416, {0, 0}};
  return {200, {0, object_size}};
}

std::string_view write_head(std::string& out, const BytesReply& reply, const Selected& selected,
                            const ConnectionFields& connection) {
  ResponseHead head(out, selected.status);
  connection_fields(head, connection);
  if (has_length(selected.status)) {
    if (!reply.type.empty()) head.field("Content-Type", reply.type);
    head.field("Content-Length", selected.piece.size());
    range_fields(head, selected, reply.body.size());
  }
  caching_field(head, reply.caching);
  if (!reply.etag.empty()) head.field("ETag", reply.etag);
  if (!reply.coding.empty()) head.field("Content-Encoding", reply.coding);
  if (reply.varies) head.lines("Vary: Accept-Encoding\r\n");
  head.lines(reply.lines);
  return head.finish();
}

std::string_view write_head(std::string& out, const ObjectReply& reply, const Selected& selected,
                            const ConnectionFields& connection) {
  ResponseHead head(out, selected.status);
  connection_fields(head, connection);
  if (has_length(selected.status)) {
    head.field("Content-Type", reply.type);
    head.field("Content-Length", selected.piece.size());
    range_fields(head, selected, reply.object.size);
    head.lines("Accept-Ranges: bytes\r\n");
  }
  caching_field(head, reply.caching);
  if (!reply.object.etag.empty()) head.field("ETag", reply.object.etag);
  head.lines(kMediaLines);
  return head.finish();
}

std::string_view write_head(std::string& out, const GrowingReply& reply,
                            const ConnectionFields& connection) {
  ResponseHead head(out, 200);
  connection_fields(head, connection);
  head.field("Content-Type", reply.type);
  if (connection.minor_version > 0) head.lines("Transfer-Encoding: chunked\r\n");
  caching_field(head, reply.caching);
  head.lines(kMediaLines);
  return head.finish();
}

std::string_view write_head(std::string& out, const http::Response& response,
                            const ConnectionFields& connection) {
  ResponseHead head(out, response.status);
  connection_fields(head, connection);
  for (const http::Header& header : response.headers)
    if (http::is_safe_field(header.name) && http::is_safe_field(header.value))
      head.field(header.name, header.value);
  if (has_length(response.status)) head.field("Content-Length", response.body.size());
  return head.finish();
}

}  // namespace kapok::delivery
