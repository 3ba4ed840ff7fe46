// An encoder that comes back with other parameters: one discontinuity, one new Period, and viewers who
// were watching go on watching.
// Runs alone: three players play at the same time, and dash.js, when it is late, has been seen to stand still before the hole
// between the two Periods.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launchChromium, noChromium } from './lib/browsers.mjs';
import { otherClip, smallClip } from './lib/clips.mjs';
import { startPageServer } from './lib/page_server.mjs';
import { numberOf, parseMediaPlaylist } from './lib/playlist.mjs';
import { Push } from './lib/push.mjs';
import { Server } from './lib/server.mjs';
import { watch, watchInAll } from './lib/watching.mjs';
import { noServer, sleep, until } from './lib/environment.mjs';

// For whoever has to find out why one stands still.
const stateOfVideo = () => {
  const video = document.querySelector('video');
  const ranges = Array.from({ length: video.buffered.length }, (_, i) => [video.buffered.start(i), video.buffered.end(i)]);
  return JSON.stringify({ time: video.currentTime, ready: video.readyState, paused: video.paused, rate: video.playbackRate, ranges });
};

describe('an encoder reconnects with another picture size and frame rate', { skip: noServer() || noChromium() }, () => {
  let server, push, pages, browser, players;
  before(async () => {
    server = await Server.start();
    push = await new Push(await smallClip(), server.publishUrl()).running();
    await server.playable();
    pages = await startPageServer();
    browser = await launchChromium();
    players = await watchInAll(browser, pages, server);
    await sleep(4_000);
    await push.stop();
    push = await new Push(await otherClip(), server.publishUrl()).running();
  });
  after(async () => {
    await browser?.close();
    await pages?.stop();
    await push?.stop();
    await server?.stop();
  });

  for (const [i, library] of ['shaka', 'dash', 'hls'].entries()) {
    test(`${library} goes on without being touched, with the new picture`, async (t) => {
      const { page } = players[i];
      let state = '';
      await until(`the new picture in ${library}`, async () => {
        const { height, problems } = await page.evaluate('window.observe()');
        if (problems.length > 0) throw new Error(problems.join('; '));
        state = await page.evaluate(stateOfVideo);
        return height === 270;
      }, { timeout_ms: 60_000 }).catch((error) => { throw new Error(`${error.message}; ${state}`); });
      // On a busy machine it may have to buffer once more before it goes on.
      let seen = await watch(page, 4);
      const begin = seen[0].time;
      await until(`${library} to play 2.5 s of it`, async () => {
        if (seen.at(-1).time > begin + 2.5) return true;
        seen = await watch(page, 1);
        return false;
      }, { timeout_ms: 30_000 });
      t.diagnostic(`${library}: latency ${push.latency(seen.at(-1).number, seen.at(-1).seen_ms).toFixed(2)} s, ${seen.at(-1).stalls} stalls`);
    });
  }

  test('one discontinuity, one new init segment, numbers run on', async () => {
    const playlist = parseMediaPlaylist(await server.text('/live/demo/source/media.m3u8'));
    assert.equal(playlist.segments.filter((segment) => segment.discontinuity).length, 1);
    assert.equal(new Set(playlist.segments.map((segment) => segment.map)).size, 2);
    playlist.segments.forEach((segment, i) => assert.equal(numberOf(segment), playlist.sequence + i));
  });

  test('two Periods, the second begins where the first ends or later', async () => {
    const mpd = await server.text('/live/demo/manifest.mpd');
    const starts = [...mpd.matchAll(/<Period[^>]*\bstart="PT([\d.]+)S"/g)].map((match) => Number(match[1]));
    assert.equal([...mpd.matchAll(/<Period\b/g)].length, 2, mpd);
    if (starts.length === 2) assert.ok(starts[1] > starts[0]);
  });
});
