// The spool's index after a crash, a full disk or a forger: never believed beyond its checksums,
// and what is believed can be written again and read back the same.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "server/picture/packaging/spool_index.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kapok;
  using namespace kapok::packaging;
  const ByteSpan bytes = as_bytes(data, size);
  const auto check = [](const IndexScan& scan) {
    const Bytes compact = scan.index.encode();
    const auto again = scan_index(compact);
    if (!again || !again->stopped_by.empty() || again->index.encode() != compact) {
      std::fprintf(stderr, "%s\n",
                   again ? again->stopped_by.c_str() : again.error().message.c_str());
      std::abort();
    }
  };
  if (const auto scan = scan_index(bytes)) check(*scan);
  // The same bytes as record bodies behind good checksums, so that the fuzzer gets past them.
  Bytes framed;
  append_header(framed);
  frame_records(framed, bytes);
  if (const auto scan = scan_index(framed)) check(*scan);
  return 0;
}
