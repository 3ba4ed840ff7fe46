// Response heads of HTTP/1.1 for every kind of reply. Pure; HTTP/2 will have its own.
#pragma once

#include <string>
#include <string_view>

#include "server/picture/delivery/http/reply.hpp"
#include "server/picture/protocols/http/response_head.hpp"

namespace kapok::delivery {

// What the connection adds to every response.
struct ConnectionFields {
  std::string_view date;
  std::uint8_t minor_version = 1;  // of the request
  bool keep_alive = true;
};

// The piece of the body that a reply sends (before HEAD is considered): status and bytes agree.
struct Selected {
  unsigned status = 200;
  http::ByteRange piece;
};
Selected select(unsigned status, const http::Wanted& wanted, std::uint64_t object_size);

// Each clears `out` and returns the finished head.
std::string_view write_head(std::string& out, const BytesReply& reply, const Selected& selected,
                            const ConnectionFields& connection);
std::string_view write_head(std::string& out, const ObjectReply& reply, const Selected& selected,
                            const ConnectionFields& connection);
std::string_view write_head(std::string& out, const GrowingReply& reply,
                            const ConnectionFields& connection);
// Fields that would break out of their line are left out: a handler may have echoed its input.
std::string_view write_head(std::string& out, const http::Response& response,
                            const ConnectionFields& connection);

}  // namespace kapok::delivery
