#include "server/picture/protocols/http/gzip.hpp"

#include <zlib.h>

namespace kapok::http {

namespace {
// A 30-minute playlist (about 100 kB) takes under a millisecond on a shard's thread at this level,
// three at the default one, and playlists repeat so much that the size hardly differs.
constexpr int kLevel = 2;
constexpr int kGzipFraming = 16 + MAX_WBITS;
}  // namespace

std::optional<Buffer> gzip(ByteSpan text) {
  if (text.size() < kMinGzipBytes) return std::nullopt;
  z_stream stream{};
  if (deflateInit2(&stream, kLevel, Z_DEFLATED, kGzipFraming, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    return std::nullopt;
  Bytes out(deflateBound(&stream, text.size()));
  // zlib's interface predates const; it does not write to its input.
  stream.next_in = const_cast<Bytef*>(as_u8(text));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int ended = deflate(&stream, Z_FINISH);
  const std::size_t size = stream.total_out;
  deflateEnd(&stream);
  if (ended != Z_STREAM_END || size >= text.size()) return std::nullopt;
  out.resize(size);
  out.shrink_to_fit();
  return Buffer(std::move(out));
}

}  // namespace kapok::http
