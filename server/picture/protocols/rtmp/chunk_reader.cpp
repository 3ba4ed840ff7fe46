#include "server/picture/protocols/rtmp/chunk_reader.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace kapok::rtmp {

namespace {
constexpr std::uint32_t kExtendedMarker = 0xFFFFFF;
constexpr std::size_t kHeaderBytes[] = {11, 7, 3, 0};  // by chunk format

std::uint32_t number(ByteSpan bytes, std::size_t at, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value = (value << 8) | std::to_integer<std::uint32_t>(bytes[at + i]);
  return value;
}
}  // namespace

Result<ChunkReader::Step> ChunkReader::read(ByteSpan bytes) {
  Step step;
  while (!step.message) {
    const ByteSpan rest = bytes.subspan(step.consumed);
    if (!in_payload_) {
      const std::size_t header = KAPOK_TRY(read_header(rest));
      if (header == 0) return step;
      step.consumed += header;
      if (payload_left_ == 0) step.message = KAPOK_TRY(payload_filled(0));
      continue;
    }
    if (rest.empty()) return step;
    const std::span<std::byte> room =
        streams_[current_].block.room(std::min(payload_left_, rest.size()));
    std::memcpy(room.data(), rest.data(), room.size());
    step.consumed += room.size();
    step.message = KAPOK_TRY(payload_filled(room.size()));
  }
  return step;
}

std::span<std::byte> ChunkReader::direct_room() {
  if (!in_payload_) return {};
  return streams_[current_].block.room(payload_left_);
}

Result<std::optional<Message>> ChunkReader::direct_filled(std::size_t count) {
  if (count == 0) return std::optional<Message>();
  return payload_filled(count);
}

Result<std::size_t> ChunkReader::read_header(ByteSpan bytes) {
  if (bytes.empty()) return 0;
  const unsigned first = std::to_integer<unsigned>(bytes[0]);
  const unsigned format = first >> 6;
  std::uint32_t id = first & 0x3F;
  std::size_t at = 1;
  if (id < 2) {
    at = id == 0 ? 2 : 3;
    if (bytes.size() < at) return 0;
    id = 64 + std::to_integer<std::uint32_t>(bytes[1]) +
         (at == 3 ? std::to_integer<std::uint32_t>(bytes[2]) * 256 : 0);
  }
  if (bytes.size() < at + kHeaderBytes[format]) return 0;
  ChunkStream& stream = *KAPOK_TRY(find(id));
  const std::size_t used = KAPOK_TRY(read_start(stream, format, bytes.subspan(at)));
  if (used == kNeedsMore) return 0;
  current_ = static_cast<std::size_t>(&stream - streams_.data());
  payload_left_ = std::min(stream.block.missing(), chunk_bytes_);
  in_payload_ = true;
  return at + used;
}

Result<std::size_t> ChunkReader::read_start(ChunkStream& stream, unsigned format, ByteSpan header) {
  if (format == 3) return read_continuation(stream, header);
  if (stream.in_message)
    // CVE-2016-10191's family: a length that changes while its message is under way.
    return fail(Errc::malformed, "chunk stream {}: a new header inside an unfinished message",
                stream.id);
  // Format 1 may start a stream: librtmp pings so. Format 2 would leave the length unknown.
  if (format == 2 && !stream.started)
    return fail(Errc::malformed, "chunk stream {} starts with format 2", stream.id);

  std::size_t used = kHeaderBytes[format];
  std::uint32_t time = number(header, 0, 3);
  const bool extended = time == kExtendedMarker;
  if (extended) {
    if (header.size() < used + 4) return kNeedsMore;
    time = number(header, used, 4);
    used += 4;
  }
  if (format < 2) {
    const std::uint32_t length = number(header, 3, 3);
    if (length > max_message_bytes_)
      return fail(Errc::limit, "message of {} bytes where at most {} may be", length,
                  max_message_bytes_);
    stream.length = length;
    stream.type = static_cast<MessageType>(std::to_integer<std::uint8_t>(header[6]));
  }
  if (format == 0) {
    // The only little-endian field of RTMP.
    stream.message_stream = std::to_integer<std::uint32_t>(header[7]) |
                            std::to_integer<std::uint32_t>(header[8]) << 8 |
                            std::to_integer<std::uint32_t>(header[9]) << 16 |
                            std::to_integer<std::uint32_t>(header[10]) << 24;
    stream.timestamp = time;
  } else {
    stream.timestamp += time;
  }
  // [RTMP 5.3.1.2.4] a format 3 after a format 0 advances by that timestamp itself.
  stream.delta = time;
  stream.absolute = format == 0;
  stream.extended = extended;
  stream.extended_field = time;
  stream.started = true;
  start_message(stream);
  return used;
}

