// The one door between the picture wing and the hours wing: three plain facts. The picture wing
// reports them and knows nothing of hours; the hours wing joins them to programmes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "server/base/clock.hpp"
#include "server/base/crypto.hpp"
#include "server/media/track.hpp"

namespace kapok::evidence {

// Half-open, in channel time: the channel's one monotonic timeline, mapped to UTC.
struct Interval {
  UtcTime from;
  UtcTime to;
  microseconds length() const { return to - from; }
  bool operator==(const Interval&) const = default;
};

using SessionId = std::array<std::byte, 16>;

// What the pictures of a segment are, read from the bitstream, never from metadata.
struct PictureFacts {
  media::Codec codec = media::Codec::unknown;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint8_t bit_depth = 8;
  media::Rational frame_rate;
  media::Colour colour;
};

// A segment can be fetched, and these were its bytes.
struct Published {
  std::string channel;
  std::string rendition;
  std::uint64_t number = 0;
  Interval interval;
  PictureFacts picture;  // audio renditions: codec only
  Digest256 sha256{};
};

enum class PictureEventKind : std::uint8_t { slate, black, frozen, bars, silence };
struct PictureEvent {
  std::string channel;
  Interval interval;
  PictureEventKind kind = PictureEventKind::slate;
};

// A complete part or segment was handed to the network for a session.
struct Delivered {
  SessionId session{};
  std::string channel;
  std::string rendition;
  bool video = false;  // whether it was a video rendition
  Interval interval;
  std::uint64_t bytes = 0;
  UtcTime at;
};

using Fact = std::variant<Published, PictureEvent, Delivered>;

// Called from any shard; must not block.
class EvidenceSink {
 public:
  virtual ~EvidenceSink() = default;
  virtual void report(Fact fact) = 0;
};

}  // namespace kapok::evidence
