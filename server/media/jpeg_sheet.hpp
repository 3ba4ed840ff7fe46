// One JPEG of several, one below the other, without decoding any. The coefficients stay as they
// are: each picture becomes a restart interval of the sheet, at whose begin the prediction of DC
// starts anew, as it does at the begin of a picture [ITU-T T.81 E.1.4]. So each row of the sheet
// decodes to what its picture decodes to. Pure; the bytes may be a stranger's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "server/base/buffer.hpp"
#include "server/base/result.hpp"

namespace kapok::media {

// A picture of a sheet ends with a row of MCUs: at 4:2:0 these are so high.
constexpr std::uint32_t kSheetRowStep = 16;
// A sheet of ten is what we publish.
constexpr std::size_t kMaxSheetPictures = 64;

// `pictures`: 1 to kMaxSheetPictures, top first, each of at most kMaxImageBytes: baseline, three
// components in one scan, no restart intervals, as high as whole rows of MCUs, all with the same
// frame header, scan header, quantization and Huffman tables. Comments and application data are the
// first one's. Errors: malformed; unsupported (another kind of JPEG, or two that differ); limit.
Result<Buffer> join_jpegs(std::span<const Buffer> pictures);

}  // namespace kapok::media
