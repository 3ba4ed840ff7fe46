#include "server/picture/containers/flv/demuxer.hpp"

#include <algorithm>
#include <utility>

#include "server/media/describe.hpp"
#include "server/media/opus.hpp"
#include "server/picture/containers/amf/amf.hpp"
#include "server/picture/containers/flv/av1_descriptor.hpp"

namespace kapok::flv {

using media::Codec;
using media::Ticks;

namespace {
// Codecs whose facts stand in every frame and that need no record.
bool describes_itself(Codec codec) {
  return codec == Codec::ac3 || codec == Codec::eac3 || codec == Codec::mp3;
}

constexpr Ticks from_ms(std::int64_t ms, media::Timescale timescale) {
  return media::rescale({ms}, 1000, timescale);
}
// The record as Track::config has it. FFmpeg 8.1 sends FLAC's STREAMINFO bare, without the "fLaC"
// and the block header that [Enhanced RTMP v2, AudioPacketType.SequenceStart] asks for.
Buffer usual_record(Codec codec, const Buffer& sent) {
  constexpr std::size_t kStreamInfoBytes = 34;
  if (codec != Codec::flac || sent.size() != kStreamInfoBytes) return Buffer::copy_of(sent.bytes());
  Bytes whole = to_bytes("fLaC");
  ByteWriter out(whole);
  out.u8(0x80);  // the last block, STREAMINFO
  out.u24(kStreamInfoBytes);
  out.bytes(sent.bytes());
  return Buffer(std::move(whole));
}
}  // namespace

Result<void> FlvDemuxer::video(std::uint32_t timestamp, const Buffer& body, MonoTime arrival,
                               Items& out) {
  parts_.clear();
  auto read = read_video_tag(body.bytes(), parts_);
  if (!read) return std::unexpected(std::move(read).error().within("video tag"));
  for (const TagPart& part : parts_) KAPOK_TRY(video_part(part, {timestamp, body, arrival}, out));
  return {};
}

Result<void> FlvDemuxer::audio(std::uint32_t timestamp, const Buffer& body, MonoTime arrival,
                               Items& out) {
  parts_.clear();
  auto read = read_audio_tag(body.bytes(), parts_);
  if (!read) return std::unexpected(std::move(read).error().within("audio tag"));
  for (const TagPart& part : parts_) KAPOK_TRY(audio_part(part, {timestamp, body, arrival}, out));
  return {};
}

Result<void> FlvDemuxer::video_part(const TagPart& part, const Message& message, Items& out) {
  if (part.type == PartType::sequence_end) return {};
  if (part.type == PartType::metadata)
    return colour(part, message.body.bytes().subspan(part.offset, part.size), out);
  Lane* lane = this->lane(video_, kVideoTracks + part.track);
  if (lane == nullptr) return {};
  if (part.type == PartType::coded_frames) return video_frame(*lane, part, message, out);
  return configure(*lane, part, message.body.slice(part.offset, part.size), out);
}

Result<void> FlvDemuxer::audio_part(const TagPart& part, const Message& message, Items& out) {
  // The channel layout stands in the codecs' own configuration too; ours is read from there.
  if (part.type == PartType::sequence_end || part.type == PartType::multichannel_config) return {};
  Lane* lane = this->lane(audio_, kAudioTracks + part.track);
  if (lane == nullptr) return {};
  if (part.type == PartType::coded_frames) return audio_frame(*lane, part, message, out);
  return configure(*lane, part, message.body.slice(part.offset, part.size), out);
}

Result<void> FlvDemuxer::configure(Lane& lane, const TagPart& part, const Buffer& record,
                                   Items& out) {
  if (part.codec == Codec::unknown) {
    refuse(lane, "codec " + fourcc_name(part.fourcc) + " is not supported");
    return {};
  }
  // Encoders repeat their records, some before every key frame.
  if (lane.codec == part.codec && std::ranges::equal(lane.record, record.bytes()) &&
      (lane.track || lane.refused))
    return {};
  if (record.size() > media::kMaxConfigBytes)
    return fail(Errc::limit, "a configuration of {} bytes", record.size());
  lane.codec = part.codec;
  lane.record.assign(record.bytes().begin(), record.bytes().end());
  lane.refused = false;
  lane.awaiting_sequence_header.reset();
  if (describes_itself(part.codec)) {
    lane.track.reset();  // the next frame tells
    return {};
  }
  if (part.type == PartType::mpeg2ts_sequence_start) {
    lane.track.reset();
    lane.awaiting_sequence_header = lane.record;
    return {};
  }
  return describe(lane, usual_record(part.codec, record), {}, out);
}

Result<void> FlvDemuxer::describe(Lane& lane, Buffer config, ByteSpan first_frame, Items& out) {
  media::TrackDraft draft;
  draft.id = lane.id;
  draft.codec = lane.codec;
  draft.timescale = kVideoTimescale;
  draft.config = std::move(config);
  const auto described = [&] {
    return first_frame.empty() ? media::describe_track(draft)
                               : media::describe_track_from_frame(draft, first_frame);
  };
  auto track = described();
  if (track && (*track)->audio() != nullptr && (*track)->audio()->sample_rate > 0) {
    // Audio is counted in samples: CMAF wants it so, and no frame length is rounded.
    draft.timescale = (*track)->audio()->sample_rate;
    track = described();
  }
  if (!track && track.error().code == Errc::unsupported) {
    refuse(lane, track.error().message);
    return {};
  }
  if (!track)
    return std::unexpected(std::move(track).error().within(fmt::format("track {}", lane.id)));
  lane.samples.forget();
  announce(lane, *std::move(track), out);
  return {};
}

void FlvDemuxer::announce(Lane& lane, std::shared_ptr<const media::Track> track, Items& out) {
  if (lane.colour) track = completed(track, *lane.colour);
  lane.track = std::move(track);
  out.emplace_back(lane.track);
}

std::int64_t FlvDemuxer::when(Lane& lane, const Message& message, Items& out) {
  const std::int64_t ms = lane.unwrapper.unwrap(message.timestamp, reference_ms_);
  reference_ms_ = ms;
  if (lane.jumps.jumped(ms, message.arrival)) {
    // One jump of the source is one Discontinuity: the other tracks start anew silently.
    for (auto* lanes : {&video_, &audio_}) {
      for (const auto& other : *lanes) {
        other->samples.forget();
        if (other.get() != &lane) other->jumps.forget();
      }
    }
    out.emplace_back(media::Discontinuity{});
  }
  return ms;
}

Result<void> FlvDemuxer::video_frame(Lane& lane, const TagPart& part, const Message& message,
                                     Items& out) {
  if (part.codec == Codec::unknown && !lane.refused)
    refuse(lane, part.fourcc == 0 ? "an old FLV video codec: send H.264, HEVC or AV1"
                                  : "codec " + fourcc_name(part.fourcc) + " is not supported");
  if (part.size == 0) return {};
  Buffer payload = message.body.slice(part.offset, part.size);
  if (part.codec == Codec::av1) {
    const std::size_t kept = without_temporal_delimiter(payload.bytes()).size();
    payload = payload.slice(payload.size() - kept);
    if (lane.awaiting_sequence_header) {
      if (auto record = av1_record(*lane.awaiting_sequence_header, payload.bytes())) {
        lane.awaiting_sequence_header.reset();
        KAPOK_TRY(describe(lane, Buffer(*std::move(record)), {}, out));
      }
    }
  }
  if (!lane.track || lane.codec != part.codec || payload.empty()) {
    ++frames_skipped_;
    return {};
  }
  const bool sync = media::is_sync(*lane.track, payload.bytes());
  if (sync) {
    auto track = media::enriched(lane.track, payload.bytes());
    if (track != lane.track) announce(lane, std::move(track), out);
  }
  const std::int64_t ms = when(lane, message, out);
  media::Packet packet;
  packet.track = lane.id;
  packet.dts = from_ms(ms, kVideoTimescale) +
               media::from_nanoseconds(nanoseconds(part.nanoseconds), kVideoTimescale);
  packet.pts = packet.dts + from_ms(part.composition_ms, kVideoTimescale);
  packet.sync = sync;
  packet.payload = std::move(payload);
  packet.arrival = message.arrival;
  out.emplace_back(std::make_shared<const media::Packet>(std::move(packet)));
  return {};
}

Result<void> FlvDemuxer::audio_frame(Lane& lane, const TagPart& part, const Message& message,
                                     Items& out) {
  if (part.codec == Codec::unknown && !lane.refused)
    refuse(lane, part.fourcc == 0 ? "an old FLV audio codec: send AAC, Opus, AC-3 or FLAC"
                                  : "codec " + fourcc_name(part.fourcc) + " is not supported");
  if (part.size == 0) return {};
  Buffer payload = message.body.slice(part.offset, part.size);
  if (describes_itself(part.codec) && !lane.refused && (!lane.track || lane.codec != part.codec)) {
    lane.codec = part.codec;
    lane.record.clear();
    KAPOK_TRY(describe(lane, {}, payload.bytes(), out));
  }
  if (!lane.track || lane.codec != part.codec) {
    ++frames_skipped_;
    return {};
  }
  const std::int64_t ms = when(lane, message, out);
  const media::Timescale rate = lane.track->timescale;
  const media::AudioFacts* facts = lane.track->audio();
  Ticks duration{facts != nullptr ? facts->samples_per_frame : 0};
  if (part.codec == Codec::opus) duration = {media::opus::samples_of(payload.bytes())};
  const Ticks sent =
      from_ms(ms, rate) + media::from_nanoseconds(nanoseconds(part.nanoseconds), rate);
  media::Packet packet;
  packet.track = lane.id;
  packet.dts = lane.samples.place(
      sent, duration, rate,
      part.nanoseconds > 0 ? SampleClock::Precision::exact : SampleClock::Precision::milliseconds);
  packet.pts = packet.dts;
  packet.duration = duration;
  packet.sync = true;
  packet.payload = std::move(payload);
  packet.arrival = message.arrival;
  out.emplace_back(std::make_shared<const media::Packet>(std::move(packet)));
  return {};
}

Result<void> FlvDemuxer::colour(const TagPart& part, ByteSpan metadata, Items& out) {
  auto info = read_colour_info(metadata);
  if (!info) return std::unexpected(std::move(info).error().within("video metadata"));
  Lane* lane = *info ? lane_for_colour(part) : nullptr;
  if (lane == nullptr) return {};
  lane->colour = **info;
  if (!lane->track) return {};
  auto track = completed(lane->track, *lane->colour);
  if (track != lane->track) announce(*lane, std::move(track), out);
  return {};
}

FlvDemuxer::Lane* FlvDemuxer::lane_for_colour(const TagPart& part) {
  if (part.wrapping == Wrapping::multitrack) return lane(video_, kVideoTracks + part.track);
  // FFmpeg 8.1 sends the colorInfo of its second track without the multitrack wrapper: it belongs
  // to the first track of that codec that has none yet.
  Lane* same_codec = nullptr;
  for (const auto& known : video_) {
    if (known->codec != part.codec) continue;
    if (!known->colour) return known.get();
    if (same_codec == nullptr) same_codec = known.get();
  }
  if (same_codec != nullptr) return same_codec;
  return video_.empty() ? lane(video_, kVideoTracks) : nullptr;
}

FlvDemuxer::Lane* FlvDemuxer::lane(std::vector<std::unique_ptr<Lane>>& lanes, media::TrackId id) {
  for (const auto& known : lanes)
    if (known->id == id) return known.get();
  if (lanes.size() >= kMaxTracks) {
    ++frames_skipped_;
    note(fmt::format("over {} tracks of one kind: the others are left out", kMaxTracks));
    return nullptr;
  }
  lanes.push_back(std::make_unique<Lane>());
  lanes.back()->id = id;
  return lanes.back().get();
}

void FlvDemuxer::refuse(Lane& lane, std::string why) {
  lane.refused = true;
  lane.track.reset();
  note(fmt::format("track {}: {}", lane.id, why));
}

void FlvDemuxer::note(std::string what) {
  if (noted_.size() >= kMaxNotices || std::ranges::find(noted_, what) != noted_.end()) return;
  noted_.push_back(what);
  notices_.push_back(std::move(what));
}

std::vector<std::string> FlvDemuxer::take_notices() {
  return std::exchange(notices_, {});
}

Result<void> FlvDemuxer::script(const Buffer& body) {
  auto values = amf::read_amf0(body.bytes());
  if (!values) return std::unexpected(std::move(values).error().within("script tag"));
  std::size_t at = 0;
  if (!values->empty() && (*values)[0].text() == "@setDataFrame") at = 1;
  if (values->size() < at + 2 || (*values)[at].text() != "onMetaData") return {};
  const amf::Value& told = (*values)[at + 1];
  constexpr std::size_t kMaxShownBytes = 200;
  hints_.encoder = told["encoder"].text().substr(0, kMaxShownBytes);
  hints_.frames_per_second = told["framerate"].number_or(0);
  hints_.video_kbit = told["videodatarate"].number_or(0);
  hints_.audio_kbit = told["audiodatarate"].number_or(0);
  return {};
}

}  // namespace kapok::flv
