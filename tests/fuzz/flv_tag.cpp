// A feed: tags of [type u8][timestamp u32][size u24][body], as many as there are. Every packet must
// lie inside its tag and belong to a track that was announced before it.
#include <cstdint>
#include <set>

#include "server/picture/containers/flv/demuxer.hpp"

using namespace kapok;

namespace {
Result<void> run(ByteSpan bytes) {
  flv::FlvDemuxer demuxer;
  flv::FlvDemuxer::Items items;
  std::set<media::TrackId> known;
  ByteReader in(bytes);
  while (!in.empty()) {
    const unsigned type = KAPOK_TRY(in.u8());
    const std::uint32_t timestamp = KAPOK_TRY(in.u32());
    const std::size_t size = KAPOK_TRY(in.u24());
    const Buffer body = Buffer::copy_of(KAPOK_TRY(in.take(size)));
    const MonoTime arrival{milliseconds(in.offset())};
    items.clear();
    if (type == 9)
      KAPOK_TRY(demuxer.video(timestamp, body, arrival, items));
    else if (type == 8)
      KAPOK_TRY(demuxer.audio(timestamp, body, arrival, items));
    else
      KAPOK_TRY(demuxer.script(body));
    for (const media::FeedItem& item : items) {
      if (const auto* track = std::get_if<std::shared_ptr<const media::Track>>(&item)) {
        known.insert((*track)->id);
      } else if (const auto* packet = std::get_if<std::shared_ptr<const media::Packet>>(&item)) {
        const ByteSpan payload = (*packet)->payload.bytes();
        if (!known.contains((*packet)->track) || payload.empty() || payload.data() < body.data() ||
            payload.data() + payload.size() > body.data() + body.size())
          __builtin_trap();
      }
    }
    demuxer.take_notices();
  }
  return {};
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  [[maybe_unused]] const auto outcome = run(as_bytes(data, size));
  return 0;
}
