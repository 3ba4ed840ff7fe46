// Chunks to messages. [RTMP 1.0, 5.3] Fed with whatever the socket gave; copies each payload byte
// once, from there into its message. Inside a long chunk the socket may skip even that and read
// straight into the message: direct_room(). Bounds: 32 chunk streams, chunk size 1 B..1 MiB,
// message length as told, 64 MiB of unfinished messages. One connection's, on its shard.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "server/base/bytes.hpp"
#include "server/picture/protocols/rtmp/message.hpp"
#include "server/picture/protocols/rtmp/message_block.hpp"

namespace kapok::rtmp {

constexpr std::size_t kMaxChunkStreams = 32;  // encoders use 3 to 6
constexpr std::size_t kMaxChunkBytes = std::size_t{1024} * 1024;
constexpr std::size_t kDefaultChunkBytes = 128;
constexpr std::size_t kMaxUnfinishedBytes = std::size_t{64} * 1024 * 1024;

class ChunkReader {
 public:
  struct Step {
    std::size_t consumed = 0;
    std::optional<Message> message;  // complete with the last byte consumed
  };
  // Reads to the end of `bytes` or of one message. Nothing consumed: a header needs more bytes.
  Result<Step> read(ByteSpan bytes);

  // Empty unless the next bytes on the wire are payload. Then: where they belong.
  std::span<std::byte> direct_room();
  Result<std::optional<Message>> direct_filled(std::size_t count);

  void limit_messages(std::size_t bytes) { max_message_bytes_ = bytes; }
  std::size_t chunk_bytes() const { return chunk_bytes_; }

 private:
  struct ChunkStream {
    std::uint32_t id = 0;
    bool started = false;  // one header was seen, so shorter ones may follow
    bool in_message = false;
    bool extended = false;  // the last full header had an extended timestamp
    bool absolute = false;  // ... and was of format 0
    MessageType type = MessageType::command_amf0;
    std::uint32_t length = 0;
    std::uint32_t message_stream = 0;
    std::uint32_t timestamp = 0;
    std::uint32_t delta = 0;
    std::uint32_t extended_field = 0;  // as it stood in the last full header
    MessageBlock block;
  };

  // Header readers return the bytes used; kNeedsMore: the header goes on behind what has come.
  static constexpr std::size_t kNeedsMore = SIZE_MAX;
  Result<std::size_t> read_header(ByteSpan bytes);
  Result<std::size_t> read_start(ChunkStream& stream, unsigned format, ByteSpan header);
  Result<std::size_t> read_continuation(ChunkStream& stream, ByteSpan header);
  static void start_message(ChunkStream& stream);
  Result<ChunkStream*> find(std::uint32_t id);
  Result<std::optional<Message>> payload_filled(std::size_t count);
  // Messages about the chunk layer itself take effect before the next chunk is read.
  Result<void> obey(const Message& message);

  std::vector<ChunkStream> streams_;
  std::size_t current_ = 0;       // index of the chunk stream whose payload comes
  std::size_t payload_left_ = 0;  // of the current chunk
  bool in_payload_ = false;
  std::size_t chunk_bytes_ = kDefaultChunkBytes;
  std::size_t max_message_bytes_ = kMaxUnauthorisedBytes;
  std::size_t unfinished_bytes_ = 0;
};

}  // namespace kapok::rtmp