Result<std::size_t> ChunkReader::read_continuation(ChunkStream& stream, ByteSpan header) {
  if (!stream.started)
    return fail(Errc::malformed, "chunk stream {} starts with format 3", stream.id);
  std::size_t used = 0;
  std::uint32_t field = stream.extended_field;
  if (stream.extended) {
    if (header.size() < 4) return kNeedsMore;
    field = number(header, 0, 4);
    // [RTMP 5.3.1.3] the extended timestamp is repeated here, but not every encoder does so: inside
    // a message, four bytes that differ from it are payload. Some repeat the absolute time.
    const bool repeated = field == stream.extended_field || field == stream.timestamp;
    if (repeated || !stream.in_message) used = 4;
  }
  if (!stream.in_message) {
    if (stream.length > max_message_bytes_)
      return fail(Errc::limit, "message of {} bytes where at most {} may be", stream.length,
                  max_message_bytes_);
    if (stream.extended && field != stream.extended_field)
      stream.timestamp = stream.extended_field = field;  // who varies it means an absolute time
    else if (!stream.extended || !stream.absolute)
      stream.timestamp += stream.delta;
    start_message(stream);
  }
  return used;
}

void ChunkReader::start_message(ChunkStream& stream) {
  stream.block = MessageBlock(stream.length);
  stream.in_message = true;
}

Result<ChunkReader::ChunkStream*> ChunkReader::find(std::uint32_t id) {
  for (ChunkStream& stream : streams_)
    if (stream.id == id) return &stream;
  if (streams_.size() >= kMaxChunkStreams)
    return fail(Errc::limit, "more than {} chunk streams", kMaxChunkStreams);
  streams_.emplace_back().id = id;
  return &streams_.back();
}

Result<std::optional<Message>> ChunkReader::payload_filled(std::size_t count) {
  ChunkStream& stream = streams_[current_];
  stream.block.filled(count);
  payload_left_ -= count;
  unfinished_bytes_ += count;
  if (unfinished_bytes_ > kMaxUnfinishedBytes)
    return fail(Errc::limit, "over {} bytes of unfinished messages", kMaxUnfinishedBytes);
  if (payload_left_ > 0) return std::optional<Message>();
  in_payload_ = false;
  if (stream.block.missing() > 0) return std::optional<Message>();

  unfinished_bytes_ -= stream.block.size();
  stream.in_message = false;
  Message message{stream.type, stream.id, stream.message_stream, stream.timestamp,
                  stream.block.finish()};
  KAPOK_TRY(obey(message));
  return std::optional<Message>(std::move(message));
}

Result<void> ChunkReader::obey(const Message& message) {
  if (message.type == MessageType::set_chunk_size) {
    ByteReader in(message.payload.bytes());
    const std::uint32_t bytes = KAPOK_TRY(in.u32());
    if (bytes == 0 || bytes > kMaxChunkBytes)
      return fail(Errc::limit, "chunk size of {} bytes where 1 to {} may be", bytes,
                  kMaxChunkBytes);
    chunk_bytes_ = bytes;
  } else if (message.type == MessageType::abort) {
    ByteReader in(message.payload.bytes());
    const std::uint32_t id = KAPOK_TRY(in.u32());
    for (ChunkStream& stream : streams_) {
      if (stream.id != id || !stream.in_message) continue;
      unfinished_bytes_ -= stream.block.size();
      stream.block = MessageBlock();
      stream.in_message = false;
    }
  }
  return {};
}

}  // namespace kapok::rtmp
