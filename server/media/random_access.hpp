// Where decoding can start, as the bitstream itself says it.
#pragma once

#include <cstdint>

namespace kapok::media {

enum class RandomAccess : std::uint8_t {
  none,
  // A decoder can start here, but pictures that follow in decoding order and precede in output
  // order may need earlier ones (CRA with RASL, AVC recovery point): SAP type 3. CMAF and DASH-IF
  // want segments to start with SAP 1 or 2, so this is not a sync packet for us.
  open_gop,
  closed_gop,  // SAP type 1 or 2: a sync packet
};

}  // namespace kapok::media
