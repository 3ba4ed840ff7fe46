// What other people's programs make of our playlists: ffprobe opens both, and the rules of RFC 8216bis
// that a program can check hold.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { smallClip } from './lib/clips.mjs';
import { numberOf, parseMediaPlaylist } from './lib/playlist.mjs';
import { Push } from './lib/push.mjs';
import { Server } from './lib/server.mjs';
import { noServer, run, sleep, until } from './lib/environment.mjs';

describe('playlists and manifest', { skip: noServer() }, () => {
  let server, push;
  before(async () => {
    server = await Server.start();
    push = await new Push(await smallClip(), server.publishUrl()).running();
    await server.playable();
    await sleep(9_000);
  });
  after(async () => {
    await push?.stop();
    await server?.stop();
  });

  const media = async (rendition = 'source', query = '') =>
    parseMediaPlaylist(await server.text(`/live/demo/${rendition}/media.m3u8${query}`));

  for (const name of ['master.m3u8', 'manifest.mpd']) {
    test(`ffprobe opens ${name}`, async () => {
      const { stdout } = await run('ffprobe', ['-v', 'error', '-show_streams', '-of', 'json', `${server.url}/live/demo/${name}`]);
      const { streams } = JSON.parse(stdout);
      const video = streams.find((stream) => stream.codec_type === 'video');
      const audio = streams.find((stream) => stream.codec_type === 'audio');
      assert.equal(video.codec_name, 'h264');
      assert.deepEqual([video.width, video.height], [640, 360]);
      assert.equal(audio.codec_name, 'aac');
      assert.equal(Number(audio.sample_rate), 48000);
    });
  }

  test('the multivariant playlist says what the bitstream is', async () => {
    const master = await server.text('/live/demo/master.m3u8');
    const line = master.split('\n').find((l) => l.startsWith('#EXT-X-STREAM-INF'));
    assert.match(line, /CODECS="avc1\.64001[0-9a-f],mp4a\.40\.2"/);
    assert.match(line, /RESOLUTION=640x360/);
    assert.match(line, /FRAME-RATE=25(\.0+)?/);
    assert.match(line, /BANDWIDTH=\d+/);
    assert.match(master, /source\/media\.m3u8/);
  });

  test('durations, parts and numbers keep the rules', async () => {
    for (const rendition of ['source', ...(await audioRenditions(server))]) {
      const playlist = await media(rendition);
      assert.ok(playlist.segments.length >= 3, rendition);
      // [RFC8216bis 4.4.3.1] EXTINF rounded to the nearest integer is at most TARGETDURATION.
      for (const { duration_s } of playlist.segments) assert.ok(Math.round(duration_s) <= playlist.target_s);
      // [RFC8216bis 4.4.4.9] at most PART-TARGET, and at least 85 % of it but for the last of a segment.
      for (const parts of playlist.segments.map((segment) => segment.parts)) {
        parts.forEach((part, i) => {
          assert.ok(part.duration_s <= playlist.partTarget_s + 1e-6, `${rendition}: part of ${part.duration_s} s`);
          const free = i === parts.length - 1 || parts[i + 1].independent;
          assert.ok(free || part.duration_s >= 0.85 * playlist.partTarget_s, `${rendition}: part of ${part.duration_s} s`);
        });
      }
      // [RFC8216bis 4.4.3.8] PART-HOLD-BACK at least twice, and it should be three times, PART-TARGET.
      assert.ok(Number(playlist.control['PART-HOLD-BACK']) >= 3 * playlist.partTarget_s - 1e-6);
      assert.equal(playlist.control['CAN-BLOCK-RELOAD'], 'YES');
      assert.equal(playlist.segments.filter((segment) => segment.discontinuity).length, 0);
      playlist.segments.forEach((segment, i) => assert.equal(numberOf(segment), playlist.sequence + i));
      for (let i = 1; i < playlist.segments.length; i++) {
        const [a, b] = [playlist.segments[i - 1], playlist.segments[i]];
        if (a.utc_ms !== undefined && b.utc_ms !== undefined) {
          assert.ok(Math.abs(b.utc_ms - a.utc_ms - a.duration_s * 1000) <= 2, 'PROGRAM-DATE-TIME follows the durations');
        }
      }
    }
  });

  // When frame 0 left is known from ffmpeg's progress only, which comes late on a busy machine. To the millisecond, and over
  // 48 hours of drift, it is a unit test.
  test("PROGRAM-DATE-TIME is the encoder's clock", async (t) => {
    const playlist = await media();
    const first = playlist.segments.find((segment) => segment.utc_ms !== undefined);
    const before_s = playlist.segments.slice(0, playlist.segments.indexOf(first)).reduce((sum, s) => sum + s.duration_s, 0);
    const off = first.utc_ms - before_s * 1000 - push.startedAt;
    t.diagnostic(`PDT of frame 0 minus the encoder's clock: ${Math.round(off)} ms`);
    assert.ok(Math.abs(off) < 500, `${off} ms`);
  });

  test('a blocking reload answers with the part that was asked for', async () => {
    const playlist = await media();
    const msn = playlist.sequence + playlist.segments.length;
    const next = playlist.running.parts.length;
    const started = Date.now();
    const reloaded = await media('source', `?_HLS_msn=${msn}&_HLS_part=${next}`);
    assert.ok(Date.now() - started < 3 * playlist.target_s * 1000);
    const have = reloaded.sequence + reloaded.segments.length;
    assert.ok(have > msn || (have === msn && reloaded.running.parts.length > next));
  });

  test('a delta update skips, and says how much', async () => {
    const text = await server.text('/live/demo/source/media.m3u8?_HLS_skip=YES');
    const delta = parseMediaPlaylist(text);
    const full = await media();
    assert.ok(delta.skipped + delta.segments.length >= full.segments.length - 1);
  });

  test('a hinted part is held and comes', async () => {
    // Between a segment's last part and the next one's first there is none.
    const hint = await until('a hint', async () => (await media()).hint);
    assert.equal(hint.TYPE, 'PART');
    const response = await server.get(`/live/demo/source/${hint.URI}`);
    assert.ok((await response.arrayBuffer()).byteLength > 0);
  });

  test('requests beyond reason are refused', async () => {
    const status = async (query) => (await fetch(`${server.url}/live/demo/source/media.m3u8${query}`)).status;
    assert.equal(await status('?_HLS_part=1'), 400);
    const { sequence, segments } = await media();
    assert.equal(await status(`?_HLS_msn=${sequence + segments.length + 50}`), 400);
    assert.equal((await fetch(`${server.url}/live/demo/source/1.m4s`)).status, 404);
  });

  test('cache headers and CORS are those of the design', async () => {
    const playlist = await media();
    const head = async (path) => (await server.get(path)).headers;
    const segment = await head(`/live/demo/source/${playlist.segments[0].uri}`);
    assert.equal(segment.get('cache-control'), 'public, max-age=31536000, immutable');
    assert.ok(segment.get('etag'));
    assert.equal(segment.get('access-control-allow-origin'), '*');
    assert.match((await head('/live/demo/source/media.m3u8')).get('cache-control'), /^public, max-age=[12]$/);
    assert.match((await head('/live/demo/manifest.mpd')).get('cache-control'), /^public, max-age=[12]$/);
    const missing = await fetch(`${server.url}/live/demo/source/1.m4s`);
    assert.equal(missing.headers.get('cache-control'), 'public, max-age=1');
  });
});

async function audioRenditions(server) {
  const master = await server.text('/live/demo/master.m3u8');
  return [...master.matchAll(/URI="([^"/]+)\/media\.m3u8"/g)].map((match) => match[1]);
}
