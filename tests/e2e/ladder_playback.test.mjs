// A household on a slow line plays the smallest rung; its worker is killed. The segments that the rung misses are
// gaps, and each player plays these numbers from another rendition, without being touched.
// Runs busy: a rung is encoded while a player plays.
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launchChromium, noChromium } from './lib/browsers.mjs';
import { smallClip } from './lib/clips.mjs';
import { noServer, serverBinary, temporaryFolder, until } from './lib/environment.mjs';
import { startPageServer } from './lib/page_server.mjs';
import { parseMediaPlaylist } from './lib/playlist.mjs';
import { Push } from './lib/push.mjs';
import { kKey, Server } from './lib/server.mjs';
import { untilMoving, watch } from './lib/watching.mjs';

const kLadder = `
[[video]]
name = "180p"
codec = "avc"
height = 180
bit_rate = 200_000
preset = "ultrafast"
`;
// Between what the rung needs and what the source needs (0.4 and 1 Mb/s, sound included).
const kSlowLine_Bps = 90_000;

const noTranscoder = () => {
  const server = serverBinary();
  const program = server === null ? null : join(dirname(server), 'kapok-transcoder');
  return program !== null && existsSync(program) ? false : 'kapok-transcoder is not built';
};

describe('a rung whose worker dies under its viewer', { skip: noServer() || noTranscoder() || noChromium() }, () => {
  let server, push, pages, browser, folder;
  before(async () => {
    folder = temporaryFolder('ladder-playback');
    const file = join(folder.path, 'small.toml');
    writeFileSync(file, kLadder);
    server = await Server.start({ channels: { demo: `key = "${kKey}"\nladder = "${file}"` } });
    push = await new Push(await smallClip(), server.publishUrl()).running();
    await server.playable();
    await until('the rung in the multivariant playlist', async () => (await server.text('/live/demo/master.m3u8')).includes('180p'));
    pages = await startPageServer();
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await pages?.stop();
    await push?.stop();
    await server?.stop();
    folder?.remove();
  });
  const gaps = async () => parseMediaPlaylist(await server.text('/live/demo/180p/media.m3u8')).segments.filter(({ gap }) => gap).length;
  const workerPid = () => Number([...server.log.matchAll(/event=worker\.started\b[^\n]*\bpid=(\d+)/g)].at(-1)[1]);

  for (const [library, manifest] of [['hls', 'master.m3u8'], ['shaka', 'master.m3u8'], ['shaka', 'manifest.mpd'], ['dash', 'manifest.mpd']]) {
    test(`${library} goes on with ${manifest}`, async (t) => {
      const page = await browser.newPage();
      const line = await page.context().newCDPSession(page);
      const limit = (bytes) => line.send('Network.emulateNetworkConditions', {
        offline: false, latency: bytes < 0 ? 0 : 20, downloadThroughput: bytes, uploadThroughput: bytes,
      });
      await line.send('Network.enable');
      await limit(kSlowLine_Bps);
      await page.goto(pages.playUrl(library, `${server.url}/live/demo/${manifest}`));
      await untilMoving(page, 60_000);
      await until('the rung on the screen', async () => (await page.evaluate('window.observe()')).height === 180, { timeout_ms: 40_000, every_ms: 200 });
      await watch(page, 3);
      const before = await gaps();
      process.kill(workerPid(), 'SIGKILL');
      await limit(-1);
      const seen = await watch(page, 15);
      const advanced = seen.at(-1).time - seen[0].time;
      const heights = [...new Set(seen.map(({ height }) => height))];
      t.diagnostic(`played ${advanced.toFixed(1)} s of 15, lines ${heights.join(' ')}, ${seen.at(-1).stalls - seen[0].stalls} stalls`);
      assert.ok((await gaps()) > before, 'the rung has another gap');
      assert.deepEqual(seen.at(-1).problems, []);
      assert.ok(advanced > 11, `played ${advanced} s of 15`);
      await page.close();
    });
  }
});
