// What is seen and heard of our own page in Chromium (launched with kAutoplay).
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { kRoot, sleep, until } from './environment.mjs';

const kAxe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

export const noPage = () =>
  existsSync(join(kRoot, 'player', 'dist', 'index.html')) ? false : 'player/dist is not built (npm run build)';

export const video = (page) =>
  page.evaluate(() => {
    const v = document.querySelector('video');
    const { totalVideoFrames } = v.getVideoPlaybackQuality();
    return { time: v.currentTime, frames: totalVideoFrames, paused: v.paused, height: v.videoHeight };
  });

export const playing = (page) =>
  until('our page to play', async () => {
    const before = await video(page);
    await sleep(500);
    const now = await video(page);
    return now.time > before.time + 0.2 && now.frames > before.frames;
  }, { timeout_ms: 20_000 });

/** What the page says is drawn four times a second. */
export const drawn = (what, get, pattern) =>
  until(what, async () => {
    const text = await get();
    if (!pattern.test(text)) throw new Error(`it says ${text}`);
    return true;
  }, { every_ms: 50 });

export const statusOf = (page) => page.getAttribute('.frame', 'data-status');

/** The loudest tone that comes out of the page's <video> now, in Hz; 0: silence. */
export const tone = (page) =>
  page.evaluate(async () => {
    if (window.ear === undefined) {
      const context = new AudioContext();
      const analyser = context.createAnalyser();
      analyser.fftSize = 4096;
      analyser.smoothingTimeConstant = 0;
      context.createMediaElementSource(document.querySelector('video')).connect(analyser).connect(context.destination);
      await context.resume();
      window.ear = analyser;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    const bins = new Float32Array(window.ear.frequencyBinCount);
    window.ear.getFloatFrequencyData(bins);
    const loudest = bins.indexOf(Math.max(...bins));
    return bins[loudest] < -80 ? 0 : (loudest * window.ear.context.sampleRate) / window.ear.fftSize;
  });

/** Waits until a tone is heard; returns for how many ms it took. */
export async function hears(page, hertz, timeout_ms = 15_000) {
  const began = Date.now();
  await until(`${hertz} Hz`, async () => {
    const heard = await tone(page);
    if (Math.abs(heard - hertz) > 30) throw new Error(`${heard} Hz are heard`);
    return true;
  }, { timeout_ms, every_ms: 50 });
  return Date.now() - began;
}

/** What is above the seek bar: { src, place: [x, y, width, height] in it, width, text }; false while there is no picture. */
export const preview = (page) =>
  page.evaluate(() => {
    const text = document.querySelector('.seek-preview span')?.textContent;
    const image = document.querySelector('.seek-preview img');
    if (image !== null) {
      const { naturalWidth: width, naturalHeight: height } = image;
      return image.complete && width > 0 && { src: new URL(image.src).pathname, place: [0, 0, width, height], width, text };
    }
    const tile = document.querySelector('.seek-preview svg');
    if (tile === null) return false;
    const { x, y, width, height } = tile.viewBox.baseVal;
    const src = new URL(tile.querySelector('image').href.baseVal, location.href).pathname;
    return { src, place: [x, y, width, height], width, text };
  });

/** That with the pointer at a fraction of the bar. */
export async function previewAt(page, fraction) {
  return until('a picture over the seek bar', async () => {
    const { x, y, width, height } = await (await page.$('.seek')).boundingBox();
    const at = x + 8 + (width - 16) * fraction; // the middle of the thumb reaches the ends
    await page.mouse.move(at, y + height / 2 - 1);
    await page.mouse.move(at, y + height / 2);
    await sleep(300);
    return preview(page);
  }, { timeout_ms: 15_000, every_ms: 200 });
}

/** WCAG 2.2 A and AA, as far as a program can tell. */
export async function accessibilityProblems(page) {
  await page.evaluate(readFileSync(kAxe, 'utf8'));
  return page.evaluate(async () => {
    const runOnly = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    const { violations } = await window.axe.run(document, { runOnly });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`);
  });
}
