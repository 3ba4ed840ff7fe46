// Writes a TS file to standard output in real time by its own clock, in messages of 1316 bytes, for senders that read as
// fast as they are given.  node pace.mjs FILE
import { readFileSync } from 'node:fs';

const kMessage = 1316;
const bytes = readFileSync(process.argv[2]);

/** [offset, seconds] of every PCR (ISO/IEC 13818-1 2.4.3.5), from the first on. */
function clock() {
  const out = [];
  for (let at = 0; at + 188 <= bytes.length; at += 188) {
    if ((bytes[at + 3] & 0x20) === 0 || bytes[at + 4] < 7 || (bytes[at + 5] & 0x10) === 0) continue;
    const base = bytes.readUInt32BE(at + 6) * 2 + (bytes[at + 10] >> 7);
    out.push([at, base / 90_000]);
  }
  return out.map(([at, time]) => [at, time - out[0][1]]);
}

const times = clock();
const began = Date.now();
let next = 1;
for (let at = 0; at < bytes.length; at += kMessage) {
  while (next + 1 < times.length && times[next][0] <= at) next++;
  const [from, start] = times[next - 1];
  const [to, end] = times[next];
  const due = began + (start + ((end - start) * (at - from)) / (to - from)) * 1000;
  const wait = due - Date.now();
  if (wait > 2) await new Promise((resolve) => setTimeout(resolve, wait));
  if (!process.stdout.write(bytes.subarray(at, at + kMessage))) {
    await new Promise((resolve) => process.stdout.once('drain', resolve));
  }
}
