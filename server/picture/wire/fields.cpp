#include "server/picture/wire/fields.hpp"

#include <algorithm>

#include "server/base/ids.hpp"
#include "server/picture/wire/layout.hpp"

namespace kapok::wire {

namespace {

constexpr std::uint8_t kSync = 1;
constexpr std::uint8_t kSegmentStart = 2;

Result<media::Codec> read_codec(ByteReader& in) {
  const std::uint8_t codec = KAPOK_TRY(in.u8());
  if (codec > static_cast<std::uint8_t>(media::Codec::unknown))
    return fail(Errc::malformed, "codec {} does not exist", codec);
  return static_cast<media::Codec>(codec);
}

Result<std::int64_t> read_ticks(ByteReader& in) {
  const auto ticks = static_cast<std::int64_t>(KAPOK_TRY(in.u64()));
  if (ticks > kMaxTicks || ticks < -kMaxTicks)
    return fail(Errc::malformed, "a time of {} ticks", ticks);
  return ticks;
}

Result<void> write_rung(ByteWriter& out, const media::VideoRung& rung) {
  KAPOK_TRY(write_name(out, rung.name));
  out.u8(static_cast<std::uint8_t>(rung.codec));
  out.u32(rung.height);
  out.u8(static_cast<std::uint8_t>(rung.rate));
  out.u32(rung.bit_rate);
  out.u32(rung.vbv_ms);
  out.u8(rung.bit_depth);
  out.u8(static_cast<std::uint8_t>(rung.range));
  out.u8(rung.b_frames);
  KAPOK_TRY(write_name(out, rung.preset));
  KAPOK_TRY(write_name(out, rung.tune));
  if (rung.bin.size() > kMaxProseBytes)
    return fail(Errc::limit, "a bin of {} bytes", rung.bin.size());
  write_prose(out, rung.bin);
  return {};
}

Result<media::VideoRung> read_video_rung(ByteReader& in) {
  media::VideoRung rung;
  rung.name = KAPOK_TRY(read_rung_name(in));
  rung.codec = KAPOK_TRY(read_codec(in));
  rung.height = KAPOK_TRY(in.u32());
  const std::uint8_t rate = KAPOK_TRY(in.u8());
  rung.bit_rate = KAPOK_TRY(in.u32());
  rung.vbv_ms = KAPOK_TRY(in.u32());
  rung.bit_depth = KAPOK_TRY(in.u8());
  const std::uint8_t range = KAPOK_TRY(in.u8());
  rung.b_frames = KAPOK_TRY(in.u8());
  rung.preset = KAPOK_TRY(read_name(in));
  rung.tune = KAPOK_TRY(read_name(in));
  rung.bin = KAPOK_TRY(read_prose(in));
  if (rate > static_cast<std::uint8_t>(media::RungRate::half) ||
      range > static_cast<std::uint8_t>(media::RungRange::sdr))
    return fail(Errc::malformed, "rung {}: rate {}, range {}", rung.name, rate, range);
  rung.rate = static_cast<media::RungRate>(rate);
  rung.range = static_cast<media::RungRange>(range);
  return rung;
}

Result<media::AudioRung> read_audio_rung(ByteReader& in) {
  media::AudioRung rung;
  rung.name = KAPOK_TRY(read_rung_name(in));
  rung.codec = KAPOK_TRY(read_codec(in));
  rung.channels = KAPOK_TRY(in.u8());
  rung.bit_rate = KAPOK_TRY(in.u32());
  rung.loudness = static_cast<std::int8_t>(KAPOK_TRY(in.u8()));
  rung.source = KAPOK_TRY(in.u8());
  return rung;
}

Result<void> write_detection(ByteWriter& out, const media::Detection& detect) {
  for (const microseconds time : {detect.black, detect.frozen, detect.bars, detect.silence}) {
    if (time < microseconds::zero() || time > media::kLongestDetection)
      return fail(Errc::limit, "a detection of {} us", time.count());
    out.u32(static_cast<std::uint32_t>(time.count()));
  }
  out.u32(detect.frozen_noise);
  return {};
}

// Its owner validates it.
Result<media::Detection> read_detection(ByteReader& in) {
  media::Detection detect;
  for (microseconds* time : {&detect.black, &detect.frozen, &detect.bars, &detect.silence})
    *time = microseconds(KAPOK_TRY(in.u32()));
  detect.frozen_noise = KAPOK_TRY(in.u32());
  return detect;
}

constexpr std::uint8_t kPoster = 1;
constexpr std::uint8_t kThumbnails = 2;

void write_stills(ByteWriter& out, const media::Ladder& ladder) {
  out.u8(static_cast<std::uint8_t>((ladder.poster.enabled ? kPoster : 0) |
                                   (ladder.thumbnails.enabled ? kThumbnails : 0)));
  out.u64(static_cast<std::uint64_t>(ladder.poster.interval.count()));
  out.u32(ladder.poster.side);
  out.u32(ladder.thumbnails.side);
}

Result<void> read_stills(ByteReader& in, media::Ladder& ladder) {
  const std::uint8_t bits = KAPOK_TRY(in.u8());
  if (bits > (kPoster | kThumbnails)) return fail(Errc::malformed, "still bits {}", bits);
  ladder.poster.enabled = (bits & kPoster) != 0;
  ladder.thumbnails.enabled = (bits & kThumbnails) != 0;
  ladder.poster.interval = microseconds(static_cast<std::int64_t>(KAPOK_TRY(in.u64())));
  ladder.poster.side = KAPOK_TRY(in.u32());
  ladder.thumbnails.side = KAPOK_TRY(in.u32());
  return {};
}

Result<void> write_drawing(ByteWriter& out, const media::Ladder& ladder) {
  const media::OverlayWish& logo = ladder.overlay;
  if (logo.png.size() > media::kMaxLogoBytes)
    return fail(Errc::limit, "a logo of {} bytes", logo.png.size());
  out.u8(static_cast<std::uint8_t>(logo.corner));
  for (const std::uint32_t percent :
       {logo.height_percent, logo.margin_percent, logo.opacity_percent})
    out.u8(static_cast<std::uint8_t>(percent));
  out.u8(ladder.clock ? 1 : 0);
  out.u32(static_cast<std::uint32_t>(logo.png.size()));
  out.bytes(logo.png.bytes());
  return {};
}

Result<void> read_drawing(ByteReader& in, media::Ladder& ladder) {
  media::OverlayWish& logo = ladder.overlay;
  const std::uint8_t corner = KAPOK_TRY(in.u8());
  if (corner > static_cast<std::uint8_t>(media::Corner::bottom_right))
    return fail(Errc::malformed, "corner {} does not exist", corner);
  logo.corner = static_cast<media::Corner>(corner);
  for (std::uint32_t* percent : {&logo.height_percent, &logo.margin_percent, &logo.opacity_percent})
    *percent = KAPOK_TRY(in.u8());
  const std::uint8_t clock = KAPOK_TRY(in.u8());
  if (clock > 1) return fail(Errc::malformed, "clock {}", clock);
  ladder.clock = clock != 0;
  const std::uint32_t size = KAPOK_TRY(in.u32());
  if (size > media::kMaxLogoBytes) return fail(Errc::limit, "a logo of {} bytes", size);
  logo.png = Buffer::copy_of(KAPOK_TRY(in.take(size)));
  return {};
}

}  // namespace

Result<void> write_name(ByteWriter& out, std::string_view name) {
  if (name.size() > kMaxNameBytes) return fail(Errc::limit, "a name of {} bytes", name.size());
  out.u8(static_cast<std::uint8_t>(name.size()));
  out.text(name);
  return {};
}

Result<std::string> read_name(ByteReader& in) {
  const std::uint8_t size = KAPOK_TRY(in.u8());
  const std::string_view name = as_text(KAPOK_TRY(in.take(size)));
  // Logs, labels and the API show it.
  if (!std::ranges::all_of(name, [](char c) { return c >= 0x20 && c < 0x7f; }))
    return fail(Errc::malformed, "a name with unprintable characters");
  return std::string(name);
}

Result<std::string> read_rung_name(ByteReader& in) {
  std::string name = KAPOK_TRY(read_name(in));
  // It becomes a folder, a URL and a label.
  if (!is_valid_id(name)) return fail(Errc::malformed, "a rung whose name is no id");
  return name;
}

void write_prose(ByteWriter& out, std::string_view text) {
  text = text.substr(0, kMaxProseBytes);
  out.u16(static_cast<std::uint16_t>(text.size()));
  out.text(text);
}

Result<std::string> read_prose(ByteReader& in) {
  const std::uint16_t size = KAPOK_TRY(in.u16());
  if (size > kMaxProseBytes) return fail(Errc::limit, "a text of {} bytes", size);
  return std::string(as_text(KAPOK_TRY(in.take(size))));
}

Result<void> write_ladder(ByteWriter& out, const media::Ladder& ladder) {
  if (ladder.video.size() > media::kMaxVideoRungs || ladder.audio.size() > media::kMaxAudioRungs)
    return fail(Errc::limit, "a ladder of {} and {} rungs", ladder.video.size(),
                ladder.audio.size());
  for (const std::string* name : {&ladder.name, &ladder.engine, &ladder.device})
    KAPOK_TRY(write_name(out, *name));
  out.u8(static_cast<std::uint8_t>(ladder.video.size()));
  out.u8(static_cast<std::uint8_t>(ladder.audio.size()));
  for (const media::VideoRung& rung : ladder.video) KAPOK_TRY(write_rung(out, rung));
  for (const media::AudioRung& rung : ladder.audio) {
    KAPOK_TRY(write_name(out, rung.name));
    out.u8(static_cast<std::uint8_t>(rung.codec));
    out.u8(rung.channels);
    out.u32(rung.bit_rate);
    out.u8(static_cast<std::uint8_t>(rung.loudness));
    out.u8(rung.source);
  }
  KAPOK_TRY(write_detection(out, ladder.detect));
  write_stills(out, ladder);
  return write_drawing(out, ladder);
}

Result<media::Ladder> read_ladder(ByteReader& in) {
  media::Ladder ladder;
  for (std::string* name : {&ladder.name, &ladder.engine, &ladder.device})
    *name = KAPOK_TRY(read_name(in));
  const std::uint8_t video = KAPOK_TRY(in.u8());
  const std::uint8_t audio = KAPOK_TRY(in.u8());
  if (video > media::kMaxVideoRungs || audio > media::kMaxAudioRungs)
    return fail(Errc::limit, "a ladder of {} and {} rungs", video, audio);
  for (unsigned i = 0; i < video; ++i) ladder.video.push_back(KAPOK_TRY(read_video_rung(in)));
  for (unsigned i = 0; i < audio; ++i) ladder.audio.push_back(KAPOK_TRY(read_audio_rung(in)));
  ladder.detect = KAPOK_TRY(read_detection(in));
  KAPOK_TRY(read_stills(in, ladder));
  KAPOK_TRY(read_drawing(in, ladder));
  KAPOK_TRY(media::validate(ladder));
  return ladder;
}

Result<void> write_anomaly(ByteWriter& out, const media::AnomalyEvent& event) {
  for (const microseconds time : {event.from, event.to})
    if (time.count() > kMaxTicks || time.count() < -kMaxTicks)
      return fail(Errc::limit, "a time of {} us", time.count());
  out.u8(static_cast<std::uint8_t>(event.kind));
  out.u8(static_cast<std::uint8_t>(event.state));
  out.u64(static_cast<std::uint64_t>(event.from.count()));
  out.u64(static_cast<std::uint64_t>(event.to.count()));
  return {};
}

Result<media::AnomalyEvent> read_anomaly(ByteReader& in) {
  media::AnomalyEvent event;
  const std::uint8_t kind = KAPOK_TRY(in.u8());
  const std::uint8_t state = KAPOK_TRY(in.u8());
  event.from = microseconds(KAPOK_TRY(read_ticks(in)));
  event.to = microseconds(KAPOK_TRY(read_ticks(in)));
  if (kind >= media::kAnomalies || state > static_cast<std::uint8_t>(media::AnomalyState::ended))
    return fail(Errc::malformed, "kind {}, state {}", kind, state);
  if (event.to <= event.from)
    return fail(Errc::malformed, "from {} to {} us", event.from.count(), event.to.count());
  event.kind = static_cast<media::Anomaly>(kind);
  event.state = static_cast<media::AnomalyState>(state);
  return event;
}

Result<void> write_image_head(ByteWriter& out, const media::Image& image) {
  KAPOK_TRY(media::validate(image));
  if (image.pts.count > kMaxTicks || image.pts.count < -kMaxTicks)
    return fail(Errc::limit, "a time of {} ticks", image.pts.count);
  out.u8(static_cast<std::uint8_t>(image.kind));
  out.u32(image.timescale);
  out.u64(static_cast<std::uint64_t>(image.pts.count));
  out.u32(image.width);
  out.u32(image.height);
  return {};
}

Result<media::Image> read_image_head(ByteReader& in) {
  media::Image image;
  const std::uint8_t kind = KAPOK_TRY(in.u8());
  if (kind > static_cast<std::uint8_t>(media::ImageKind::thumbnail))
    return fail(Errc::malformed, "kind {} does not exist", kind);
  image.kind = static_cast<media::ImageKind>(kind);
  image.timescale = KAPOK_TRY(in.u32());
  image.pts = {KAPOK_TRY(read_ticks(in))};
  image.width = KAPOK_TRY(in.u32());
  image.height = KAPOK_TRY(in.u32());
  return image;
}

Result<void> write_packet_head(ByteWriter& out, const media::Packet& packet, bool segment_start) {
  if (packet.payload.size() > media::kMaxPacketBytes)
    return fail(Errc::limit, "a packet of {} bytes", packet.payload.size());
  for (const media::Ticks time : {packet.dts, packet.pts, packet.duration})
    if (time.count > kMaxTicks || time.count < -kMaxTicks)
      return fail(Errc::limit, "a time of {} ticks", time.count);
  out.u32(packet.track);
  out.u64(static_cast<std::uint64_t>(packet.dts.count));
  out.u64(static_cast<std::uint64_t>(packet.pts.count));
  out.u64(static_cast<std::uint64_t>(packet.duration.count));
  out.u8(
      static_cast<std::uint8_t>((packet.sync ? kSync : 0) | (segment_start ? kSegmentStart : 0)));
  out.u64(static_cast<std::uint64_t>(packet.arrival.time_since_epoch().count()));
  return {};
}

Result<PacketHead> read_packet_head(ByteReader& in) {
  PacketHead head;
  media::Packet& packet = head.packet;
  packet.track = KAPOK_TRY(in.u32());
  packet.dts = {KAPOK_TRY(read_ticks(in))};
  packet.pts = {KAPOK_TRY(read_ticks(in))};
  packet.duration = {KAPOK_TRY(read_ticks(in))};
  const std::uint8_t bits = KAPOK_TRY(in.u8());
  const auto arrival = static_cast<std::int64_t>(KAPOK_TRY(in.u64()));
  if (bits > (kSync | kSegmentStart)) return fail(Errc::malformed, "packet bits {}", bits);
  // 2^62 ns are 146 years of uptime, and leave room for differences.
  if (packet.duration.count < 0 || arrival < 0 || arrival > std::int64_t{1} << 62)
    return fail(Errc::malformed, "a packet lasting {} ticks, come at {} ns", packet.duration.count,
                arrival);
  packet.sync = (bits & kSync) != 0;
  packet.arrival = MonoTime(nanoseconds(arrival));
  head.segment_start = (bits & kSegmentStart) != 0;
  return head;
}

}  // namespace kapok::wire
