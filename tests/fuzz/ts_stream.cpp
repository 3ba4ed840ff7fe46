// Any bytes as a transport stream, in pieces; the first byte says how large.
#include <algorithm>
#include <cstdint>

#include "ts_round_trip.hpp"

using namespace kapok;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteSpan bytes = as_bytes(data + 1, size - 1);
  const std::size_t step = 1 + 4 * std::size_t{data[0]};
  mpegts::TsDemuxer demuxer;
  std::vector<media::FeedItem> items;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    const ByteSpan part = bytes.subspan(at, std::min(step, bytes.size() - at));
    if (!demuxer.push(MonoTime{milliseconds(at / 100)}, part, items)) return 0;
  }
  demuxer.finish(items);
  demuxer.take_notices();
  fuzz::check_items(items);
  return 0;
}
