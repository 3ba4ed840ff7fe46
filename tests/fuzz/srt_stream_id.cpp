// Any text as a stream id. What is accepted holds its rules and survives being written again.
#include <cstdint>
#include <cstdlib>

#include "server/base/bytes.hpp"
#include "server/base/ids.hpp"
#include "server/picture/protocols/srt/stream_id.hpp"

using namespace kapok;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto id = srt::parse_stream_id(as_text(as_bytes(data, size)));
  if (!id) return 0;
  if (size > 512) std::abort();
  if (!id->channel.empty() && !is_valid_id(id->channel)) std::abort();
  // A plain form may have a comma in its key, which the standard form cannot say.
  if (id->channel.empty() || id->key.contains(',')) return 0;
  const auto again = srt::parse_stream_id(srt::format_stream_id(*id));
  if (again && (again->channel != id->channel || again->key != id->key || again->mode != id->mode))
    std::abort();
  return 0;
}
