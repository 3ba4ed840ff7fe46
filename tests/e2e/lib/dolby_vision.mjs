// An RPU of Dolby Vision for every picture of an HEVC byte stream, as an encoder of a broadcaster would send them: Debian's
// x265 takes them from a file of Dolby's tools alone.
import { Bits, insertedAt, nalUnit, nalUnits } from './bits.mjs';

/** CRC-32/MPEG-2 */
function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; ++bit) crc = (crc << 1) ^ (crc < 0 ? 0x04c11db7 : 0);
  }
  return crc >>> 0;
}

/** [ETSI GS CCM 001] vdr_rpu_data of a picture that is mapped to itself, with the metadata of level 1. */
function rpu(profile) {
  const bits = new Bits();
  bits.put(6, 2); // rpu_type
  bits.put(11, 18); // rpu_format
  bits.put(4, profile === 5 ? 0 : 1); // vdr_rpu_profile
  bits.put(4, 0); // vdr_rpu_level
  bits.put(1, 1); // vdr_seq_info_present_flag
  bits.put(1, 0); // chroma_resampling_explicit_filter_flag
  bits.put(2, 0); // coefficient_data_type: fixed point
  bits.exp(23); // coefficient_log2_denom
  bits.put(2, 1); // vdr_rpu_normalized_idc
  bits.put(1, profile === 5 ? 1 : 0); // BL_video_full_range_flag
  bits.exp(2); // BL_bit_depth_minus8
  bits.exp(2); // EL_bit_depth_minus8
  bits.exp(4); // vdr_bit_depth_minus_8
  bits.put(5, 0); // spatial_resampling_filter_flag, reserved, el_spatial_resampling_filter_flag
  bits.put(1, 1); // disable_residual_flag
  bits.put(1, 1); // vdr_dm_metadata_present_flag
  bits.put(1, 0); // use_prev_vdr_rpu_flag
  for (let i = 0; i < 3; ++i) bits.exp(0); // vdr_rpu_id, mapping_color_space, mapping_chroma_format_idc
  for (let component = 0; component < 3; ++component) {
    bits.exp(0); // num_pivots_minus_2
    bits.put(10, 0);
    bits.put(10, 1023);
  }
  bits.exp(0); // num_x_partitions_minus1
  bits.exp(0);
  for (let component = 0; component < 3; ++component) {
    bits.exp(0); // mapping_idc: polynomial
    bits.exp(0); // poly_order_minus1
    bits.put(1, 0); // linear_interp_flag
    for (const coefficient of [0, 1]) {
      bits.signedExp(coefficient);
      bits.put(23, 0);
    }
  }
  bits.exp(0); // affected_dm_metadata_id
  bits.exp(0); // current_dm_metadata_id
  bits.exp(1); // scene_refresh_flag
  for (const entry of [9574, 0, 13802, 9574, -1540, -5348, 9574, 17610, 0]) bits.put(16, entry); // YCC to RGB
  for (const offset of [16777216, 134217728, 134217728]) bits.put(32, offset);
  for (const entry of [7222, 8771, 390, 2654, 12430, 1300, 0, 422, 15962]) bits.put(16, entry); // RGB to LMS
  bits.put(16, 65535); // signal_eotf
  bits.put(16, 0);
  bits.put(16, 0);
  bits.put(32, 0);
  bits.put(5, 12); // signal_bit_depth
  bits.put(2, 0);
  bits.put(2, 0);
  bits.put(2, 1);
  bits.put(12, 7); // source_min_PQ
  bits.put(12, 3079); // source_max_PQ
  bits.put(10, 42); // source_diagonal
  bits.exp(1); // num_ext_blocks
  bits.align();
  bits.exp(5); // ext_block_length
  bits.put(8, 1); // level 1: least, most and mean brightness
  bits.put(12, 7);
  bits.put(12, 2800);
  bits.put(12, 1200);
  bits.put(4, 0);
  const data = bits.bytes();
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32(data));
  return Buffer.concat([data, crc, Buffer.from([0x80])]);
}

/** Annex B in, Annex B out: profile 5 or 8. The RPU is the last unit of each picture. */
export function withDolbyVision(stream, profile) {
  const unit = nalUnit([0x7c, 0x01], [25, ...rpu(profile)]);
  const places = [];
  let sliced = false;
  for (const { start, slice, firstSlice } of nalUnits(stream)) {
    if (sliced && (!slice || firstSlice)) places.push(start);
    sliced = slice;
  }
  return insertedAt(stream, [...places, stream.length], unit);
}
