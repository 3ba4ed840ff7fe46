// Dynamic metadata of HDR10+ for every picture of an HEVC byte stream, as an encoder of a broadcaster would send them.
// Debian's x265 is built without --dhdr10-info.

import { Bits, insertedAt, nalUnit, nalUnits } from './bits.mjs';

/** [SMPTE ST 2094-40; CTA-861 annex S] user_data_registered_itu_t_t35 of one window without a tone curve. */
function metadata() {
  const bits = new Bits();
  for (const byte of [0xb5, 0x00, 0x3c, 0x00, 0x01, 0x04, 0x01]) bits.put(8, byte);
  bits.put(2, 1); // num_windows
  bits.put(27, 400); // targeted_system_display_maximum_luminance, cd/m2
  bits.put(1, 0);
  for (const maxscl of [10_000, 12_000, 9_000]) bits.put(17, maxscl);
  bits.put(17, 3_000); // average_maxrgb
  const percentiles = [[1, 0], [5, 10], [10, 99], [25, 1_000], [50, 2_000], [75, 4_000], [90, 6_000], [95, 8_000], [99, 9_500]];
  bits.put(4, percentiles.length);
  for (const [percentage, percentile] of percentiles) {
    bits.put(7, percentage);
    bits.put(17, percentile);
  }
  bits.put(10, 0); // fraction_bright_pixels
  bits.put(3, 0); // no mastering peaks, tone_mapping_flag, color_saturation_mapping_flag
  return bits.bytes();
}

/** Annex B in, Annex B out. */
export function withHdr10Plus(stream) {
  const payload = metadata();
  const sei = nalUnit([0x4e, 0x01], [4, payload.length, ...payload, 0x80]);
  const places = [...nalUnits(stream)].filter(({ firstSlice }) => firstSlice).map(({ start }) => start);
  return insertedAt(stream, places, sei);
}
