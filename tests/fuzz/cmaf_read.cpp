// Init segments and segment files, as a spool finds them after a crash.
#include <cstdint>
#include <cstdlib>

#include "server/picture/containers/cmaf/box_reader.hpp"
#include "server/picture/containers/cmaf/init.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const kapok::ByteSpan bytes = kapok::as_bytes(data, size);
  const auto boxes = kapok::cmaf::read_boxes(bytes);
  if (boxes && boxes->size() * 8 > size) std::abort();
  const auto scan = kapok::cmaf::find_chunks(bytes);
  std::uint64_t end = 0;
  for (const auto& chunk : scan.chunks) {
    if (chunk.offset != end || chunk.payload_offset >= chunk.offset + chunk.size + 1) std::abort();
    end = chunk.offset + chunk.size;
  }
  if (end != scan.whole_bytes || end > size) std::abort();
  const auto track = kapok::cmaf::read_init(kapok::Buffer::copy_of(bytes), 1);
  // What was read can be written again, and read.
  if (track && !kapok::cmaf::read_init(kapok::Buffer(kapok::cmaf::write_init(**track)), 1))
    std::abort();
  return 0;
}
