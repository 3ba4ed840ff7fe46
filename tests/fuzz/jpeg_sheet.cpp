// Pictures of [size u24][bytes], as many as there are. What is joined has the scans of all of them
// in their order, is not joined again (it has restart intervals), and each of its pictures could
// have been a sheet by itself.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "server/media/jpeg_sheet.hpp"

using namespace kapok;

namespace {
Result<void> run(ByteSpan bytes) {
  ByteReader in(bytes);
  std::vector<Buffer> pictures;
  std::size_t size = 0;
  while (!in.empty()) {
    const std::size_t length = KAPOK_TRY(in.u24());
    pictures.push_back(Buffer::copy_of(KAPOK_TRY(in.take(length))));
    size += length;
  }
  const Buffer sheet = KAPOK_TRY(media::join_jpegs(pictures));
  // DRI, and a marker between two.
  if (sheet.size() > size + 6 + 2 * pictures.size()) std::abort();
  if (!sheet.text().starts_with("\xff\xd8") || !sheet.text().ends_with("\xff\xd9")) std::abort();
  if (media::join_jpegs(std::vector<Buffer>{sheet})) std::abort();
  for (const Buffer& picture : pictures)
    if (!media::join_jpegs(std::vector<Buffer>{picture})) std::abort();
  return {};
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  [[maybe_unused]] const auto joined = run(as_bytes(data, size));
  return 0;
}
