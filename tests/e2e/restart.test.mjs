// kill -9 while people watch: the server comes back with its window and its numbers, and players go on
// without a reload.
// Runs busy: three players play at the same time.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launchChromium, noChromium } from './lib/browsers.mjs';
import { smallClip } from './lib/clips.mjs';
import { startPageServer } from './lib/page_server.mjs';
import { numberOf, parseMediaPlaylist } from './lib/playlist.mjs';
import { Push } from './lib/push.mjs';
import { Server } from './lib/server.mjs';
import { watch, watchInAll } from './lib/watching.mjs';
import { noServer, sleep, until } from './lib/environment.mjs';

const kPlaylist = '/live/demo/source/media.m3u8';
const partNumber = (part) => Number(/p(\d+)\.m4s$/.exec(part.uri)?.[1]);

describe('kill -9 and start again', { skip: noServer() || noChromium() }, () => {
  let server, push, pages, browser, players;
  let was, mpdWas;
  before(async () => {
    const clip = await smallClip();
    server = await Server.start();
    push = await new Push(clip, server.publishUrl()).running();
    await server.playable();
    pages = await startPageServer();
    browser = await launchChromium();
    players = await watchInAll(browser, pages, server);
    await sleep(5_000);
    was = parseMediaPlaylist(await server.text(kPlaylist));
    mpdWas = await server.text('/live/demo/manifest.mpd');
    await server.kill();
    await push.stop();
    await server.launch();
  });
  after(async () => {
    await browser?.close();
    await pages?.stop();
    await push?.stop();
    await server?.stop();
  });

  test('everything that was listed is still listed and still there, before any encoder is back', async () => {
    const now = parseMediaPlaylist(await server.text(kPlaylist));
    assert.equal(now.sequence, was.sequence);
    assert.ok(now.segments.length >= was.segments.length);
    for (const segment of was.segments) {
      const bytes = await server.bytes(`/live/demo/source/${segment.uri}`);
      assert.ok(bytes.length > 0, segment.uri);
    }
  });

  test('players go on without a reload once the encoder is back', async (t) => {
    const marks = await Promise.all(players.map(({ page }) => page.evaluate('window.observe()')));
    push = await new Push(await smallClip(), server.publishUrl()).running();
    for (const [i, { library, page }] of players.entries()) {
      let last = null;
      await until(`${library} to go on`, async () => {
        const seen = await page.evaluate('window.observe()');
        if (seen.problems.length > 0) throw new Error(seen.problems.join('; '));
        last = seen;
        return seen.frames > marks[i].frames + 25 && seen.time > marks[i].time + 0.5;
      }, { timeout_ms: 45_000 }).catch((error) => {
        throw new Error(`${error.message} ${JSON.stringify(last)}`);
      });
      const seen = await watch(page, 4);
      assert.ok(seen.at(-1).time > seen[0].time + 2.5, `${library}: ${seen[0].time} -> ${seen.at(-1).time}`);
      t.diagnostic(`${library} plays on, ${push.latency(seen.at(-1).number, seen.at(-1).seen_ms).toFixed(2)} s late`);
    }
  });

  test('numbers never go back', async () => {
    const now = parseMediaPlaylist(await server.text(kPlaylist));
    now.segments.forEach((segment, i) => assert.equal(numberOf(segment), now.sequence + i));
    assert.ok(now.sequence >= was.sequence);
    assert.ok(numberOf(now.segments.at(-1)) > numberOf(was.segments.at(-1)));
    assert.ok(now.discontinuitySequence >= was.discontinuitySequence);
    assert.ok(partNumber(now.parts.at(-1)) > partNumber(was.parts.at(-1)));
    const dates = now.segments.map((segment) => segment.utc_ms).filter((utc) => utc !== undefined);
    assert.deepEqual(dates, [...dates].sort((a, b) => a - b));
  });

  test('availabilityStartTime is the same', async () => {
    const start = (mpd) => /availabilityStartTime="([^"]+)"/.exec(mpd)?.[1];
    assert.ok(start(mpdWas));
    assert.equal(start(await server.text('/live/demo/manifest.mpd')), start(mpdWas));
  });
});
