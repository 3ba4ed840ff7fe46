// Bonded SRT: several links carry one stream, and one of them dies. Byte by byte where both ends are receivers of raw
// bytes, frame by frame through the whole server. The peer is libsrt, built with its bonding option from Debian's own
// source package; kapok-send is the other. libsrt's sender and receiver read and write without pacing, so a paced source
// is piped in.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { smallClip } from './lib/clips.mjs';
import { decodedNumbers } from './lib/decoded.mjs';
import { freePort, kRoot, noServer, Program, run, sleep, temporaryFolder, until } from './lib/environment.mjs';
import { frozen, parseMediaPlaylist } from './lib/playlist.mjs';
import { kKey, Server } from './lib/server.mjs';
import { receiveBinary, Relay, sendBinary } from './lib/srt.mjs';

const kBuildLibsrt = join(kRoot, 'tests', 'support', 'build-libsrt-bonding');
const kLoss = { loss: '5%', delay: '15ms', jitter: '5ms' };

const sha256 = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** Seconds of the clip as TS, with a clock that a sender can pace by. */
const made = new Map();
function material(folder, seconds) {
  const path = join(folder, `source-${seconds}.ts`);
  return made.get(path) ?? made.set(path, make(path, seconds)).get(path);
}
async function make(path, seconds) {
  const clip = await smallClip();
  // Whole messages of seven packets: how the last one is cut is no matter of bonding.
  await run('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-y', '-i', clip.path, '-t', String(seconds), '-c', 'copy', '-f', 'mpegts', path]);
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.subarray(0, bytes.length - (bytes.length % 1316)));
  return path;
}

// Two at the same time: they only wait.
describe('bonded links, byte by byte', { skip: noServer(), concurrency: 2 }, () => {
  let folder, libsrt;
  before(async () => {
    folder = temporaryFolder('bonding');
    libsrt = (await run(kBuildLibsrt, [])).stdout.toString().trim().split('\n').at(-1);
  });
  after(() => folder?.remove());

  /** Two relays to `port`, each with losses of its own. */
  async function relays(port, network = kLoss) {
    const one = await Relay.start(await freePort(), port, { ...network, seed: 11 });
    const other = await Relay.start(await freePort(), port, { ...network, seed: 23 });
    return [one, other];
  }

  /** Ours receives: into a file, until the sender is done. */
  async function received(port, latency_ms, work) {
    const path = join(folder.path, `received-${port}.ts`);
    const receiver = new Program(receiveBinary(), ['--port', String(port), '--latency', String(latency_ms), '--file', path]);
    try {
      await sleep(300);
      await work();
      await sleep(latency_ms + 1_000);
    } finally {
      await receiver.stop('SIGTERM');
    }
    return { path, report: JSON.parse(receiver.output.trim().split('\n').at(-1)) };
  }

  const kapokSend = (source, mode, latency_ms, ports) =>
    new Program(sendBinary(), [
      '--bond', mode, '--latency', String(latency_ms), '--stream-id', 'publish:bonded', source,
      ...ports.map((port, i) => `srt://127.0.0.1:${port}?weight=${10 - i}`),
    ]);

  /** srt-test-live of libsrt reads from a paced pipe. */
  function libsrtSend(source, mode, latency_ms, ports) {
    const pace = spawn(process.execPath, [join(kRoot, 'tests', 'e2e', 'lib', 'pace.mjs'), source], { stdio: ['ignore', 'pipe', 'inherit'] });
    const sender = new Program(join(libsrt, 'srt-test-live'), [
      'file://con', '-g', `srt://*?type=${mode}&latency=${latency_ms}`, ...ports.map((port, i) => `127.0.0.1:${port}?weight=${10 - i}`),
    ], { stdio: [pace.stdout, 'pipe', 'pipe'] });
    sender.exited.then(() => pace.kill('SIGKILL'));
    return sender;
  }

  for (const [name, start] of [['kapok-send', kapokSend], ['libsrt', libsrtSend]]) {
    test(`${name} -> Kapok, broadcast: 5 % loss on both links, one dark for 10 s: the same bytes`, async (t) => {
      const source = await material(folder.path, 20);
      const port = await freePort();
      const [one, other] = await relays(port);
      let said = '';
      const { path, report } = await received(port, 700, async () => {
        const sender = start(source, 'broadcast', 700, [one.port, other.port]);
        await sleep(4_000);
        one.dark();
        await sleep(10_000);
        one.light();
        await sender.exited;
        said = sender.output;
      });
      const counts = [await one.counts(), await other.counts()];
      t.diagnostic(`lost on the way ${counts.map((c) => c.up.lost).join(' + ')}, dark ${counts[0].up.dark}; ${JSON.stringify(report)}`);
      assert.ok(counts[0].up.dark > 0 && counts[1].up.lost > 0, 'both links were harmed');
      assert.equal(report.dropped, 0);
      assert.equal(sha256(path), sha256(source), `${readFileSync(path).length} bytes of ${readFileSync(source).length}; ${said}`);
    });

    test(`${name} -> Kapok, main/backup: the main link dies: none lost at 1 s`, async (t) => {
      const source = await material(folder.path, 12);
      const port = await freePort();
      const [one, other] = await relays(port, { delay: '15ms' });
      const { path, report } = await received(port, 1_000, async () => {
        const sender = start(source, 'backup', 1_000, [one.port, other.port]);
        await sleep(4_000);
        one.dark();
        await sender.exited;
      });
      const counts = [await one.counts(), await other.counts()];
      t.diagnostic(`main ${counts[0].up.received}, dark ${counts[0].up.dark}, backup ${counts[1].up.received}; ${JSON.stringify(report)}`);
      assert.ok(counts[0].up.dark > 0, 'the main link was in use when it died');
      assert.equal(report.dropped, 0);
      assert.equal(sha256(path), sha256(source));
    });
  }

  for (const mode of ['broadcast', 'backup']) {
    test(`kapok-send -> libsrt, ${mode}: the same bytes`, async () => {
      const source = await material(folder.path, 8);
      const port = await freePort();
      const [one, other] = await relays(port, mode === 'broadcast' ? kLoss : { delay: '15ms' });
      const latency_ms = mode === 'broadcast' ? 700 : 1_000; // the other link is found in that time, on a loaded machine too
      const path = join(folder.path, `libsrt-${mode}.ts`);
      const receiver = new Program('sh', ['-c',
        `exec '${join(libsrt, 'srt-test-live')}' 'srt://:${port}?groupconnect=1&latency=${latency_ms}' file://con > '${path}'`]);
      await sleep(500);
      const sender = kapokSend(source, mode, latency_ms, [one.port, other.port]);
      await sleep(3_000);
      one.dark();
      await sender.exited;
      await sleep(latency_ms + 1_000);
      await receiver.stop('SIGINT');
      await one.counts();
      await other.counts();
      assert.equal(sha256(path), sha256(source), `${sender.output}\n${receiver.output}`);
    });
  }
});

