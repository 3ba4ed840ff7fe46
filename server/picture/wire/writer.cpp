#include "server/picture/wire/writer.hpp"

#include <limits>

#include "server/picture/wire/fields.hpp"
#include "server/picture/wire/layout.hpp"

namespace kapok::wire {

namespace {

constexpr std::size_t kLengthAt = 8;

// A head begins with the header; its length is patched in once the body stands.
class Head {
 public:
  explicit Head(Type type) {
    out.text(kMagic);
    out.u8(static_cast<std::uint8_t>(type));
    out.zeros(7);
  }
  Encoded finish(Buffer payload = {}) {
    const std::size_t body = bytes_.size() - kHeaderBytes + payload.size();
    out.patch_u32(kLengthAt, static_cast<std::uint32_t>(body));
    return {Buffer(std::move(bytes_)), std::move(payload)};
  }

 private:
  Bytes bytes_;

 public:
  ByteWriter out{bytes_};
};

struct Encoder {
  Result<Encoded> operator()(const Hello& hello) {
    Head head(Type::hello);
    head.out.u16(hello.version);
    return head.finish();
  }
  Result<Encoded> operator()(const media::Ladder& ladder) {
    Head head(Type::ladder);
    KAPOK_TRY(write_ladder(head.out, ladder));
    return head.finish();
  }
  Result<Encoded> operator()(const SourceTrack& source) {
    Head head(Type::source_track);
    KAPOK_TRY(write_track(head.out, *source.track));
    return head.finish();
  }
  Result<Encoded> operator()(const SourcePacket& source) {
    Head head(Type::source_packet);
    KAPOK_TRY(write_packet_head(head.out, source.packet, source.segment_start));
    return head.finish(source.packet.payload);
  }
  Result<Encoded> operator()(const Discontinuity&) { return Head(Type::discontinuity).finish(); }
  Result<Encoded> operator()(const Drain&) { return Head(Type::drain).finish(); }

  Result<Encoded> operator()(const WorkerHello& hello) {
    Head head(Type::worker_hello);
    head.out.u16(hello.version);
    KAPOK_TRY(write_name(head.out, hello.engine));
    KAPOK_TRY(write_name(head.out, hello.device));
    return head.finish();
  }
  Result<Encoded> operator()(const RungTrack& rung) {
    Head head(Type::rung_track);
    KAPOK_TRY(write_name(head.out, rung.rung));
    KAPOK_TRY(write_track(head.out, *rung.track));
    return head.finish();
  }
  Result<Encoded> operator()(const RungPacket& rung) {
    Head head(Type::rung_packet);
    KAPOK_TRY(write_name(head.out, rung.rung));
    KAPOK_TRY(write_packet_head(head.out, rung.packet, false));
    return head.finish(rung.packet.payload);
  }
  Result<Encoded> operator()(const Heartbeat& beat) {
    if (beat.rungs.size() > media::kMaxVideoRungs + media::kMaxAudioRungs)
      return fail(Errc::limit, "a heartbeat of {} rungs", beat.rungs.size());
    Head head(Type::heartbeat);
    head.out.u64(beat.decoded);
    head.out.u64(beat.decode_errors);
    head.out.u64(beat.dropped);
    head.out.u32(beat.waiting_ms);
    head.out.u64(beat.cpu_ms);
    head.out.u64(beat.memory_bytes);
    head.out.u8(static_cast<std::uint8_t>(beat.rungs.size()));
    for (const RungProgress& rung : beat.rungs) {
      KAPOK_TRY(write_name(head.out, rung.rung));
      head.out.u64(rung.encoded);
      head.out.u64(rung.shed);
    }
    KAPOK_TRY(write_name(head.out, beat.device));
    return head.finish();
  }
  Result<Encoded> operator()(const Notice& notice) {
    Head head(Type::notice);
    head.out.u8(static_cast<std::uint8_t>(notice.level));
    KAPOK_TRY(write_name(head.out, notice.event));
    write_prose(head.out, notice.text);
    return head.finish();
  }
  Result<Encoded> operator()(const Drained&) { return Head(Type::drained).finish(); }
  Result<Encoded> operator()(const media::AnomalyEvent& event) {
    Head head(Type::anomaly);
    KAPOK_TRY(write_anomaly(head.out, event));
    return head.finish();
  }

  Result<Encoded> operator()(const FileStart& start) {
    Head head(Type::file_start);
    head.out.u64(static_cast<std::uint64_t>(start.from.count()));
    head.out.u32(static_cast<std::uint32_t>(start.segment.count()));
    head.out.u32(static_cast<std::uint32_t>(start.ceiling.count()));
    head.out.u8(start.publish_source);
    return head.finish();
  }
  Result<Encoded> operator()(const FileOpened& opened) {
    Head head(Type::file_opened);
    KAPOK_TRY(write_name(head.out, opened.format));
    head.out.u64(static_cast<std::uint64_t>(opened.duration.count()));
    return head.finish();
  }
  Result<Encoded> operator()(const FileTrack& file) {
    Head head(Type::file_track);
    head.out.u8(file.published);
    KAPOK_TRY(write_track(head.out, *file.track));
    return head.finish();
  }
  Result<Encoded> operator()(const FilePacket& file) {
    Head head(Type::file_packet);
    KAPOK_TRY(write_packet_head(head.out, file.packet, false));
    return head.finish(file.packet.payload);
  }
  Result<Encoded> operator()(const FileSegment& segment) {
    Head head(Type::file_segment);
    head.out.u64(static_cast<std::uint64_t>(segment.at.count()));
    return head.finish();
  }
  Result<Encoded> operator()(const FileRefused& refused) {
    Head head(Type::file_refused);
    head.out.u8(static_cast<std::uint8_t>(refused.why));
    write_prose(head.out, refused.text);
    return head.finish();
  }
  Result<Encoded> operator()(const media::Image& image) {
    Head head(Type::image);
    KAPOK_TRY(write_image_head(head.out, image));
    return head.finish(image.jpeg);
  }
};

}  // namespace

Result<Encoded> encode(const ToWorker& message) {
  return std::visit(Encoder{}, message);
}
Result<Encoded> encode(const FromWorker& message) {
  return std::visit(Encoder{}, message);
}

}  // namespace kapok::wire
