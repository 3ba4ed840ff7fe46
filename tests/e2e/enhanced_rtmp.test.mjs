// What legacy RTMP has no form for, pushed by FFmpeg 8.1: AV1 with Opus into Chromium, and several pictures and sounds in
// one feed.
// Runs busy: AV1 is encoded, and decoded by a browser.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launchChromium, noChromium } from './lib/browsers.mjs';
import { av1Clip, multitrackClip } from './lib/clips.mjs';
import { decodedNumbers } from './lib/decoded.mjs';
import { noServer, run, sleep, temporaryFolder } from './lib/environment.mjs';
import { startPageServer } from './lib/page_server.mjs';
import { frozen, parseMediaPlaylist } from './lib/playlist.mjs';
import { EnhancedPush } from './lib/push.mjs';
import { Server } from './lib/server.mjs';
import { judge, untilMoving, watch } from './lib/watching.mjs';

describe('Enhanced RTMP', { skip: noServer() }, () => {
  let server, folder;
  before(async () => {
    folder = temporaryFolder('enhanced');
    server = await Server.start({ channels: ['av1', 'many'] });
  });
  after(async () => {
    await server?.stop();
    folder?.remove();
  });

  test('AV1 and Opus play in Chromium', { skip: noChromium() }, async (t) => {
    const push = await new EnhancedPush(await av1Clip(), server.publishUrl('av1')).running();
    let browser, pages;
    try {
      await server.playable('av1');
      assert.match(await server.text('/live/av1/master.m3u8'), /CODECS="av01\.0\.\d\d[MH]\.08[^"]*,[Oo]pus"/);
      pages = await startPageServer();
      browser = await launchChromium();
      for (const [library, manifest] of [['shaka', 'manifest.mpd'], ['hls', 'master.m3u8']]) {
        const page = await browser.newPage();
        await page.goto(pages.playUrl(library, `${server.url}/live/av1/${manifest}`));
        await untilMoving(page);
        await watch(page, 2);
        t.diagnostic(`${library} ${manifest}: ${JSON.stringify(judge(await watch(page, 4), push))}`);
        await page.close();
      }
    } finally {
      await browser?.close();
      await pages?.stop();
      await push.stop();
    }
  });

  test('two pictures and two sounds of one feed are renditions of one channel', async (t) => {
    const push = await new EnhancedPush(await multitrackClip(), server.publishUrl('many')).running();
    try {
      await server.playable('many');
      await sleep(5_000);
      const master = await server.text('/live/many/master.m3u8');
      for (const [rendition, codec, size] of [
        ['source', 'h264', [640, 360]], ['source-2', 'hevc', [320, 180]], ['audio-1', 'aac'], ['audio-2', 'ac3'],
      ]) {
        assert.ok(master.includes(`${rendition}/media.m3u8`), `${rendition} is not in ${master}`);
        const playlist = parseMediaPlaylist(await server.text(`/live/many/${rendition}/media.m3u8`));
        assert.equal(playlist.segments.filter((segment) => segment.gap || segment.discontinuity).length, 0, rendition);
        const path = join(folder.path, `${rendition}.m3u8`);
        writeFileSync(path, frozen(playlist, `${server.url}/live/many/${rendition}/media.m3u8`));
        const { stdout } = await run('ffprobe', ['-v', 'error', '-protocol_whitelist', 'file,http,tcp', '-show_streams', '-of', 'json', path]);
        const [stream] = JSON.parse(stdout).streams;
        assert.equal(stream.codec_name, codec);
        if (size === undefined) continue;
        assert.deepEqual([stream.width, stream.height], size);
        const numbers = await decodedNumbers(path);
        assert.ok(numbers.length >= 2 * push.clip.fps, `${rendition}: ${numbers.length} frames`);
        assert.deepEqual(numbers, numbers.map((_, i) => numbers[0] + i), rendition);
        t.diagnostic(`${rendition}: ${numbers.length} frames, each once`);
      }
    } finally {
      await push.stop();
    }
  });
});
