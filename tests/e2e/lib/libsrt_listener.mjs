// The libsrt inside node-av, newer than Debian's, as a listener of one caller: it takes AES-GCM, which Debian's is built
// without. FFmpeg has no option for the cipher: a listener takes what its caller chooses.
//   node libsrt_listener.mjs receive URL FILE          what comes, into FILE
//   node libsrt_listener.mjs send URL FILE SECONDS     FILE again and again, in SECONDS each
// A process of its own, since the calls block.
import { openSync, readFileSync, writeSync } from 'node:fs';
import { AVIO_FLAG_READ, AVIO_FLAG_WRITE, IOContext } from 'node-av';

const kMessage = 1316;

const [, , direction, url, path, seconds] = process.argv;
const connection = new IOContext();
const check = (code, what) => {
  if (code < 0) throw new Error(`${what}: FFmpeg error ${code}`);
};

console.log('listening');
check(connection.open2Sync(url, direction === 'receive' ? AVIO_FLAG_READ : AVIO_FLAG_WRITE), 'open');
console.log('connected');
if (direction === 'receive') {
  const file = openSync(path, 'w');
  for (;;) {
    const bytes = connection.readSync(kMessage);
    if (typeof bytes === 'number' || bytes.length === 0) break; // the caller has gone
    writeSync(file, bytes);
  }
} else {
  const bytes = readFileSync(path);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const started = Date.now();
  for (let sent = 0; ; sent += kMessage) {
    const due = started + (sent / bytes.length) * Number(seconds) * 1000;
    if (due > Date.now()) Atomics.wait(pause, 0, 0, due - Date.now());
    const at = sent % bytes.length;
    connection.writeSync(bytes.subarray(at, at + kMessage));
    connection.flushSync();
  }
}
connection.closepSync();
