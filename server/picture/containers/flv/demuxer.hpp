// FLV tag bodies to feed items: one object per published feed, fed with the messages of an RTMP
// stream in order. It describes tracks, unwraps times, marks jumps, reads sync from the bitstream,
// and shares payloads without copying. What we cannot carry (VP9, VVC, a broken record) is left out
// and noted once; bytes that break their format are an error, and the feed must be closed.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/base/buffer.hpp"
#include "server/base/clock.hpp"
#include "server/base/result.hpp"
#include "server/media/feed.hpp"
#include "server/media/track.hpp"
#include "server/picture/containers/flv/colour_info.hpp"
#include "server/picture/containers/flv/tag.hpp"
#include "server/picture/containers/flv/timestamps.hpp"

namespace kapok::flv {

constexpr std::size_t kMaxTracks = 16;  // of each kind: a venue's cameras or a film's languages
constexpr std::size_t kMaxNotices = 32;

// Track ids within the feed: these plus the multitrack id, 0..255.
constexpr media::TrackId kVideoTracks = 0x100;
constexpr media::TrackId kAudioTracks = 0x200;

// What onMetaData claims; shown to people, never believed.
struct StreamHints {
  std::string encoder;
  double frames_per_second = 0;
  double video_kbit = 0;
  double audio_kbit = 0;
};

class FlvDemuxer {
 public:
  using Items = std::vector<media::FeedItem>;

  // Append to `out`. `timestamp` as in the message; `arrival`: when its last byte was read.
  Result<void> video(std::uint32_t timestamp, const Buffer& body, MonoTime arrival, Items& out);
  Result<void> audio(std::uint32_t timestamp, const Buffer& body, MonoTime arrival, Items& out);
  // A script tag; only onMetaData is of interest.
  Result<void> script(const Buffer& body);

  const StreamHints& hints() const { return hints_; }
  // What was left out and why, each once, for the log.
  std::vector<std::string> take_notices();
  // Frames that came before their track was known, or belong to none that we carry.
  std::uint64_t frames_skipped() const { return frames_skipped_; }

 private:
  struct Lane {
    media::TrackId id = 0;
    media::Codec codec = media::Codec::unknown;
    Bytes record;  // the configuration as sent, to know a repetition
    bool refused = false;
    std::optional<Bytes> awaiting_sequence_header;  // AV1 without one in its record
    std::shared_ptr<const media::Track> track;
    std::optional<ColourInfo> colour;
    Unwrapper unwrapper;
    JumpDetector jumps;
    SampleClock samples;
  };
  struct Message {
    std::uint32_t timestamp;
    const Buffer& body;
    MonoTime arrival;
  };

  Result<void> video_part(const TagPart& part, const Message& message, Items& out);
  Result<void> audio_part(const TagPart& part, const Message& message, Items& out);
  Result<void> configure(Lane& lane, const TagPart& part, const Buffer& record, Items& out);
  Result<void> video_frame(Lane& lane, const TagPart& part, const Message& message, Items& out);
  Result<void> audio_frame(Lane& lane, const TagPart& part, const Message& message, Items& out);
  Result<void> colour(const TagPart& part, ByteSpan metadata, Items& out);
  Result<void> describe(Lane& lane, Buffer config, ByteSpan first_frame, Items& out);
  void announce(Lane& lane, std::shared_ptr<const media::Track> track, Items& out);
  std::int64_t when(Lane& lane, const Message& message, Items& out);

  Lane* lane(std::vector<std::unique_ptr<Lane>>& lanes, media::TrackId id);
  Lane* lane_for_colour(const TagPart& part);
  void refuse(Lane& lane, std::string why);
  void note(std::string what);

  std::vector<std::unique_ptr<Lane>> video_;
  std::vector<std::unique_ptr<Lane>> audio_;
  std::vector<TagPart> parts_;  // kept for its memory
  std::optional<std::int64_t> reference_ms_;
  std::vector<std::string> notices_;
  std::vector<std::string> noted_;
  std::uint64_t frames_skipped_ = 0;
  StreamHints hints_;
};

}  // namespace kapok::flv
