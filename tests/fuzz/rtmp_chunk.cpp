// A whole connection: what a client sends from its first byte on, in pieces whose size the last
// byte chooses; every publish is granted. Then the same bytes as bare chunks, where the two ways of
// reading (copied, and straight into the message) must give the same messages.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "server/picture/protocols/rtmp/chunk_reader.hpp"
#include "server/picture/protocols/rtmp/server_session.hpp"

using namespace kapok;

namespace {
void run_session(ByteSpan bytes, std::size_t piece) {
  rtmp::RtmpServerSession session;
  std::vector<rtmp::ServerEvent> events;
  while (!bytes.empty()) {
    const ByteSpan next = bytes.first(std::min(piece, bytes.size()));
    bytes = bytes.subspan(next.size());
    bool good = session.receive({}, next).has_value();
    do {
      session.take_events(events);
      bool asked = false;
      for (const auto& event : events)
        asked = asked || std::holds_alternative<rtmp::PublishAsked>(event);
      if (!asked || !good) break;
      session.grant_publish();
      good = session.received({}, 0).has_value();
    } while (true);
    session.take_output();
    if (!good) return;
  }
}

struct Seen {
  rtmp::MessageType type;
  std::uint32_t timestamp;
  std::vector<std::byte> payload;
  bool operator==(const Seen&) const = default;
};

std::vector<Seen> read_chunks(ByteSpan bytes, bool direct) {
  rtmp::ChunkReader reader;
  std::vector<Seen> seen;
  const auto keep = [&](const std::optional<rtmp::Message>& message) {
    if (message)
      seen.push_back({message->type,
                      message->timestamp,
                      {message->payload.bytes().begin(), message->payload.bytes().end()}});
  };
  while (!bytes.empty()) {
    const auto room = direct ? reader.direct_room() : std::span<std::byte>();
    if (!room.empty()) {
      const std::size_t size = std::min(room.size(), bytes.size());
      std::copy_n(bytes.begin(), size, room.begin());
      bytes = bytes.subspan(size);
      const auto message = reader.direct_filled(size);
      if (!message) break;
      keep(*message);
      continue;
    }
    const auto step =
        reader.read(direct ? bytes.first(std::min<std::size_t>(20, bytes.size())) : bytes);
    if (!step || (step->consumed == 0 && !step->message)) break;
    bytes = bytes.subspan(step->consumed);
    keep(step->message);
  }
  return seen;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteSpan bytes = as_bytes(data, size);
  if (bytes.empty()) return 0;
  run_session(bytes, 1 + std::to_integer<std::size_t>(bytes.back()) * 16);
  const ByteSpan chunks = bytes.first(std::min<std::size_t>(bytes.size(), 200'000));
  if (read_chunks(chunks, false) != read_chunks(chunks, true)) __builtin_trap();
  constexpr std::size_t kHandshake = 1 + 2 * rtmp::kHandshakeBytes;
  if (bytes.size() > kHandshake &&
      read_chunks(bytes.subspan(kHandshake), false) != read_chunks(bytes.subspan(kHandshake), true))
    __builtin_trap();
  return 0;
}
