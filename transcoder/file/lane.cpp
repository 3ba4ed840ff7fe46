#include "transcoder/file/lane.hpp"

extern "C" {
#include <libavutil/pixdesc.h>
}

#include <algorithm>
#include <utility>

#include "server/media/av1.hpp"
#include "server/media/describe.hpp"
#include "server/media/language.hpp"
#include "server/media/opus.hpp"
#include "transcoder/file/adts.hpp"
#include "transcoder/file/annexb.hpp"

namespace kapok::file {

namespace {

using media::Codec;
using media::Ticks;

// A longer step is a cut of the clock, as recordings joined in one file have it.
constexpr seconds kJump{10};
// Containers round: Matroska to a millisecond.
constexpr milliseconds kRounding{2};
constexpr media::Timescale kFineTimescale = 90'000;

Codec codec_of(AVCodecID id) {
  switch (id) {
    case AV_CODEC_ID_H264:
      return Codec::avc;
    case AV_CODEC_ID_HEVC:
      return Codec::hevc;
    case AV_CODEC_ID_AV1:
      return Codec::av1;
    case AV_CODEC_ID_AAC:
      return Codec::aac;
    case AV_CODEC_ID_OPUS:
      return Codec::opus;
    case AV_CODEC_ID_AC3:
      return Codec::ac3;
    case AV_CODEC_ID_EAC3:
      return Codec::eac3;
    case AV_CODEC_ID_FLAC:
      return Codec::flac;
    case AV_CODEC_ID_MP2:
      return Codec::mp2;
    case AV_CODEC_ID_MP3:
      return Codec::mp3;
    default:
      return Codec::unknown;
  }
}

ByteSpan bytes_of(const AVPacket& packet) {
  return as_bytes(packet.data, static_cast<std::size_t>(packet.size));
}

media::Rational rational_of(AVRational value) {
  constexpr double kMost = 1000;
  if (value.num <= 0 || value.den <= 0 || av_q2d(value) > kMost) return {};
  return {static_cast<std::uint32_t>(value.num), static_cast<std::uint32_t>(value.den)};
}

}  // namespace

Lane::Lane(const AVStream& stream, media::TrackId id)
    : stream_(stream), id_(id), codec_(codec_of(stream.codecpar->codec_id)) {}

media::TrackDraft Lane::draft(Buffer config) const {
  media::TrackDraft draft;
  draft.id = id_;
  draft.codec = codec_;
  draft.config = std::move(config);
  const AVDictionaryEntry* language = av_dict_get(stream_.metadata, "language", nullptr, 0);
  if (language != nullptr) draft.language = media::bcp47_of(language->value);
  draft.timescale = stream_.codecpar->codec_type == AVMEDIA_TYPE_VIDEO
                        ? video_timescale()
                        : static_cast<media::Timescale>(std::max(1, stream_.codecpar->sample_rate));
  return draft;
}

// The container's own where it is fine enough, so that times stay exact.
media::Timescale Lane::video_timescale() const {
  constexpr int kCoarse = 1000;
  constexpr int kFinest = 10'000'000;
  const AVRational base = stream_.time_base;
  if (base.den > kFinest || base.den <= 0 || base.num <= 0) return kFineTimescale;
  int den = base.den;
  while (den < kCoarse) den *= 10;
  return static_cast<media::Timescale>(den);
}

void Lane::describe_by_header() {
  const AVCodecParameters& known = *stream_.codecpar;
  const ByteSpan header = as_bytes(known.extradata, static_cast<std::size_t>(known.extradata_size));
  if (codec_ == Codec::unknown) return describe_foreign();
  describe_known(codec_, header);
}

void Lane::describe_known(Codec codec, ByteSpan header) {
  constexpr std::byte kVersion{1};
  switch (codec) {
    case Codec::avc:
    case Codec::hevc:
      needs_first_unit_ = true;
      if (!header.empty() && header.front() == kVersion)
        return adopt(media::describe_track(draft(Buffer::copy_of(header))));
      form_ = Form::annexb;
      sets_.emplace(codec);
      length_prefixed(codec, header, *sets_);
      take_new_sets();
      return;
    case Codec::av1:
      needs_first_unit_ = true;
      form_ = Form::av1;
      if (!header.empty()) adopt(media::describe_track(draft(Buffer::copy_of(header))));
      return;
    case Codec::aac:
      if (header.empty())
        form_ = Form::adts;
      else
        adopt(media::describe_track(draft(Buffer::copy_of(header))));
      return;
    case Codec::flac: {
      // libavformat holds STREAMINFO alone; a configuration is a stream's beginning.
      constexpr std::size_t kStreamInfoBytes = 34;
      Bytes config;
      ByteWriter out(config);
      if (header.size() == kStreamInfoBytes) {
        out.text("fLaC");
        out.u8(0x80);
        out.u24(kStreamInfoBytes);
      }
      out.bytes(header);
      return adopt(media::describe_track(draft(Buffer(std::move(config)))));
    }
    case Codec::opus:
      return adopt(media::describe_track(draft(Buffer::copy_of(header))));
    default:
      return;  // by its first frame
  }
}

void Lane::describe_foreign() {
  const AVCodecParameters& known = *stream_.codecpar;
  media::Track track;
  track.id = id_;
  track.kind =
      known.codec_type == AVMEDIA_TYPE_VIDEO ? media::TrackKind::video : media::TrackKind::audio;
  track.timescale = draft({}).timescale;
  track.language = draft({}).language;
  const AVCodec* decoder = avcodec_find_decoder(known.codec_id);
  track.codec_string = decoder == nullptr ? "" : decoder->name;
  if (ffmpeg::decoder_of(track) == nullptr) {
    error_ = fmt::format("{} is not decoded here", avcodec_get_name(known.codec_id));
    return;
  }
  if (static_cast<std::size_t>(known.extradata_size) > media::kMaxConfigBytes) {
    error_ = fmt::format("{}: a header of {} bytes", track.codec_string, known.extradata_size);
    return;
  }
  track.config =
      Buffer::copy_of(as_bytes(known.extradata, static_cast<std::size_t>(known.extradata_size)));
  if (track.kind == media::TrackKind::audio) {
    const int channels = known.ch_layout.nb_channels;
    constexpr int kMaxChannels = 24;
    if (known.sample_rate <= 0 || channels <= 0 || channels > kMaxChannels) {
      error_ = fmt::format("{} of {} channels at {} Hz", track.codec_string, channels,
                           known.sample_rate);
      return;
    }
    track.facts = media::AudioFacts{static_cast<std::uint32_t>(known.sample_rate),
                                    static_cast<std::uint8_t>(channels), 0};
  } else {
    if (known.width <= 0 || known.height <= 0) {
      error_ = fmt::format("{} without a size", track.codec_string);
      return;
    }
    media::VideoFacts facts;
    facts.width = static_cast<std::uint32_t>(known.width);
    facts.height = static_cast<std::uint32_t>(known.height);
    if (const auto* format = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(known.format))) {
      facts.bit_depth = static_cast<std::uint8_t>(format->comp[0].depth);
      facts.chroma_format = format->nb_components < 3   ? 0
                            : format->log2_chroma_h > 0 ? 1
                            : format->log2_chroma_w > 0 ? 2
                                                        : 3;
    }
    if (known.sample_aspect_ratio.num > 0 && known.sample_aspect_ratio.den > 0)
      facts.sample_aspect = {static_cast<std::uint32_t>(known.sample_aspect_ratio.num),
                             static_cast<std::uint32_t>(known.sample_aspect_ratio.den)};
    facts.colour = {static_cast<std::uint8_t>(known.color_primaries),
                    static_cast<std::uint8_t>(known.color_trc),
                    static_cast<std::uint8_t>(known.color_space),
                    known.color_range == AVCOL_RANGE_JPEG};
    facts.interlaced =
        known.field_order != AV_FIELD_UNKNOWN && known.field_order != AV_FIELD_PROGRESSIVE;
    track.facts = facts;
  }
  adopt(std::make_shared<const media::Track>(std::move(track)));
}

