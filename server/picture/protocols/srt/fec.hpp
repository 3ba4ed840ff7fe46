// The `fec` packet filter: parity packets over rows and columns of consecutive packets, so that
// single losses are mended without a retransmission [libsrt
// docs/features/packet-filtering-and-fec.md; the wire format is read from srtcore/fec.cpp]. Packet
// n (counted from the first sequence number) lies in row n / cols and column n % cols; `rows` of
// them make a column's group.
//
// Place in the path, as in libsrt [srtcore/core.cpp, packData and processData]: the sender feeds
// every new packet AFTER encryption (payload with the GCM tag, KK and timestamp as sent;
// retransmissions are not fed) and asks for parity before the next new packet; the receiver hands
// in every data packet BEFORE decryption and treats a rebuilt one as if it had arrived. A parity
// packet is a data packet with message number 0, the sequence number of the last one sent, PP = 3,
// and is never encrypted, retransmitted, acknowledged or reported. Parity does not cover the
// message number, which GCM authenticates: libsrt gives a rebuilt packet 1 and then cannot open it;
// in live mode it follows from a neighbour's. Used from one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/bytes.hpp"
#include "server/picture/protocols/srt/sequence.hpp"

namespace kapok::srt {

enum class FecLayout : std::uint8_t { even, staircase };
// When losses are also asked for again: never; on request of the filter, once it cannot mend them;
// always, at once.
enum class FecArq : std::uint8_t { never, onreq, always };

// The bounds that hold whatever a peer configures. A group holds one payload; a parity packet names
// its column in a signed byte.
constexpr std::uint32_t kMaxFecColumns = 127;
constexpr std::uint32_t kMaxFecRows = 127;
constexpr std::uint32_t kMaxFecMatrix = 4096;
constexpr std::size_t kMaxFilterBytes = 64;  // of the configuration as text
constexpr std::size_t kFecOverhead = 4;  // what a parity packet has more than the longest payload

struct FecConfig {
  std::uint32_t columns = 0;
  std::uint32_t rows = 1;  // 1: no column parity
  bool row_parity = true;  // false: columns only (written as negative rows)
  FecLayout layout = FecLayout::staircase;
  FecArq arq = FecArq::onreq;

  bool operator==(const FecConfig&) const = default;
  // Where a column's groups begin: on the stairs each one row below the column before.
  std::uint32_t first_row(std::uint32_t column) const;
};

// "fec,cols:10,rows:5,layout:staircase,arq:onreq", in any order, defaults filled in. Errors:
// malformed, unsupported (another filter), limit.
Result<FecConfig> parse_fec_config(std::string_view text);
std::string to_string(const FecConfig& config);

// What a listener with the filter `ours` ("": any) makes of a caller's: parameters given by both
// must agree, those of one side hold. Errc::conflict names the one that differs (reject `filter`).
Result<FecConfig> negotiate_fec(std::string_view ours, std::string_view theirs);

// One packet as the filter sees it. `key_flags` is KK.
struct FecPacket {
  Sequence sequence;
  std::uint32_t timestamp = 0;
  std::uint8_t key_flags = 0;
  ByteSpan payload;
};

// A packet that the receiver rebuilt; PP, O and R are those of a whole message, not retransmitted.
struct RebuiltPacket {
  Sequence sequence;
  std::uint32_t timestamp = 0;
  std::uint8_t key_flags = 0;
  Bytes payload;
};

// Running XOR over the packets of one row or column.
struct FecClip {
  std::uint16_t length = 0;
  std::uint8_t key_flags = 0;
  std::uint32_t timestamp = 0;
  Bytes payload;  // as long as the longest one so far

  void add(const FecPacket& packet);
  void add_payload(ByteSpan bytes);
  void clear();
};

class FecSender {
 public:
  FecSender(const FecConfig& config, Sequence first);

  // A new packet, in order, without a hole.
  void feed(const FecPacket& packet);

  struct Parity {
    Sequence sequence;
    std::uint32_t timestamp = 0;
    Bytes payload;
  };
  // What is due after the last feed(): none, one or two; then nothing until the next.
  std::optional<Parity> take_parity();

 private:
  struct Column {
    Sequence base;
    std::uint32_t collected = 0;
    FecClip clip;
  };
  Parity pack(std::int8_t index, FecClip& clip) const;

  FecConfig config_;
  Sequence row_base_;
  Sequence last_;
  FecClip row_;
  std::uint32_t row_collected_ = 0;
  std::vector<Column> columns_;
  std::optional<std::uint32_t> full_column_;
};

class FecReceiver {
 public:
  // Payloads longer than max_payload_bytes belong to no group.
  FecReceiver(const FecConfig& config, Sequence first, std::size_t max_payload_bytes);
  ~FecReceiver();
  FecReceiver(FecReceiver&&) noexcept;
  FecReceiver& operator=(FecReceiver&&) noexcept;

  // A data packet, received the first time or again. What it made possible to rebuild is appended.
  void receive(const FecPacket& packet, std::vector<RebuiltPacket>& rebuilt);
  // The same for a parity packet (message number 0).
  void receive_parity(const FecPacket& packet, std::vector<RebuiltPacket>& rebuilt);

  // With arq onreq: packets that no parity can bring back any more, each reported once.
  std::vector<SequenceRange> take_irrecoverable();

  // Of all groups together.
  std::size_t memory_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kapok::srt
