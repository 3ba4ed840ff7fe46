// AES-GCM over SRT with a libsrt that has it: the one inside node-av. Whoever calls chooses the cipher, so here Kapok calls,
// once to send and once to receive; what libsrt seals as a caller is in the unit tests, as recorded bytes.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { smallClip } from './lib/clips.mjs';
import { decodedNumbers } from './lib/decoded.mjs';
import { freePort, kRoot, noServer, Program, run, sleep, temporaryFolder, until } from './lib/environment.mjs';
import { frozen, parseMediaPlaylist } from './lib/playlist.mjs';
import { Server } from './lib/server.mjs';
import { Relay, sendBinary } from './lib/srt.mjs';

const kPassphrase = 'a-long-enough-secret';
const kFetched_s = 30; // longer than the test looks: the file's end is a jump
const kLoss = { loss: '2%', delay: '10ms', seed: 9 };

const sha256 = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');

// At the same time: they only wait.
describe('SRT with AES-GCM', { skip: noServer(), concurrency: 4 }, () => {
  let folder, clip;
  const made = new Map(); // by its seconds
  before(async () => {
    folder = temporaryFolder('gcm');
    clip = await smallClip();
  });
  after(() => folder?.remove());

  /** The beginning of the clip as TS, in whole messages. */
  const material = (seconds) => made.get(seconds) ?? made.set(seconds, make(seconds)).get(seconds);
  async function make(seconds) {
    const path = join(folder.path, `source-${seconds}.ts`);
    await run('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-y', '-i', clip.path, '-t', String(seconds), '-c', 'copy', '-f', 'mpegts', path]);
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.subarray(0, bytes.length - (bytes.length % 1316)));
    return path;
  }

  const libsrt = (...args) => new Program(process.execPath, [join(kRoot, 'tests/e2e/lib/libsrt_listener.mjs'), ...args]);
  const url = (port, key_bytes) => `srt://127.0.0.1:${port}?mode=listener&latency=1500000&passphrase=${kPassphrase}&pbkeylen=${key_bytes}`;

  test('kapok-send -> libsrt, with losses on the way: the same bytes', async (t) => {
    const source = await material(6);
    const port = await freePort();
    const relay = await Relay.start(await freePort(), port, kLoss);
    const path = join(folder.path, 'received.ts');
    const passphrase = join(folder.path, 'passphrase');
    writeFileSync(passphrase, kPassphrase);
    const receiver = libsrt('receive', url(port, 32), path);
    try {
      await until('the listener', () => receiver.output.includes('listening'));
      await sleep(300);
      const sender = new Program(sendBinary(), [
        '--latency', '1500', '--cipher', 'gcm', '--passphrase-file', passphrase, source, `srt://127.0.0.1:${relay.port}`,
      ]);
      const { code } = await sender.exited;
      assert.equal(code, 0, `${sender.output}\n${receiver.output}`);
      await receiver.exited;
      const { up } = await relay.counts();
      t.diagnostic(`lost ${up.lost} of ${up.received}`);
      assert.ok(up.lost > 0, 'the relay lost something');
      assert.equal(sha256(path), sha256(source), `${sender.output}\n${receiver.output}`);
    } finally {
      await receiver.stop('SIGKILL');
      await relay.program.stop();
    }
  });

  test('Kapok -> libsrt, and keys change under way: the same bytes', async (t) => {
    const source = await material(12);
    const port = await freePort();
    const path = join(folder.path, 'refreshed.ts');
    const receiver = libsrt('receive', url(port, 16), path);
    try {
      await until('the listener', () => receiver.output.includes('listening'));
      await sleep(300);
      const sender = new Program(join(dirname(sendBinary()), 'kapok-srt-push'), [
        source, '--port', String(port), '--latency', '500', '--stream-id', 'publish:x', '--passphrase', kPassphrase, '--gcm',
        '--refresh', '100', '--seconds', '6',
      ]);
      await sender.exited;
      await receiver.exited;
      const [got, sent] = [readFileSync(path), readFileSync(source)];
      t.diagnostic(`${got.length / 1316} messages; ${sender.output.trim()}`);
      assert.ok(got.length > 300 * 1316, `the key changed three times at least: ${got.length} bytes`);
      assert.ok(got.equals(sent.subarray(0, got.length)));
    } finally {
      await receiver.stop('SIGKILL');
    }
  });

  for (const key_bytes of [16, 32]) {
    test(`libsrt -> a channel that fetches it with AES-GCM ${key_bytes * 8}: every frame once`, async (t) => {
      const source = await material(kFetched_s);
      const port = await freePort();
      const relay = await Relay.start(await freePort(), port, kLoss);
      const sender = libsrt('send', url(port, key_bytes), source, String(kFetched_s));
      let server;
      try {
        await until('the listener', () => sender.output.includes('listening'));
        server = await Server.start({
          channels: {
            demo: `[[channel.feed]]\nname = "main"\nurl = "srt://127.0.0.1:${relay.port}?latency=500&cryptomode=gcm&pbkeylen=${key_bytes}&passphrase=${kPassphrase}"`,
          },
        });
        await server.playable();
        await sleep(3_000);
        const feed = (await server.adminJson('/api/v1/channels/demo/feeds')).feeds[0];
        assert.equal(feed.srt.links[0].encryption, `aes-gcm-${key_bytes * 8}`);
        assert.equal(feed.srt.dropped, 0);
        const playlist = parseMediaPlaylist(await server.text('/live/demo/source/media.m3u8'));
        const path = join(folder.path, `${key_bytes}.m3u8`);
        writeFileSync(path, frozen(playlist, `${server.url}/live/demo/source/media.m3u8`));
        const numbers = await decodedNumbers(path);
        t.diagnostic(`${numbers.length} frames; ${JSON.stringify(feed.srt.links[0])}`);
        assert.ok(numbers.length >= 2 * clip.fps, `${numbers.length} frames`);
        assert.deepEqual(numbers, numbers.map((_, i) => numbers[0] + i));
      } finally {
        await server?.stop();
        await sender.stop('SIGKILL');
        await relay.program.stop();
      }
    });
  }
});