void Lane::complete_facts(media::Track& track) const {
  auto* video = std::get_if<media::VideoFacts>(&track.facts);
  if (video == nullptr || video->frame_rate.numerator != 0) return;
  video->frame_rate = rational_of(stream_.avg_frame_rate);
  if (video->frame_rate.numerator == 0) video->frame_rate = rational_of(stream_.r_frame_rate);
}

void Lane::adopt(Result<std::shared_ptr<const media::Track>> track) {
  if (!track) {
    error_ = track.error().message;
    return;
  }
  media::Track completed = **track;
  complete_facts(completed);
  // Sound is timed by its own samples, whatever the container rounds to.
  if (const media::AudioFacts* audio = completed.audio();
      audio != nullptr && audio->sample_rate > 0)
    completed.timescale = audio->sample_rate;
  track_ = std::make_shared<const media::Track>(std::move(completed));
}

// Whether they make another record than the one in force.
bool Lane::take_new_sets() {
  if (!sets_ || !sets_->complete() || sets_->version() == sets_version_) return false;
  sets_version_ = sets_->version();
  auto record = sets_->record();
  if (!record) return false;
  if (track_ && std::ranges::equal(track_->config.bytes(), *record)) return false;
  const bool changed = track_ != nullptr;
  adopt(media::describe_track(draft(Buffer(std::move(*record)))));
  return changed;
}

void Lane::describe_by_packet(const AVPacket& packet) {
  if (described()) return;
  const bool first_unit = (packet.flags & AV_PKT_FLAG_KEY) != 0;
  const ByteSpan bytes = bytes_of(packet);
  if (codec_ == Codec::unknown) return;
  Bytes unit;
  ByteSpan view = bytes;
  if (form_ == Form::annexb) {
    unit = length_prefixed(codec_, bytes, *sets_);
    take_new_sets();
    view = unit;
  } else if (form_ == Form::adts) {
    if (auto config = adts_config(bytes))
      adopt(media::describe_track(draft(Buffer(std::move(*config)))));
    else
      error_ = config.error().message;
  } else if (!track_) {
    adopt(media::describe_track_from_frame(draft({}), bytes));
  }
  if (!track_ || !first_unit) return;
  seen_first_unit_ = true;
  track_ = media::enriched(track_, view);
}

