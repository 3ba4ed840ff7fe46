// mp4box.js reads the files that cmaf_conformance left and must find in them what it wrote down
// beside them. Usage: node boxes.mjs <folder>
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createFile } from "mp4box";

const folder = process.argv[2];
const cases = readdirSync(folder).filter((name) => name.endsWith(".json"));
assert.ok(cases.length > 0, `no cases in ${folder}`);

// mp4box.js names the sample entry where RFC 6381 has a name of its own, and leaves out AV1's
// optional fields.
function nameIn(codec) {
  const own = { opus: "Opus", flac: "fLaC", "mp4a.6B": "mp4a.6b" };
  if (codec.startsWith("av01.")) return codec.split(".").slice(0, 4).join(".");
  return own[codec] ?? codec;
}

function parse(path) {
  const bytes = readFileSync(path);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  buffer.fileStart = 0;
  const file = createFile(true);
  let info;
  file.onError = (module, message) => assert.fail(`${module}: ${message}`);
  file.onReady = (found) => (info = found);
  file.appendBuffer(buffer);
  file.flush();
  assert.ok(info, "moov not understood");
  return { file, info, bytes };
}

function check(name) {
  const expected = JSON.parse(readFileSync(join(folder, name), "utf8"));
  const { file, info, bytes } = parse(join(folder, name.replace(/\.json$/, ".mp4")));

  assert.equal(info.brands[0], "cmf2");
  for (const brand of ["cmf2", "iso6", "cmfc"]) assert.ok(info.brands.includes(brand), brand);
  assert.ok(info.isFragmented);
  assert.equal(info.tracks.length, 1);
  const [track] = info.tracks;
  assert.equal(track.codec, nameIn(expected.codec));
  assert.equal(track.timescale, expected.timescale);
  if (expected.width > 0) {
    assert.equal(track.video.width, expected.width);
    assert.equal(track.video.height, expected.height);
  } else {
    assert.equal(track.audio.channel_count, expected.channels);
    assert.equal(track.audio.sample_rate, expected.rate > 65535 ? expected.rate / 2 : expected.rate);
  }
  const trak = file.moov.traks[0];
  assert.equal(trak.edts, undefined, "edit list");
  const entry = trak.mdia.minf.stbl.stsd.entries[0];
  const types = entry.boxes.map((box) => box.type);
  assert.equal(types.includes("mdcv"), expected.mastering);
  assert.equal(types.includes("clli"), expected.light);

  // The top level: init, then chunks of [styp] [prft] moof mdat that cover the file.
  const top = file.boxes.map((box) => box.type);
  assert.match(top.join(" "), /^ftyp moov( (styp )?(prft )?moof mdat)+$/);
  assert.equal(file.boxes.reduce((sum, box) => sum + box.size, 0), bytes.length);
  assert.equal(top[2], "styp");

  // Decode time runs on without a gap, payloads fill their mdat, offsets are right.
  let decode;
  let samples = 0;
  let earliest = Infinity;
  let sequence = 0;
  file.boxes.forEach((moof, index) => {
    if (moof.type !== "moof") return;
    assert.equal(moof.mfhd.sequence_number, ++sequence);
    const [traf] = moof.trafs;
    const start = Number(traf.tfdt.baseMediaDecodeTime);
    if (decode !== undefined) assert.equal(start, decode);
    const [trun] = traf.truns;
    assert.equal(trun.version, 1);
    assert.equal(trun.data_offset, moof.size + 8);
    decode = start;
    let payload = 0;
    for (let i = 0; i < trun.sample_count; ++i) {
      earliest = Math.min(earliest, decode + (trun.sample_composition_time_offset[i] ?? 0));
      decode += trun.sample_duration[i] ?? traf.tfhd.default_sample_duration;
      payload += trun.sample_size[i] ?? traf.tfhd.default_sample_size;
    }
    samples += trun.sample_count;
    assert.equal(file.boxes[index + 1].size, payload + 8);
    if (sequence === 1) assert.equal(start, expected.first_tfdt);
  });
  assert.equal(samples, expected.samples);
  assert.equal(earliest, expected.first_pts);
  console.log(`ok ${name.replace(/\.json$/, "")} ${track.codec} ${samples} samples`);
}

let failed = 0;
for (const name of cases) {
  try {
    check(name);
  } catch (error) {
    ++failed;
    console.log(`not ok ${name}: ${error.message}\n${error.stack}`);
  }
}
process.exit(failed === 0 ? 0 : 1);