describe('bonded links into a channel', { skip: noServer() }, () => {
  test('kapok-send in both modes: every frame once though the first link dies', async (t) => {
    const folder = temporaryFolder('bonded');
    const clip = await smallClip();
    const server = await Server.start({ channels: ['broadcast', 'backup'] });
    const started = [];
    try {
      const source = await material(folder.path, 30);
      const keyFile = join(folder.path, 'key');
      writeFileSync(keyFile, kKey, { mode: 0o600 });
      const first = {};
      for (const mode of ['broadcast', 'backup']) {
        const network = mode === 'broadcast' ? kLoss : { delay: '15ms' };
        first[mode] = await Relay.start(await freePort(), server.ports.srt, { ...network, seed: 5 });
        const second = await Relay.start(await freePort(), server.ports.srt, { ...network, seed: 6 });
        started.push(first[mode].program, second.program, new Program(sendBinary(), [
          '--bond', mode, '--latency', '1000', '--channel', mode, '--key-file', keyFile, source,
          `srt://127.0.0.1:${first[mode].port}?weight=20`, `srt://127.0.0.1:${second.port}?weight=10`,
        ]));
      }
      await server.playable('broadcast');
      await server.playable('backup');
      for (const relay of Object.values(first)) relay.dark();
      await sleep(10_000);
      for (const mode of ['broadcast', 'backup']) {
        const playlist = parseMediaPlaylist(await server.text(`/live/${mode}/source/media.m3u8`));
        const path = join(folder.path, `${mode}.m3u8`);
        writeFileSync(path, frozen(playlist, `${server.url}/live/${mode}/source/media.m3u8`));
        const numbers = await decodedNumbers(path);
        assert.ok(numbers.length >= 6 * clip.fps, `${mode}: ${numbers.length} frames`);
        assert.deepEqual(numbers, numbers.map((_, i) => numbers[0] + i), mode);
        const feed = (await server.adminJson(`/api/v1/channels/${mode}/feeds`)).feeds[0];
        assert.equal(feed.srt.links.length >= 1, true, JSON.stringify(feed));
        t.diagnostic(`${mode}: ${numbers.length} frames, each once; ${JSON.stringify(feed.srt)}`);
      }
    } finally {
      for (const program of started.reverse()) await program.stop('SIGTERM');
      await server.stop();
      folder.remove();
    }
  });
});

describe('main/backup at a short latency', { skip: noServer() }, () => {
  test('the gap is at most 250 ms', async (t) => {
    const folder = temporaryFolder('backup');
    const source = await material(folder.path, 12);
    const bytes_per_s = readFileSync(source).length / 12;
    const port = await freePort();
    const one = await Relay.start(await freePort(), port, { delay: '15ms' });
    const other = await Relay.start(await freePort(), port, { delay: '15ms', seed: 2 });
    const path = join(folder.path, 'received.ts');
    const receiver = new Program(receiveBinary(), ['--port', String(port), '--latency', '250', '--file', path]);
    try {
      await until('the receiver', () => receiver.alive);
      const sender = new Program(sendBinary(), [
        '--bond', 'backup', '--latency', '250', '--stream-id', 'publish:x', source,
        `srt://127.0.0.1:${one.port}?weight=20`, `srt://127.0.0.1:${other.port}?weight=10`,
      ]);
      await sleep(4_000);
      one.dark();
      await sender.exited;
      await sleep(1_500);
      await receiver.stop('SIGTERM');
      const missing = readFileSync(source).length - readFileSync(path).length;
      const gap_ms = (missing / bytes_per_s) * 1000;
      t.diagnostic(`${missing} bytes missing, about ${gap_ms.toFixed(0)} ms of the stream`);
      assert.ok(gap_ms <= 250, `${gap_ms} ms`);
    } finally {
      await one.program.stop();
      await other.program.stop();
      await receiver.stop();
      folder.remove();
    }
  });
});
