// Pushes a clip in a loop, in real time, over Enhanced RTMP by node-av (FFmpeg 8.1), which Debian's
// ffmpeg cannot: HEVC, AV1, Opus, several tracks of a kind ... Runs as a process of its own, so that native
// code can be killed and cannot take the tests with it. Prints "start <epoch ms>" when the first packet has left.
//   node push_enhanced.mjs CLIP URL
// The synchronous calls: the asynchronous ones need a newer node than Debian's.
import { AVMEDIA_TYPE_AUDIO, AVMEDIA_TYPE_VIDEO, Demuxer, Muxer } from 'node-av';

const [, , clip, url] = process.argv;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let output = null;
const indices = new Map();
let started = 0;
let offset_s = 0;
for (;;) {
  const input = await Demuxer.open(clip);
  if (output === null) {
    output = await Muxer.open(url, { format: 'flv', options: { flvflags: 'no_duration_filesize', flush_packets: 1 } });
    for (const stream of input.streams) {
      if (![AVMEDIA_TYPE_VIDEO, AVMEDIA_TYPE_AUDIO].includes(stream.codecpar.codecType)) continue;
      stream.codecpar.codecTag = 0; // MP4's tag is not FLV's
      indices.set(stream.index, output.addStream(stream));
    }
  }
  let end_s = 0;
  for (const packet of input.packetsSync()) {
    if (packet === null) break;
    const index = indices.get(packet.streamIndex);
    if (index !== undefined) {
      const { num, den } = packet.timeBase;
      const dts_s = (Number(packet.dts) * num) / den;
      end_s = Math.max(end_s, dts_s + (Number(packet.duration) * num) / den);
      const shift = BigInt(Math.round((offset_s * den) / num));
      packet.pts += shift;
      packet.dts += shift;
      const due = started + (offset_s + dts_s) * 1000;
      if (started !== 0 && due > Date.now()) await sleep(due - Date.now());
      output.writePacketSync(packet, index);
      if (started === 0) {
        started = Date.now() - (offset_s + dts_s) * 1000;
        console.log(`start ${started}`);
      }
    }
    packet.free();
  }
  offset_s += end_s;
  await input.close();
}
