// Nothing is lost and nothing comes twice between the encoder and the segments: decoding what the
// playlist lists finds every value of the burnt-in counter once, in order.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { decodedNumbers } from './lib/decoded.mjs';
import { smallClip } from './lib/clips.mjs';
import { frozen, parseMediaPlaylist } from './lib/playlist.mjs';
import { Push } from './lib/push.mjs';
import { Server } from './lib/server.mjs';
import { noServer, temporaryFolder, until } from './lib/environment.mjs';

describe('completeness', { skip: noServer() }, () => {
  let server, push, folder, clip;
  before(async () => {
    folder = temporaryFolder('frames');
    clip = await smallClip();
    server = await Server.start();
    push = await new Push(clip, server.publishUrl()).running();
    await server.playable();
    const listed = async () => parseMediaPlaylist(await server.text('/live/demo/source/media.m3u8')).segments.length;
    await until('five segments', async () => (await listed()) >= 5, { timeout_ms: 60_000, every_ms: 500 });
  });
  after(async () => {
    await push?.stop();
    await server?.stop();
    folder?.remove();
  });

  test('the segments hold every frame once, from the first on', async (t) => {
    const base = `${server.url}/live/demo/source/media.m3u8`;
    const playlist = parseMediaPlaylist(await server.text('/live/demo/source/media.m3u8'));
    assert.ok(playlist.segments.length >= 5, `${playlist.segments.length} segments`);
    const path = join(folder.path, 'all.m3u8');
    writeFileSync(path, frozen(playlist, base));
    const numbers = await decodedNumbers(path);
    const duration_s = playlist.segments.reduce((sum, segment) => sum + segment.duration_s, 0);
    assert.equal(numbers[0], 0, 'the first frame that was pushed');
    assert.deepEqual(numbers, numbers.map((_, i) => i % clip.frames));
    assert.ok(Math.abs(numbers.length - duration_s * clip.fps) <= 1, `${numbers.length} frames in ${duration_s} s`);
    t.diagnostic(`${numbers.length} frames, each once`);
  });

  test('the parts of a segment are the segment, byte for byte', async () => {
    const path = '/live/demo/source/';
    const playlist = parseMediaPlaylist(await server.text(`${path}media.m3u8`));
    const segment = playlist.segments.filter((s) => s.parts.length > 0).at(-1);
    assert.ok(segment, 'a complete segment with parts is listed');
    const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');
    const parts = Buffer.concat(await Promise.all(segment.parts.map((part) => server.bytes(path + part.uri))));
    assert.equal(hash(parts), hash(await server.bytes(path + segment.uri)));
  });

  test('a running segment that is fetched as it grows ends up with the same bytes', async () => {
    const path = '/live/demo/source/';
    const playlist = parseMediaPlaylist(await server.text(`${path}media.m3u8`));
    const uri = playlist.segments.at(-1).uri.replace(/\d+(?=\.m4s$)/, (n) => String(Number(n) + 1));
    const chunked = await server.bytes(path + uri); // held and sent part by part until it is complete
    const whole = await until('the segment in the playlist', async () => {
      const now = parseMediaPlaylist(await server.text(`${path}media.m3u8`));
      return now.segments.some((segment) => segment.uri === uri) && server.bytes(path + uri);
    });
    assert.ok(chunked.equals(whole));
  });
});
