#include "server/picture/protocols/http/chunked.hpp"

#include <algorithm>
#include <charconv>

#include "server/picture/protocols/http/limits.hpp"

namespace kapok::http {

Result<std::size_t> ChunkedDecoder::receive(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size() && state_ != State::end) {
    if (state_ == State::payload) {
      const std::size_t now = std::min<std::uint64_t>(left_, bytes.size() - at);
      const ByteSpan piece = as_bytes(bytes.substr(at, now));
      body_.insert(body_.end(), piece.begin(), piece.end());
      at += now;
      offset_ += now;
      left_ -= now;
      if (left_ == 0) state_ = State::payload_end;
      continue;
    }
    const char c = bytes[at++];
    ++offset_;
    line_.push_back(c);
    if (line_.size() > kMaxChunkLine) return fail(Errc::limit, "chunk line too long");
    if (c != '\n') continue;
    if (!line_.ends_with("\r\n")) return fail(Errc::malformed, "chunk line ends in a bare LF");
    line_.resize(line_.size() - 2);
    if (line_.find('\r') != std::string::npos)
      return fail(Errc::malformed, "chunk line holds a bare CR");
    KAPOK_TRY(line_ended());
    line_.clear();
  }
  return at;
}

Result<void> ChunkedDecoder::line_ended() {
  if (state_ == State::payload_end) {
    if (!line_.empty()) return fail(Errc::malformed, "chunk longer than it said");
    state_ = State::size;
    return {};
  }
  if (state_ == State::trailer) {
    trailer_bytes_ += line_.size() + 2;
    if (trailer_bytes_ > kMaxHeaderBytes) return fail(Errc::limit, "trailers too large");
    if (line_.empty()) state_ = State::end;
    return {};
  }
  std::uint64_t size = 0;
  const char* last = line_.data() + line_.size();
  const auto [end, error] = std::from_chars(line_.data(), last, size, 16);
  // from_chars takes a sign: a "-1" here was CVE-2013-2028.
  const bool sizes = error == std::errc() && line_.front() != '-';
  if (!sizes || (end != last && *end != ';' && *end != ' ' && *end != '\t'))
    return fail(Errc::malformed, "malformed chunk size");
  if (size > limit_ || body_.size() + size > limit_) return fail(Errc::limit, "body too large");
  left_ = size;
  state_ = size == 0 ? State::trailer : State::payload;
  return {};
}

ChunkHead chunk_head(std::uint64_t bytes) {
  ChunkHead head{};
  char* end = std::to_chars(head.text.data(), head.text.data() + 16, bytes, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  head.size = static_cast<std::size_t>(end - head.text.data());
  return head;
}

}  // namespace kapok::http