void Lane::set_id(media::TrackId id) {
  id_ = id;
  media::Track renamed = *track_;
  renamed.id = id;
  track_ = std::make_shared<const media::Track>(std::move(renamed));
}

std::string Lane::why_not() const {
  return fmt::format("stream {} ({}): {}", stream_.index,
                     avcodec_get_name(stream_.codecpar->codec_id),
                     error_.empty() ? "its packets never say what they are" : error_);
}

std::string Lane::unfit() const {
  if (track_->codec == Codec::unknown)
    return fmt::format("{} is decoded but not carried", track_->codec_string);
  if (!media::is_packaged(track_->codec))
    return fmt::format("no browser plays {} reliably", name_of(track_->codec));
  const media::VideoFacts* video = track_->video();
  if (video != nullptr && video->chroma_format > 1) return "households' devices play 4:2:0 alone";
  if (video != nullptr && track_->codec == Codec::avc && video->bit_depth > 8)
    return "avc of more than 8 bits plays nowhere";
  return {};
}

Buffer Lane::payload_of(ffmpeg::PacketPtr packet, bool& changed) {
  switch (form_) {
    case Form::annexb: {
      Bytes unit = length_prefixed(codec_, bytes_of(*packet), *sets_);
      changed = take_new_sets();
      return Buffer(std::move(unit));
    }
    case Form::adts: {
      // One without a header is as good as it will get.
      const auto raw = without_adts(bytes_of(*packet));
      if (!raw) return {};
      return Buffer(*raw, std::shared_ptr<AVPacket>(std::move(packet)));
    }
    case Form::av1:
    case Form::as_is:
      break;
  }
  const ByteSpan bytes = bytes_of(*packet);
  Buffer payload(bytes, std::shared_ptr<AVPacket>(std::move(packet)));
  return form_ == Form::av1 ? media::av1::without_delimiters(payload) : payload;
}

Ticks Lane::ticks(std::int64_t time) const {
  return {av_rescale_q(time, stream_.time_base, {1, static_cast<int>(track_->timescale)})};
}

void Lane::set_times(const AVPacket& packet, media::Packet& out) {
  const media::Timescale timescale = track_->timescale;
  const auto within = [&](Ticks a, Ticks b, nanoseconds most) {
    return std::abs((a - b).count) <= media::from_nanoseconds(most, timescale).count;
  };
  const Ticks expected = last_raw_ ? *last_raw_ + last_duration_ : Ticks{};
  Ticks dts = expected;
  if (packet.dts != AV_NOPTS_VALUE)
    dts = ticks(packet.dts);
  else if (packet.pts != AV_NOPTS_VALUE && (!last_raw_ || track_->audio() != nullptr))
    dts = ticks(packet.pts);
  const Ticks pts = packet.pts != AV_NOPTS_VALUE ? ticks(packet.pts) : dts;
  out.duration = packet.duration > 0 ? ticks(packet.duration) : Ticks{};
  if (const media::AudioFacts* audio = track_->audio()) {
    if (audio->samples_per_frame > 0) out.duration = {audio->samples_per_frame};
    if (track_->codec == Codec::opus) out.duration = {media::opus::samples_of(out.payload.bytes())};
  }
  if (last_raw_ && !within(dts, expected, kJump)) offset_ += expected - dts;
  last_raw_ = dts;
  last_duration_ = out.duration;
  out.dts = dts + offset_;
  out.pts = pts + offset_;
  if (track_->audio() == nullptr) return;
  if (next_sound_ && within(out.pts, *next_sound_, kRounding)) out.pts = *next_sound_;
  out.dts = out.pts;
  next_sound_ = out.pts + out.duration;
}

std::optional<Input::Item> Lane::convert(ffmpeg::PacketPtr packet) {
  // Outside of an edit list: decoded perhaps, never shown.
  if ((packet->flags & AV_PKT_FLAG_DISCARD) != 0) return std::nullopt;
  Input::Item item;
  const bool key = (packet->flags & AV_PKT_FLAG_KEY) != 0;
  const ffmpeg::PacketPtr times = ffmpeg::make_packet();
  av_packet_copy_props(times.get(), packet.get());
  if (av_packet_make_refcounted(packet.get()) < 0) return std::nullopt;
  media::Packet& out = item.packet;
  out.track = id_;
  out.payload = payload_of(std::move(packet), item.changed);
  if (out.payload.empty()) return std::nullopt;
  set_times(*times, out);
  item.decodable = key;
  out.sync = key;
  if (track_->kind == media::TrackKind::audio)
    item.decodable = out.sync = true;
  else if (track_->codec != Codec::unknown)
    out.sync = media::is_sync(*track_, out.payload.bytes());
  return item;
}

void Lane::make_rising(media::Packet& packet) {
  if (last_dts_ && packet.dts <= *last_dts_) packet.dts = *last_dts_ + Ticks{1};
  last_dts_ = packet.dts;
}

}  // namespace kapok::file
