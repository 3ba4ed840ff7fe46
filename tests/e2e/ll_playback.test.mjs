// Chromium plays LL-DASH and LL-HLS with the players that households and partners use; the burnt-in
// counter says how late the picture really is.
// Runs alone: it measures latency.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launchChromium, noChromium } from './lib/browsers.mjs';
import { smallClip } from './lib/clips.mjs';
import { startPageServer } from './lib/page_server.mjs';
import { Push } from './lib/push.mjs';
import { Server } from './lib/server.mjs';
import { judge, kLatencyBound_s, untilMoving, watch } from './lib/watching.mjs';
import { noServer } from './lib/environment.mjs';

const kWatch_s = Number(process.env.KAPOK_E2E_PLAY_S ?? 10);

describe('low-latency playback in Chromium', { skip: noServer() || noChromium() }, () => {
  let server, push, pages, browser;
  before(async () => {
    server = await Server.start({ channels: ['demo', 'young'] });
    push = await new Push(await smallClip(), server.publishUrl()).running();
    await server.playable();
    pages = await startPageServer();
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await pages?.stop();
    await push?.stop();
    await server?.stop();
  });

  async function plays(t, { library, address, goal_s, encoder }) {
    const page = await browser.newPage();
    try {
      await page.goto(pages.playUrl(library, `${server.url}/live/${address}`));
      await untilMoving(page);
      await watch(page, 3); // the players settle on their latency
      const figures = judge(await watch(page, kWatch_s), encoder);
      t.diagnostic(`${library} ${address}: ${JSON.stringify(figures)} (goal ${goal_s} s)`);
      assert.ok(figures.latency_s < kLatencyBound_s, `latency ${figures.latency_s} s`);
    } finally {
      await page.close();
    }
  }

  for (const [library, manifest, goal_s] of [
    ['shaka', 'manifest.mpd', 1.5],
    ['dash', 'manifest.mpd', 1.5],
    ['shaka', 'master.m3u8', 2.0],
    ['hls', 'master.m3u8', 2.0],
  ]) {
    test(`${library} plays ${manifest}`, (t) => plays(t, { library, address: `demo/${manifest}`, goal_s, encoder: push }));
  }

  // Two or three segments, the last of them growing: Shaka once looked for captions in that one.
  test('shaka plays master.m3u8 of a channel that has just begun', async (t) => {
    const encoder = await new Push(await smallClip(), server.publishUrl('young')).running();
    try {
      await server.playable('young');
      await plays(t, { library: 'shaka', address: 'young/master.m3u8', goal_s: 2.0, encoder });
    } finally {
      await encoder.stop();
    }
  });
});
