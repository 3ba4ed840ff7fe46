// Three households watch; the report says how long, kapok-verify recomputes it from the log alone, and a
// single changed byte is found.
import assert from 'node:assert/strict';
import { cpSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launchChromium, noChromium } from './lib/browsers.mjs';
import { smallClip } from './lib/clips.mjs';
import { hoursReport, ledgerFiles, verifierKey, verify, viewedMs } from './lib/hours.mjs';
import { Push } from './lib/push.mjs';
import { Server } from './lib/server.mjs';
import { kRoot, noServer, sleep, temporaryFolder, until, verifyBinary } from './lib/environment.mjs';

const kWatch_s = Number(process.env.KAPOK_E2E_WATCH_S ?? 60);
const kHouseholds = 3;
const kTolerance_ms = 1_000; // for each household
// The seconds before the mark: when the playhead first moved, measured in the page itself.
const kMeasure = () => {
  const video = document.querySelector('video');
  const played = { ms: 0, last: null };
  const tick = () => {
    if (played.last !== null && !video.paused && !video.seeking) {
      const step = (video.currentTime - played.last) * 1000;
      if (step > 0 && step < 1000) played.ms += step;
    }
    played.last = video.seeking ? null : video.currentTime;
    requestAnimationFrame(tick);
  };
  tick();
  window.playedMs = () => played.ms;
};

describe('three households', { skip: noServer() || noChromium() }, () => {
  let server, push, browser, report, viewed;
  const folder = temporaryFolder('hours');
  const truth = [];
  before(async () => {
    server = await Server.start();
    push = await new Push(await smallClip(), server.publishUrl()).running();
    await server.playable();
    browser = await launchChromium();
    const pages = [];
    for (let i = 0; i < kHouseholds; i++) {
      const page = await (await browser.newContext()).newPage();
      await page.goto(`${server.url}/watch/demo`, { waitUntil: 'domcontentloaded' });
      await page.waitForSelector('video');
      await page.evaluate(kMeasure);
      pages.push(page);
    }
    await Promise.all(
      pages.map((page) =>
        until('playback', () => page.evaluate(() => window.playedMs() > 200), { timeout_ms: 30_000 }),
      ),
    );
    await sleep(kWatch_s * 1000);
    for (const page of pages) {
      await page.keyboard.press('k');
      await until('the pause', () => page.evaluate(() => document.querySelector('video').paused));
      truth.push(await page.evaluate(() => window.playedMs()));
    }
    await sleep(1_000);
    for (const page of pages) await page.close();
    const wanted = truth.reduce((sum, ms) => sum + ms, 0);
    await until('the hours in the report', async () => (viewed = await viewedMs(server)) > wanted - kHouseholds * kTolerance_ms, {
      timeout_ms: 90_000, every_ms: 2_000,
    }).catch(() => undefined); // the test says by how much it is off
    report = await hoursReport(server);
  });
  after(async () => {
    await browser?.close();
    await push?.stop();
    await server?.stop();
    folder.remove();
  });

  test('the report says as long as they watched, within a second each', (t) => {
    const wanted = truth.reduce((sum, ms) => sum + ms, 0);
    t.diagnostic(`watched ${truth.map((ms) => Math.round(ms)).join(' + ')} = ${Math.round(wanted)} ms, credited ${viewed} ms`);
    t.diagnostic(JSON.stringify(JSON.parse(report).viewing_hours));
    assert.ok(Math.abs(viewed - wanted) <= kHouseholds * kTolerance_ms, `off by ${Math.round(viewed - wanted)} ms`);
    assert.equal(JSON.parse(report).viewing_hours.total.sessions, kHouseholds);
  });

  test('the CSV holds both measures apart', async () => {
    const csv = await hoursReport(server, '?format=csv');
    assert.match(csv, /\r\n/);
    assert.ok(csv.includes('programme-demo'), csv);
  });

  const noVerify = () => (verifyBinary() === null ? 'kapok-verify is not built' : false);

  test('kapok-verify agrees with the log and the report, with the server running', { skip: noVerify() }, async (t) => {
    const path = join(folder.path, 'report.json');
    writeFileSync(path, report);
    const ledger = join(server.data, 'ledger');
    const { code, output } = await verify(ledger, verifierKey(server.data), '--report', path);
    t.diagnostic(output.trim().split('\n').slice(-3).join(' | '));
    assert.equal(code, 0, output);
  });

  test('a report with another figure is found', { skip: noVerify() }, async () => {
    const path = join(folder.path, 'forged.json');
    const forged = JSON.parse(report);
    forged.viewing_hours.total.total_ms += 3_600_000;
    writeFileSync(path, JSON.stringify(forged));
    const { code, output } = await verify(join(server.data, 'ledger'), verifierKey(server.data), '--report', path);
    assert.equal(code, 1, output);
  });

  test('a flipped byte is found, wherever it is', { skip: noVerify() }, async (t) => {
    const original = join(server.data, 'ledger');
    const key = verifierKey(server.data);
    const files = ledgerFiles(original).filter((path) => /tile|checkpoint/.test(path) && statSync(path).size > 0);
    assert.ok(files.length > 0);
    for (const file of files) {
      const copy = join(folder.path, 'flipped');
      cpSync(original, copy, { recursive: true, force: true });
      const path = join(copy, file.slice(original.length + 1));
      const bytes = readFileSync(path);
      const at = Math.floor(bytes.length / 2);
      bytes[at] ^= 1;
      writeFileSync(path, bytes);
      const { code, output } = await verify(copy, key);
      assert.notEqual(code, 0, `byte ${at} of ${file}: ${output}`);
      bytes[at] ^= 1;
      writeFileSync(path, bytes);
    }
    t.diagnostic(`${files.length} files, a flipped byte in each is found`);
  });
});

test('the page that households use is built', { skip: noServer() }, () => {
  assert.ok(existsSync(join(kRoot, 'player', 'dist', 'index.html')), 'npm ci && npm run build in player/');
});
