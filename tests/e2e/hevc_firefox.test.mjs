// HEVC Main 10 over Enhanced RTMP reaches a browser that can decode it: Firefox ESR.
// Runs alone: it counts the frames that a software decoder drops.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launchFirefox, noFirefox } from './lib/browsers.mjs';
import { hevcClip } from './lib/clips.mjs';
import { startPageServer } from './lib/page_server.mjs';
import { EnhancedPush } from './lib/push.mjs';
import { Server } from './lib/server.mjs';
import { judge, untilMoving, watch } from './lib/watching.mjs';
import { noServer } from './lib/environment.mjs';

describe('HEVC in Firefox', { skip: noServer() || noFirefox() }, () => {
  let server, push, pages, browser;
  before(async () => {
    server = await Server.start();
    push = await new EnhancedPush(await hevcClip(), server.publishUrl()).running();
    await server.playable();
    pages = await startPageServer();
    browser = await launchFirefox();
  });
  after(async () => {
    await browser?.close();
    await pages?.stop();
    await push?.stop();
    await server?.stop();
  });

  test('the manifests name the codec', async () => {
    const master = await server.text('/live/demo/master.m3u8');
    assert.match(master, /CODECS="[^"]*hvc1\.2\.4\.L\d+/);
    assert.match(await server.text('/live/demo/manifest.mpd'), /codecs="hvc1\.2\.4\.L\d+/);
  });

  for (const [library, manifest] of [['shaka', 'manifest.mpd'], ['hls', 'master.m3u8']]) {
    test(`${library} plays ${manifest}`, async (t) => {
      const page = await browser.newPage();
      try {
        await page.goto(pages.playUrl(library, `${server.url}/live/demo/${manifest}`));
        await untilMoving(page, 30_000);
        await watch(page, 3);
        t.diagnostic(`${library} ${manifest}: ${JSON.stringify(judge(await watch(page, 6), push))}`);
      } finally {
        await page.close();
      }
    });
  }
});
