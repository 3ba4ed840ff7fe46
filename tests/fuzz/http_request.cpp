// Any bytes as a connection's input: heads, paths, queries, ranges, dates, chunked bodies.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "server/picture/protocols/http/chunked.hpp"
#include "server/picture/protocols/http/conditions.hpp"
#include "server/picture/protocols/http/request_head.hpp"
#include "server/picture/protocols/http/target.hpp"

namespace {

using namespace kapok;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_path(std::string_view raw) {
  std::string storage;
  const auto path = http::normalise_path(raw, storage);
  if (!path) return;
  // What passed must be safe: this is the promise that routes build on.
  require(path->starts_with('/') && path->find('\0') == std::string_view::npos);
  require(path->find('\\') == std::string_view::npos);
  require(path->find("//") == std::string_view::npos);
  require((std::string(*path) + "/").find("/../") == std::string::npos);
  require((std::string(*path) + "/").find("/./") == std::string::npos);
}

void check_range(std::string_view field) {
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1000}}) {
    const http::Wanted wanted = http::parse_range(field, size);
    if (const auto* range = std::get_if<http::ByteRange>(&wanted))
      require(range->first < range->end && range->end <= size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes = as_text(as_bytes(data, size));
  http::HeadScanner scanner;
  const std::size_t half = scanner.scan(bytes.substr(0, size / 2));
  const std::size_t head_size = half != 0 ? half : scanner.scan(bytes);
  check_path(bytes);
  check_range(bytes);
  http::parse_http_date(bytes);
  if (head_size == 0) {
    http::refuse_endless(bytes);
    return 0;
  }
  http::RequestHead head;
  if (http::parse_head(bytes.substr(0, head_size), head)) return 0;
  check_path(head.raw_path);
  check_range(head.range);
  http::query_value(head.query, "_HLS_msn");
  http::accepts(head.accept_encoding, "gzip");
  const http::Conditions conditions{head.if_none_match, head.if_modified_since, head.if_range};
  const http::Validators object{"\"v\"", UtcTime{}};
  http::not_modified(conditions, object);
  http::range_applies(conditions, object);
  if (head.chunked) {
    http::ChunkedDecoder decoder(http::kMaxBodyBytes);
    bytes.remove_prefix(head_size);
    while (!bytes.empty() && !decoder.complete()) {
      const auto taken = decoder.receive(bytes.substr(0, 7));
      if (!taken) return 0;
      bytes.remove_prefix(*taken);
    }
    require(decoder.take().size() <= http::kMaxBodyBytes);
  }
  return 0;
}
