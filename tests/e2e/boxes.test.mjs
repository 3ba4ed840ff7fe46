// mp4box.js, an independent reader of ISO BMFF, agrees with our boxes and with our playlists.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import MP4Box from 'mp4box';
import { smallClip } from './lib/clips.mjs';
import { parseMediaPlaylist } from './lib/playlist.mjs';
import { Push } from './lib/push.mjs';
import { Server } from './lib/server.mjs';
import { noServer, until } from './lib/environment.mjs';

const kSegments = 4;
const kMaxSlew_ppm = 500;

function read(init, segments) {
  const file = MP4Box.createFile();
  const result = { info: null, error: null, file };
  file.onReady = (info) => {
    result.info = info;
  };
  file.onError = (error) => {
    result.error = error;
  };
  let at = 0;
  for (const bytes of [init, ...segments]) {
    const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
    buffer.fileStart = at;
    at += bytes.length;
    file.appendBuffer(buffer);
  }
  file.flush();
  return result;
}

describe('boxes', { skip: noServer() }, () => {
  let server, push, renditions;
  before(async () => {
    server = await Server.start();
    push = await new Push(await smallClip(), server.publishUrl()).running();
    await server.playable();
    const master = await server.text('/live/demo/master.m3u8');
    renditions = ['source', ...[...master.matchAll(/URI="([^"/]+)\/media\.m3u8"/g)].map((match) => match[1])];
    await until('the segments', async () => {
      for (const rendition of renditions) {
        if (parseMediaPlaylist(await server.text(`/live/demo/${rendition}/media.m3u8`)).segments.length <= kSegments) return false;
      }
      return true;
    }, { timeout_ms: 60_000, every_ms: 500 });
  });
  after(async () => {
    await push?.stop();
    await server?.stop();
  });

  test('every rendition reads as one track of gapless fragments that last as long as the playlist says', async (t) => {
    assert.ok(renditions.length >= 2, `renditions: ${renditions}`);
    for (const rendition of renditions) {
      const path = `/live/demo/${rendition}/`;
      const playlist = parseMediaPlaylist(await server.text(`${path}media.m3u8`));
      const listed = playlist.segments.slice(-kSegments);
      const init = await server.bytes(path + listed[0].map);
      const segments = await Promise.all(listed.map((segment) => server.bytes(path + segment.uri)));
      const { info, error, file } = read(init, segments);
      assert.equal(error, null);
      assert.ok(info, `${rendition}: the init segment has a moov`);
      assert.equal(info.tracks.length, 1);
      assert.equal(info.isFragmented, true);
      const [track] = info.tracks;
      const samples = file.getTrackById(track.id).samples;
      const timescale = track.timescale;

      // Each fragment begins where the one before ends.
      for (let i = 1; i < samples.length; i++) {
        assert.equal(samples[i].dts, samples[i - 1].dts + samples[i - 1].duration, `${rendition}: sample ${i}`);
      }
      const sum_s = samples.reduce((sum, sample) => sum + sample.duration, 0) / timescale;
      const listed_s = listed.reduce((sum, segment) => sum + segment.duration_s, 0);
      assert.ok(Math.abs(sum_s - listed_s) < 0.005, `${rendition}: ${sum_s} s of samples, ${listed_s} s listed`);

      if (track.type === 'video') {
        assert.match(track.codec, /^avc1\.64001/);
        assert.deepEqual([track.video.width, track.video.height], [640, 360]);
        assert.equal(samples.length, Math.round(listed_s * 25));
        assert.equal(samples[0].is_sync, true);
        assert.equal(samples.filter((sample) => sample.is_sync).length, listed.length, 'one GOP a segment');
        assert.ok(Math.min(...samples.map((sample) => sample.cts - samples[0].cts)) >= 0);
      } else {
        assert.equal(track.codec, 'mp4a.40.2');
        assert.equal(track.audio.sample_rate, 48000);
        // The channel's clock is not the encoder's: its timeline is slewed, by 500 ppm at most, and that
        // is half a tick of a frame: a frame is a tick longer or shorter now and then, never more.
        const nominal = (1024 * timescale) / 48000;
        const off = samples.filter((sample) => Math.abs(sample.duration - nominal) > 1);
        assert.deepEqual(off.map((sample) => sample.duration), []);
        const slew_ppm = ((sum_s * timescale) / (samples.length * nominal) - 1) * 1e6;
        const rounding_ppm = (1 / (samples.length * nominal)) * 1e6;
        assert.ok(Math.abs(slew_ppm) <= kMaxSlew_ppm + rounding_ppm, `${slew_ppm} ppm`);
        t.diagnostic(`${rendition}: slewed by ${slew_ppm.toFixed(0)} ppm`);
      }
      const names = new Set(file.boxes.map((box) => box.type));
      for (const name of ['ftyp', 'moov', 'moof', 'mdat']) assert.ok(names.has(name), `${rendition}: ${name}`);
      const sequence = file.boxes.filter((box) => box.type === 'moof').map((box) => box.mfhd.sequence_number);
      sequence.forEach((n, i) => assert.ok(i === 0 || n === sequence[i - 1] + 1, `${rendition}: mfhd ${n}`));
      t.diagnostic(`${rendition}: ${track.codec}, ${samples.length} samples, ${sequence.length} fragments, timescale ${timescale}`);
    }
  });
});
