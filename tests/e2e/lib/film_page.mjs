// The film page of our own player, with the film that vod.test.mjs has made: 60 s, 25 frames/s, a thumbnail every 2 s, ten a sheet,
// pictures of 360 and 270 lines, Chinese (440 Hz, the main sound) and English (1320 Hz).
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { kPageReader } from './barcode.mjs';
import { complaints, launchChromium, noChromium } from './browsers.mjs';
import { kChineseHz, kEnglishHz } from './clips.mjs';
import { decodedNumbers } from './decoded.mjs';
import { sleep, until } from './environment.mjs';
import { accessibilityProblems, drawn, hears, noPage, playing, previewAt, statusOf, video } from './our_page.mjs';

const kSound = 'select[aria-label="Sound language"]';
const kQuality = 'select[aria-label="Quality"]';

/** Declares the tests; `server` is asked for when they run. */
export function onOurPage(server) {
  describe('on our own page', { skip: noChromium() || noPage() }, () => {
    let browser, context, page, problems;
    before(async () => {
      browser = await launchChromium();
      context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
      page = await context.newPage();
      problems = complaints(page, [/ERR_FAILED/]); // of the network that fails below
      await page.goto(`${server().url}/?lang=en`);
      await page.click('[data-film="film"]');
      await playing(page);
    });
    after(() => browser?.close());

    const seekTo = (time) => page.evaluate((to) => { document.querySelector('video').currentTime = to; }, time);
    const at = (what, from, to) =>
      until(what, async () => {
        const { time } = await video(page);
        if (time < from || time > to) throw new Error(`it is at ${time} s`);
        return true;
      });
    const blur = () => page.evaluate(() => document.activeElement?.blur());

    test('the picture over the seek bar is that of the time, of a sheet that is fetched once', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'kapok-film-page-'));
      const asked = [];
      page.on('request', (request) => {
        if (request.url().includes('/thumbnails/')) asked.push(new URL(request.url()).pathname);
      });
      try {
        for (const [fraction, text, frame] of [[0.5, '0:30', 750], [0.25, '0:15', 350], [0.8, '0:48', 1200]]) {
          // Half a second further, so that no rounding ends before the segment.
          const shown = await previewAt(page, fraction + 0.5 / 60);
          assert.equal(shown.text, text);
          assert.deepEqual(shown.place.slice(2), [312, 176]);
          assert.match(shown.src, /^\/vod\/film\/thumbnails\/sheet-\d+-2000000-[123]\.jpg$/);
          const file = join(folder, 'sheet.jpg');
          writeFileSync(file, await server().bytes(shown.src));
          assert.deepEqual(await decodedNumbers(file, shown.place), [frame]);
        }
        const { x, y, width, height } = await (await page.$('.seek')).boundingBox();
        await page.mouse.move(x + width * 0.98, y + height / 2, { steps: 20 });
        await page.mouse.move(x + width * 0.02, y + height / 2, { steps: 60 });
        await previewAt(page, 0.02);
        assert.deepEqual([...new Set(asked)].sort(), asked.sort(), 'each once');
        assert.equal(asked.length, 3, asked.join(' '));
      } finally {
        rmSync(folder, { recursive: true });
      }
    });

    test('a click on the bar seeks there, and the film plays on from there', async () => {
      const { x, y, width, height } = await (await page.$('.seek')).boundingBox();
      await page.mouse.click(x + width * 0.7, y + height / 2);
      await at('42 s', 41, 45);
      await playing(page);
      await page.evaluate(kPageReader);
      const seen = await until('the picture of then', () =>
        page.evaluate(() => {
          const v = document.querySelector('video');
          const number = window.readBarcode(v);
          return number !== null && Math.abs(number - v.currentTime * 25) < 10 && number;
        }));
      assert.ok(seen > 1025, `frame ${seen}`);
      await drawn('the time', () => page.textContent('.film-time'), /^0:4\d \/ 1:00$|^0:4\d \/ 0:59$/);
    });

    test('keys pause, seek and go back to the beginning', async () => {
      await blur();
      await page.keyboard.press('k');
      await until('the pause', async () => (await statusOf(page)) === 'paused');
      await seekTo(20);
      await page.keyboard.press('ArrowRight');
      await at('30 s', 29.9, 30.1);
      await page.keyboard.press('ArrowLeft');
      await page.keyboard.press('ArrowLeft');
      await at('10 s', 9.9, 10.1);
      await page.keyboard.press('Home');
      await at('the beginning', 0, 0.1);
      await page.focus('.seek');
      await page.keyboard.press('ArrowRight');
      await at('10 s by the bar', 9.9, 10.1);
      await page.waitForSelector('.seek-preview :is(img, svg)');
      await drawn('the place in words', () => page.getAttribute('.seek', 'aria-valuetext'), /^0:10 of (1:00|0:59)$/);
      await blur();
      await page.keyboard.press(' ');
      await playing(page);
    });

    test('arrows reach every control', async () => {
      await page.focus('.bar .control');
      const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label'));
      const wanted = await page.$$eval('.bar-row :is(button, input, select)', (all) => all.map((e) => e.getAttribute('aria-label')));
      for (const label of ['Sound language', 'Quality', 'Full screen']) assert.ok(wanted.includes(label), label);
      const reached = new Set([await focused()]);
      for (let i = 0; i < wanted.length + 2; i++) {
        await page.keyboard.press('ArrowRight');
        reached.add(await focused());
      }
      assert.deepEqual(wanted.filter((label) => !reached.has(label)), []);
      await page.keyboard.press('ArrowUp');
      assert.equal(await focused(), 'Position', 'up, to the seek bar');
      await page.keyboard.press('Backspace');
      assert.equal(await page.evaluate(() => document.activeElement.closest('.bar')), null, 'back is out of the controls first');
      assert.match(page.url(), /film=film/);
    });

    test('the sound changes to the other language and stays so', async () => {
      await seekTo(5);
      await playing(page);
      await hears(page, kChineseHz);
      const asked = [];
      page.on('request', (request) => asked.push(new URL(request.url()).pathname));
      const before = { ...(await video(page)), wall_ms: Date.now() };
      await page.selectOption(kSound, 'en/1');
      await hears(page, kEnglishHz);
      const went_s = (await video(page)).time - before.time;
      const wall_s = (Date.now() - before.wall_ms) / 1000;
      assert.ok(went_s > 0 && went_s < wall_s + 0.5, `the position went on by ${went_s} s in ${wall_s} s`);
      assert.ok(asked.some((path) => /\/vod\/film\/(audio|stereo)-en\//.test(path)), asked.join(' '));
      await page.reload();
      await playing(page);
      await hears(page, kEnglishHz);
      await drawn('the choice', () => page.inputValue(kSound), /^en\/1$/);
      await page.selectOption(kSound, 'zh/1');
      await hears(page, kChineseHz);
    });

    test('the quality is the one that is chosen, in the same sound', async () => {
      // A seek that comes while the init segment of the new quality is on its way aborts that.
      await page.route('**/init-*.mp4', async (route) => {
        await sleep(500);
        await route.continue().catch(() => undefined);
      });
      // None of it is buffered.
      for (const [height, elsewhere, first] of [['360', 45, true], ['270', 25], ['360', 45], ['270', 5]]) {
        const asked = first || page.waitForRequest(/\/init-[^/]*\.mp4$/); // it may play in the first one already
        await page.selectOption(kQuality, height);
        await asked;
        await seekTo(elsewhere);
        await until(`${height} lines`, async () => (await video(page)).height === Number(height));
        await drawn('the choice', () => page.inputValue(kQuality), new RegExp(`^${height}$`));
        await playing(page);
      }
      await page.unroute('**/init-*.mp4');
      await page.selectOption(kSound, 'en/1');
      await hears(page, kEnglishHz);
      await drawn('no other picture with another sound', () => page.inputValue(kQuality), /^270$/);
      await page.selectOption(kSound, 'zh/1');
      await page.selectOption(kQuality, 'auto');
    });

    test('when the network fails it says so, and goes on from there when it is back', async () => {
      await page.route('**/*.m4s', (route) => route.abort());
      await seekTo(50);
      await until('the failure', async () => (await statusOf(page)) === 'failed', { timeout_ms: 40_000 });
      assert.equal(await page.textContent('.failure-title'), 'The server cannot be reached');
      await page.unroute('**/*.m4s');
      await until('it to play', async () => (await statusOf(page)) === 'playing', { timeout_ms: 40_000 });
      await at('50 s', 50, 58);
    });

    test('it ends, and begins anew', async () => {
      await seekTo(58);
      await until('the end', async () => (await statusOf(page)) === 'ended', { timeout_ms: 20_000 });
      await blur();
      await page.keyboard.press(' ');
      await at('the beginning', 0, 5);
      await playing(page);
      assert.deepEqual(problems, [], 'nothing on the console, no violation of the content security policy');
    });

    test('nothing is in the way of screen readers, in HLS neither', async () => {
      const other = await browser.newPage({ bypassCSP: true }); // for axe itself
      await other.goto(`${server().url}/?film=film&proto=hls`);
      await playing(other);
      await hears(other, kChineseHz);
      await previewAt(other, 0.5);
      assert.deepEqual(await accessibilityProblems(other), []);
      await other.goto(`${server().url}/?film=none&lang=en`);
      await other.waitForSelector('.failure-title');
      assert.equal(await other.textContent('.failure-title'), 'There is no such film');
      await other.close();
    });
  });
}
