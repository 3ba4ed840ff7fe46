// Writing what encoders of broadcasters put beside the pictures of an HEVC byte stream (Annex B).

export class Bits {
  text = '';
  put(count, value) {
    this.text += BigInt.asUintN(count, BigInt(value)).toString(2).padStart(count, '0');
  }
  /** ue(v) [H.265 9.2] */
  exp(value) {
    const code = (value + 1).toString(2);
    this.text += code.padStart(2 * code.length - 1, '0');
  }
  /** se(v) */
  signedExp(value) {
    this.exp(value > 0 ? 2 * value - 1 : -2 * value);
  }
  align() {
    this.text = this.text.padEnd(Math.ceil(this.text.length / 8) * 8, '0');
  }
  bytes() {
    this.align();
    return Buffer.from(this.text.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  }
}

/** A NAL unit with its start code; emulation prevention is put into the payload. */
export function nalUnit(header, payload) {
  const unit = [...header];
  let zeros = 0;
  for (const byte of payload) {
    if (zeros >= 2 && byte <= 3) {
      unit.push(3);
      zeros = 0;
    }
    unit.push(byte);
    zeros = byte === 0 ? zeros + 1 : 0;
  }
  return Buffer.from([0, 0, 0, 1, ...unit]);
}

/** The NAL units of a byte stream: where they begin (start code included), their type, and whether a picture's first slice. */
export function* nalUnits(stream) {
  for (let at = stream.indexOf('000001', 0, 'hex'); at >= 0; at = stream.indexOf('000001', at + 3, 'hex')) {
    const type = (stream[at + 3] >> 1) & 0x3f;
    yield { start: stream[at - 1] === 0 ? at - 1 : at, type, slice: type < 32, firstSlice: type < 32 && (stream[at + 5] & 0x80) !== 0 };
  }
}

/** The stream with `unit` at each of these places, which rise. */
export function insertedAt(stream, places, unit) {
  const pieces = [];
  let from = 0;
  for (const place of places) {
    pieces.push(stream.subarray(from, place), unit);
    from = place;
  }
  return Buffer.concat([...pieces, stream.subarray(from)]);
}
