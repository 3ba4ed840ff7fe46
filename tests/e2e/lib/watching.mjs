// Watching a page of page_server.mjs and judging what was seen.
import assert from 'node:assert/strict';
import { Final, sleep, until } from './environment.mjs';

export const kMaxDropped = 0.1;
// The goals are 1.5 s (LL-DASH) and 2.0 s (LL-HLS); a shared, loaded machine may miss them without any
// fault of the server, so a test fails only far beyond. The figures are printed.
export const kLatencyBound_s = Number(process.env.KAPOK_E2E_LATENCY_BOUND_S ?? 4);

const observe = (page) => page.evaluate('window.observe()');

/** Resolves once pictures move. */
export async function untilMoving(page, timeout_ms = 20_000) {
  let first = null;
  let last = null;
  return until(
    'pictures that move',
    async () => {
      last = await observe(page);
      if (last.problems.length > 0) throw new Final(last.problems.join('; '));
      if (last.number === null || last.frames === 0) throw new Error(`nothing shown: ${JSON.stringify(last)}`);
      first ??= last;
      return last.time > first.time + 0.3 ? last : false;
    },
    { timeout_ms, every_ms: 150 },
  );
}

/** The demo channel in all three players, moving: [{ library, page }]. */
export async function watchInAll(browser, pages, server) {
  const players = [];
  for (const [library, manifest] of [['shaka', 'manifest.mpd'], ['dash', 'manifest.mpd'], ['hls', 'master.m3u8']]) {
    const page = await browser.newPage();
    await page.goto(pages.playUrl(library, `${server.url}/live/demo/${manifest}`));
    await untilMoving(page);
    players.push({ library, page });
  }
  return players;
}

/** Looks at the page every 200 ms for so many seconds. */
export async function watch(page, seconds) {
  const seen = [];
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    seen.push(await observe(page));
    await sleep(200);
  }
  return seen;
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

/** Time advances, pixels agree with it, few frames are dropped; returns figures to print. */
export function judge(seen, push, { minAdvance = 0.8 } = {}) {
  const first = seen[0];
  const last = seen[seen.length - 1];
  assert.deepEqual(last.problems, []);
  const wall_s = (last.seen_ms - first.seen_ms) / 1000;
  const advanced = last.time - first.time;
  assert.ok(advanced > wall_s * minAdvance, `in ${wall_s.toFixed(1)} s the time advanced ${advanced.toFixed(1)} s`);

  const { fps, frames: loop } = push.clip;
  const passed = (last.number - first.number + loop) % loop;
  const wanted = Math.round((advanced * fps) % loop);
  // The clip's sound is a little longer than its picture: each loop may add a frame.
  assert.ok(Math.abs(passed - wanted) <= 5, `the counter went on by ${passed}, the time by ${wanted} frames`);

  const shown = last.frames - first.frames;
  const dropped = last.dropped - first.dropped;
  assert.ok(shown > 0.7 * advanced * fps, `${shown} frames in ${advanced.toFixed(1)} s`);
  assert.ok(dropped <= kMaxDropped * shown, `${dropped} of ${shown} frames dropped`);

  const latencies = seen.filter((s) => s.number !== null).map((s) => push.latency(s.number, s.seen_ms));
  return {
    latency_s: Number(median(latencies).toFixed(2)),
    latency_max_s: Number(Math.max(...latencies).toFixed(2)),
    library_says_s: Number((median(seen.map((s) => s.library_latency ?? NaN))).toFixed(2)),
    stalls: last.stalls - first.stalls,
    dropped,
    shown,
    buffer_s: Number(median(seen.map((s) => s.buffer)).toFixed(2)),
  };
}
