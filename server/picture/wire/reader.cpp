#include "server/picture/wire/reader.hpp"

#include <algorithm>
#include <cstring>

#include "server/picture/wire/fields.hpp"

namespace kapok::wire {

namespace {

// Heartbeats, sound and small pictures: dozens a read.
constexpr std::size_t kStagingBytes = std::size_t{64} * 1024;

Result<void> check_version(ByteReader& in, std::uint16_t& version) {
  version = KAPOK_TRY(in.u16());
  if (version == kVersion) return {};
  return fail(Errc::unsupported,
              "the peer speaks version {} of the wire, this program version {}: install "
              "kapok-server and kapok-transcoder from the same build",
              version, kVersion);
}

Result<void> check_empty(const ByteReader& in) {
  if (in.empty()) return {};
  return fail(Errc::malformed, "{} bytes too many", in.left());
}

// All of them, then nothing: the payload of packets is taken before.
template <class Message, class Value>
Result<Message> whole(const ByteReader& in, Value value) {
  KAPOK_TRY(check_empty(in));
  return Message(std::move(value));
}

Result<media::Packet> read_packet(ByteReader& in, const Frame& frame, bool& segment_start) {
  PacketHead head = KAPOK_TRY(read_packet_head(in));
  if (in.left() > media::kMaxPacketBytes)
    return fail(Errc::limit, "a packet of {} bytes", in.left());
  head.packet.payload = frame.body.slice(in.offset());
  segment_start = head.segment_start;
  return std::move(head.packet);
}

Result<media::Image> read_image(ByteReader& in, const Frame& frame) {
  media::Image image = KAPOK_TRY(read_image_head(in));
  image.jpeg = frame.body.slice(in.offset());
  KAPOK_TRY(media::validate(image));
  return image;
}

Result<Heartbeat> read_heartbeat(ByteReader& in) {
  Heartbeat beat;
  beat.decoded = KAPOK_TRY(in.u64());
  beat.decode_errors = KAPOK_TRY(in.u64());
  beat.dropped = KAPOK_TRY(in.u64());
  beat.waiting_ms = KAPOK_TRY(in.u32());
  beat.cpu_ms = KAPOK_TRY(in.u64());
  beat.memory_bytes = KAPOK_TRY(in.u64());
  const std::uint8_t rungs = KAPOK_TRY(in.u8());
  if (rungs > media::kMaxVideoRungs + media::kMaxAudioRungs)
    return fail(Errc::limit, "a heartbeat of {} rungs", rungs);
  for (unsigned i = 0; i < rungs; ++i) {
    RungProgress rung;
    rung.rung = KAPOK_TRY(read_rung_name(in));
    rung.encoded = KAPOK_TRY(in.u64());
    rung.shed = KAPOK_TRY(in.u64());
    beat.rungs.push_back(std::move(rung));
  }
  beat.device = KAPOK_TRY(read_name(in));
  return beat;
}

// It becomes the name of a log event.
bool is_event(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

Result<Notice> read_notice(ByteReader& in) {
  Notice notice;
  const std::uint8_t level = KAPOK_TRY(in.u8());
  notice.event = KAPOK_TRY(read_name(in));
  notice.text = KAPOK_TRY(read_prose(in));
  if (level > static_cast<std::uint8_t>(LogLevel::error) || !is_event(notice.event))
    return fail(Errc::malformed, "no log level or event");
  notice.level = static_cast<LogLevel>(level);
  return notice;
}

Result<nanoseconds> read_file_time(ByteReader& in) {
  const std::uint64_t count = KAPOK_TRY(in.u64());
  if (count > static_cast<std::uint64_t>(kMaxFileTime.count()))
    return fail(Errc::malformed, "a time of {} ns in a file", count);
  return nanoseconds(static_cast<std::int64_t>(count));
}

Result<bool> read_bool(ByteReader& in) {
  const std::uint8_t byte = KAPOK_TRY(in.u8());
  if (byte > 1) return fail(Errc::malformed, "{} is neither yes nor no", byte);
  return byte == 1;
}

Result<FileStart> read_file_start(ByteReader& in) {
  FileStart start;
  start.from = KAPOK_TRY(read_file_time(in));
  start.segment = milliseconds(KAPOK_TRY(in.u32()));
  start.ceiling = milliseconds(KAPOK_TRY(in.u32()));
  start.publish_source = KAPOK_TRY(read_bool(in));
  if (start.segment <= milliseconds(0) || start.ceiling < start.segment)
    return fail(Errc::malformed, "segments of {} to {} ms", start.segment.count(),
                start.ceiling.count());
  return start;
}

Result<FileRefused> read_file_refused(ByteReader& in) {
  FileRefused refused;
  const std::uint8_t why = KAPOK_TRY(in.u8());
  if (why > static_cast<std::uint8_t>(FileRefused::Why::source_unfit))
    return fail(Errc::malformed, "reason {}", why);
  refused.why = static_cast<FileRefused::Why>(why);
  refused.text = KAPOK_TRY(read_prose(in));
  return refused;
}

Result<ToWorker> read_to_worker(const Frame& frame) {
  ByteReader in(frame.body.bytes());
  switch (frame.type) {
    case Type::hello: {
      Hello hello;
      KAPOK_TRY(check_version(in, hello.version));
      return whole<ToWorker>(in, hello);
    }
    case Type::ladder: {
      media::Ladder ladder = KAPOK_TRY(read_ladder(in));
      return whole<ToWorker>(in, std::move(ladder));
    }
    case Type::source_track: {
      SourceTrack source{KAPOK_TRY(read_track(in))};
      return whole<ToWorker>(in, std::move(source));
    }
    case Type::source_packet: {
      SourcePacket source;
      source.packet = KAPOK_TRY(read_packet(in, frame, source.segment_start));
      return source;
    }
    case Type::discontinuity:
      return whole<ToWorker>(in, Discontinuity{});
    case Type::drain:
      return whole<ToWorker>(in, Drain{});
    case Type::file_start: {
      const FileStart start = KAPOK_TRY(read_file_start(in));
      return whole<ToWorker>(in, start);
    }
    default:
      return fail(Errc::malformed, "comes from a worker, never to one");
  }
}

Result<FromWorker> read_from_worker(const Frame& frame) {
  ByteReader in(frame.body.bytes());
  switch (frame.type) {
    case Type::worker_hello: {
      WorkerHello hello;
      KAPOK_TRY(check_version(in, hello.version));
      hello.engine = KAPOK_TRY(read_name(in));
      hello.device = KAPOK_TRY(read_name(in));
      return whole<FromWorker>(in, std::move(hello));
    }
    case Type::rung_track: {
      RungTrack rung;
      rung.rung = KAPOK_TRY(read_rung_name(in));
      rung.track = KAPOK_TRY(read_track(in));
      return whole<FromWorker>(in, std::move(rung));
    }
    case Type::rung_packet: {
      RungPacket rung;
      rung.rung = KAPOK_TRY(read_rung_name(in));
      bool segment_start = false;
      rung.packet = KAPOK_TRY(read_packet(in, frame, segment_start));
      if (segment_start) return fail(Errc::malformed, "a segment's start of the worker's own");
      return rung;
    }
    case Type::heartbeat: {
      Heartbeat beat = KAPOK_TRY(read_heartbeat(in));
      return whole<FromWorker>(in, std::move(beat));
    }
    case Type::notice: {
      Notice notice = KAPOK_TRY(read_notice(in));
      return whole<FromWorker>(in, std::move(notice));
    }
    case Type::drained:
      return whole<FromWorker>(in, Drained{});
    case Type::anomaly: {
      const media::AnomalyEvent event = KAPOK_TRY(read_anomaly(in));
      return whole<FromWorker>(in, event);
    }
    case Type::file_opened: {
      FileOpened opened;
      opened.format = KAPOK_TRY(read_name(in));
      opened.duration = KAPOK_TRY(read_file_time(in));
      return whole<FromWorker>(in, std::move(opened));
    }
    case Type::file_track: {
      FileTrack file;
      file.published = KAPOK_TRY(read_bool(in));
      file.track = KAPOK_TRY(read_file_track(in));
      if (file.published && !media::is_packaged(file.track->codec))
        return fail(Errc::malformed, "{} cannot be published", name_of(file.track->codec));
      return whole<FromWorker>(in, std::move(file));
    }
    case Type::file_packet: {
      FilePacket file;
      bool segment_start = false;
      file.packet = KAPOK_TRY(read_packet(in, frame, segment_start));
      if (segment_start) return fail(Errc::malformed, "a file's segments begin by file_segment");
      return file;
    }
    case Type::file_segment: {
      const FileSegment segment{KAPOK_TRY(read_file_time(in))};
      return whole<FromWorker>(in, segment);
    }
    case Type::file_refused: {
      FileRefused refused = KAPOK_TRY(read_file_refused(in));
      return whole<FromWorker>(in, std::move(refused));
    }
    case Type::image: {
      media::Image image = KAPOK_TRY(read_image(in, frame));
      return image;
    }
    default:
      return fail(Errc::malformed, "goes to a worker, never comes from one");
  }
}

template <class Message>
Result<Message> named(const Frame& frame, Result<Message> message) {
  if (message) return message;
  return std::unexpected(std::move(message).error().within(name_of(frame.type)));
}

Result<ToWorker> decode(const Frame& frame, std::type_identity<ToWorker>) {
  return decode_to_worker(frame);
}
Result<FromWorker> decode(const Frame& frame, std::type_identity<FromWorker>) {
  return decode_from_worker(frame);
}

}  // namespace

std::optional<Type> type_of(std::uint8_t byte) {
  switch (const auto type = static_cast<Type>(byte)) {
    case Type::hello:
    case Type::ladder:
    case Type::source_track:
    case Type::source_packet:
    case Type::discontinuity:
    case Type::drain:
    case Type::file_start:
    case Type::worker_hello:
    case Type::rung_track:
    case Type::rung_packet:
    case Type::heartbeat:
    case Type::notice:
    case Type::drained:
    case Type::anomaly:
    case Type::file_opened:
    case Type::file_track:
    case Type::file_packet:
    case Type::file_segment:
    case Type::file_refused:
    case Type::image:
      return type;
  }
  return std::nullopt;
}

std::string_view name_of(Type type) {
  switch (type) {
    case Type::hello:
      return "hello";
    case Type::ladder:
      return "ladder";
    case Type::source_track:
      return "source_track";
    case Type::source_packet:
      return "source_packet";
    case Type::discontinuity:
      return "discontinuity";
    case Type::drain:
      return "drain";
    case Type::worker_hello:
      return "worker_hello";
    case Type::rung_track:
      return "rung_track";
    case Type::rung_packet:
      return "rung_packet";
    case Type::heartbeat:
      return "heartbeat";
    case Type::notice:
      return "notice";
    case Type::drained:
      return "drained";
    case Type::anomaly:
      return "anomaly";
    case Type::file_start:
      return "file_start";
    case Type::file_opened:
      return "file_opened";
    case Type::file_track:
      return "file_track";
    case Type::file_packet:
      return "file_packet";
    case Type::file_segment:
      return "file_segment";
    case Type::file_refused:
      return "file_refused";
    case Type::image:
      return "image";
  }
  return "unknown";
}

Result<ToWorker> decode_to_worker(const Frame& frame) {
  return named(frame, read_to_worker(frame));
}
Result<FromWorker> decode_from_worker(const Frame& frame) {
  return named(frame, read_from_worker(frame));
}

FrameReader::FrameReader() : staging_(std::make_unique_for_overwrite<std::byte[]>(kStagingBytes)) {}

std::span<std::byte> FrameReader::room() {
  if (body_ && missing() >= kStagingBytes) return {body_.get() + body_size_, missing()};
  return {staging_.get(), kStagingBytes};
}

Result<void> FrameReader::filled(std::size_t count, std::vector<Frame>& out) {
  if (body_ && missing() >= kStagingBytes) {
    body_size_ += count;
    if (missing() == 0) complete(out);
    return {};
  }
  return take({staging_.get(), count}, out);
}

Result<void> FrameReader::take(ByteSpan bytes, std::vector<Frame>& out) {
  while (!bytes.empty()) {
    if (!body_) {
      const std::size_t size = std::min(bytes.size(), kHeaderBytes - header_size_);
      std::memcpy(header_.data() + header_size_, bytes.data(), size);
      header_size_ += size;
      bytes = bytes.subspan(size);
      if (header_size_ < kHeaderBytes) break;
      KAPOK_TRY(begin_body());
    }
    const std::size_t size = std::min(bytes.size(), missing());
    std::memcpy(body_.get() + body_size_, bytes.data(), size);
    body_size_ += size;
    bytes = bytes.subspan(size);
    if (missing() == 0) complete(out);
  }
  return {};
}

Result<void> FrameReader::begin_body() {
  ByteReader in(header_);
  if (as_text(KAPOK_TRY(in.take(kMagic.size()))) != kMagic)
    return fail(Errc::malformed, "no header of the wire where one must stand");
  const std::uint8_t byte = KAPOK_TRY(in.u8());
  const std::optional<Type> type = type_of(byte);
  if (!type || KAPOK_TRY(in.u24()) != 0) return fail(Errc::malformed, "message type {}", byte);
  const std::uint32_t length = KAPOK_TRY(in.u32());
  if (length > max_body_bytes(*type))
    return fail(Errc::limit, "{}: a body of {} bytes, {} at most", name_of(*type), length,
                max_body_bytes(*type));
  type_ = *type;
  // Not cleared: pages that no bytes have come for are never touched.
  body_ = std::make_shared_for_overwrite<std::byte[]>(length);
  body_length_ = length;
  body_size_ = 0;
  return {};
}

void FrameReader::complete(std::vector<Frame>& out) {
  const ByteSpan view(body_.get(), body_length_);
  out.push_back({type_, Buffer(view, std::move(body_))});
  body_.reset();
  header_size_ = 0;
}

template <class Message>
Result<void> Reader<Message>::filled(std::size_t count, std::vector<Message>& out) {
  whole_.clear();
  const Result<void> framed = frames_.filled(count, whole_);
  for (const Frame& frame : whole_) {
    const bool hello = frame.type == Type::hello || frame.type == Type::worker_hello;
    if (hello == greeted_)
      return fail(Errc::malformed, "{} {}", name_of(frame.type),
                  greeted_ ? "for a second time" : "before a hello");
    out.push_back(KAPOK_TRY(decode(frame, std::type_identity<Message>{})));
    greeted_ = true;
  }
  return framed;
}

template class Reader<ToWorker>;
template class Reader<FromWorker>;

}  // namespace kapok::wire
