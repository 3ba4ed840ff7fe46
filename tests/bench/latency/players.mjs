// How late the picture is in Chromium, by the counter burnt into it: for each player with the settings we ship, then with
// its target lowered step by step until it stalls. A target holds when a minute passes without a stall; a picture that
// stands still while the clock goes on (kFrozen_s) is one too, whatever the player says.
//
//   node tests/bench/latency/players.mjs [--seconds 60] [--only shaka-dash,dashjs,shaka-hls,hlsjs]
//
// Plays the small clip of the end-to-end tests: decoding 4K without a GPU would measure the decoder.
import { parseArgs } from 'node:util';
import { launchChromium } from '../../e2e/lib/browsers.mjs';
import { smallClip } from '../../e2e/lib/clips.mjs';
import { startPageServer } from '../../e2e/lib/page_server.mjs';
import { Push } from '../../e2e/lib/push.mjs';
import { Server } from '../../e2e/lib/server.mjs';
import { untilMoving, watch } from '../../e2e/lib/watching.mjs';

const kFrozen_s = 0.5;
const kGivenUp_s = 0.5;
const kSettle_s = 8; // players creep towards their target at 1.04
const kSteps_s = [1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2];
const kPlayers = [
  { name: 'shaka-dash', library: 'shaka', manifest: 'manifest.mpd', goal_s: 1.5 },
  { name: 'dashjs', library: 'dash', manifest: 'manifest.mpd', goal_s: 1.5 },
  { name: 'shaka-hls', library: 'shaka', manifest: 'master.m3u8', goal_s: 2.0 },
  { name: 'hlsjs', library: 'hls', manifest: 'master.m3u8', goal_s: 2.0 },
];

const { values: options } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, only: { type: 'string' } },
});
const seconds = Number(options.seconds);
const chosen = kPlayers.filter(({ name }) => options.only === undefined || options.only.split(',').includes(name));

/** The longest time for which the counter stood still. */
function longestFreeze_s(seen) {
  let longest = 0;
  let since = seen[0];
  for (const now of seen) {
    if (now.number !== since.number) since = now;
    longest = Math.max(longest, (now.seen_ms - since.seen_ms) / 1000);
  }
  return longest;
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

async function measure(browser, url, push) {
  const page = await browser.newPage();
  try {
    await page.goto(url);
    await untilMoving(page);
    await watch(page, kSettle_s);
    const seen = await watch(page, seconds);
    const stalls = seen.at(-1).stalls - seen[0].stalls;
    const frozen_s = longestFreeze_s(seen);
    const latencies = seen.filter(({ number }) => number !== null).map((s) => push.latency(s.number, s.seen_ms));
    return {
      holds: stalls === 0 && frozen_s < kFrozen_s && seen.at(-1).problems.length === 0,
      text: `${median(latencies).toFixed(2)} s (max ${Math.max(...latencies).toFixed(2)}), ${stalls} stalls, ` +
        `longest still picture ${frozen_s.toFixed(2)} s`,
      latency_s: median(latencies),
    };
  } catch (error) {
    return { holds: false, text: `does not play: ${error.message}`, latency_s: NaN };
  } finally {
    await page.close();
  }
}

const server = await Server.start();
const push = await new Push(await smallClip(), server.publishUrl()).running();
const pages = await startPageServer();
const browser = await launchChromium();
try {
  await server.playable();
  for (const { name, library, manifest, goal_s } of chosen) {
    const url = `${server.url}/live/demo/${manifest}`;
    const shipped = await measure(browser, pages.playUrl(library, url), push);
    const met = shipped.holds && shipped.latency_s <= goal_s;
    console.log(`${name.padEnd(11)} as shipped: ${shipped.text}; goal ${goal_s} s ${met ? 'met' : 'MISSED'}`);
    let lowest = shipped.holds ? shipped : null;
    for (const target_s of kSteps_s) {
      const figures = await measure(browser, pages.playUrl(library, url, target_s), push);
      console.log(`${name.padEnd(11)} target ${target_s} s: ${figures.text}`);
      // Falling behind without a stall is no way to hold a target either.
      if (!figures.holds || (lowest !== null && figures.latency_s > lowest.latency_s + kGivenUp_s)) break;
      if (lowest === null || figures.latency_s < lowest.latency_s) lowest = figures;
    }
    console.log(`${name.padEnd(11)} lowest without a stall in ${seconds} s: ${lowest?.latency_s.toFixed(2) ?? 'none'} s`);
  }
} finally {
  await browser.close();
  await pages.stop();
  await push.stop();
  await server.stop();
}
