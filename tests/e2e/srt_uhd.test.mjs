// A 4K feed that comes over SRT, with loss on the way, plays in Chromium over DASH and HLS.
// Runs alone: two cores hardly decode 4K.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launchChromium, noChromium } from './lib/browsers.mjs';
import { uhdClip } from './lib/clips.mjs';
import { startPageServer } from './lib/page_server.mjs';
import { Server } from './lib/server.mjs';
import { ffmpegUrl, Relay, SrtPush, streamId } from './lib/srt.mjs';
import { untilMoving, watch } from './lib/watching.mjs';
import { freePort, noServer } from './lib/environment.mjs';

describe('4K over SRT', { skip: noServer() || noChromium() }, () => {
  let server, relay, push, pages, browser;
  before(async () => {
    server = await Server.start();
    relay = await Relay.start(await freePort(), server.ports.srt, { loss: '1%', delay: '20ms', jitter: '10ms' });
    push = await new SrtPush(await uhdClip(), ffmpegUrl(relay.port, { id: streamId(), latency_ms: 500 })).running();
    await server.playable();
    pages = await startPageServer();
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await pages?.stop();
    await push?.stop();
    await relay?.program.stop();
    await server?.stop();
  });

  for (const [library, manifest] of [['shaka', 'manifest.mpd'], ['hls', 'master.m3u8']]) {
    test(`${library} plays ${manifest}`, async (t) => {
      const page = await browser.newPage();
      try {
        await page.goto(pages.playUrl(library, `${server.url}/live/demo/${manifest}`));
        await untilMoving(page, 30_000);
        const seen = await watch(page, 8);
        const [first, last] = [seen[0], seen.at(-1)];
        assert.deepEqual(last.problems, []);
        assert.equal(last.height, 2160);
        const wall_s = (last.seen_ms - first.seen_ms) / 1000;
        const advanced_s = last.time - first.time;
        // Two cores decode 4K in software beside the encoder's and the server's work: frames may be dropped, time may not stand.
        assert.ok(advanced_s > wall_s * 0.6, `in ${wall_s.toFixed(1)} s the time advanced ${advanced_s.toFixed(1)} s`);
        const { fps, frames } = push.clip;
        const passed = (last.number - first.number + frames) % frames;
        const off = Math.abs(passed - Math.round((advanced_s * fps) % frames));
        assert.ok(Math.min(off, frames - off) <= fps, `the counter went on by ${passed} in ${advanced_s.toFixed(2)} s`);
        t.diagnostic(`${library} ${manifest}: ${advanced_s.toFixed(1)} s of ${wall_s.toFixed(1)} s, ${last.frames - first.frames} frames shown, ${last.dropped - first.dropped} dropped`);
      } finally {
        await page.close();
      }
    });
  }
});
