// Forward error correction and key refresh, byte by byte: the packet filter mends what the relay loses and asks for again
// only what it cannot mend; keys change every few hundred packets, which a live feed does after hours. libsrt (Debian's
// srt-live-transmit) is one of the ends.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { smallClip } from './lib/clips.mjs';
import { freePort, kRoot, noServer, Program, run, sleep, temporaryFolder } from './lib/environment.mjs';
import { Relay, sendBinary } from './lib/srt.mjs';

const kFilter = 'fec,cols:5,rows:5,arq:onreq';
const kLoss = { loss: '1%', delay: '10ms', seed: 3 };
const receiveBinary = () => join(dirname(sendBinary()), 'kapok-srt-receive');
const kPassphrase = 'correct horse battery';
const kLatency_ms = 500;

const sha256 = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');

// At the same time: they only wait.
describe('SRT packet filter and key refresh', { skip: noServer(), concurrency: 3 }, () => {
  let folder, source;
  before(async () => {
    folder = temporaryFolder('filter');
    source = join(folder.path, 'source.ts');
    const clip = await smallClip();
    await run('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-y', '-i', clip.path, '-t', '8', '-c', 'copy', '-f', 'mpegts', source]);
    const bytes = readFileSync(source);
    // Whole matrices: nothing comes behind the last row that could tell of its losses.
    writeFileSync(source, bytes.subarray(0, bytes.length - (bytes.length % (25 * 1316))));
  });
  after(() => folder?.remove());

  const kapokSend = (port) =>
    new Program(sendBinary(), ['--latency', String(kLatency_ms), '--fec', kFilter, '--stream-id', 'publish:x', source, `srt://127.0.0.1:${port}`]);
  const libsrtSend = (port, query) =>
    new Program('sh', ['-c',
      `exec node '${join(kRoot, 'tests/e2e/lib/pace.mjs')}' '${source}' | timeout 15 srt-live-transmit -q -chunk:1316 file://con ` +
      `'srt://127.0.0.1:${port}?latency=${kLatency_ms}&${query}'`]);

  /** Ours receives while `work` runs; its report and the file. */
  async function received(port, extra, work) {
    const path = join(folder.path, `received-${port}.ts`);
    const receiver = new Program(receiveBinary(), ['--port', String(port), '--latency', String(kLatency_ms), '--file', path, ...extra]);
    try {
      await sleep(300);
      await work();
      await sleep(kLatency_ms + 500);
    } finally {
      await receiver.stop('SIGTERM');
    }
    return { path, report: JSON.parse(receiver.output.trim().split('\n').at(-1)) };
  }

  for (const [name, start] of [['kapok-send', kapokSend], ['libsrt', (port) => libsrtSend(port, `packetfilter=${kFilter}`)]]) {
    test(`${name} -> Kapok: parity mends what is lost`, async (t) => {
      const port = await freePort();
      const relay = await Relay.start(await freePort(), port, kLoss);
      const { path, report } = await received(port, [], async () => (await start(relay.port)).exited);
      const counts = await relay.counts();
      t.diagnostic(`lost ${counts.up.lost}; ${JSON.stringify(report)}`);
      assert.ok(counts.up.lost > 0 && report.recovered_by_fec > 0);
      assert.equal(sha256(path), sha256(source));
    });
  }

  test('kapok-send -> libsrt: parity mends what is lost', async () => {
    const port = await freePort();
    const relay = await Relay.start(await freePort(), port, kLoss);
    const path = join(folder.path, 'libsrt.ts');
    const receiver = new Program('sh', ['-c',
      `exec srt-live-transmit -q 'srt://127.0.0.1:${port}?mode=listener&latency=${kLatency_ms}&packetfilter=fec' file://con > '${path}'`]);
    await sleep(500);
    const sender = kapokSend(relay.port);
    await sender.exited;
    await sleep(1_000);
    await receiver.stop('SIGINT');
    assert.ok((await relay.counts()).up.lost > 0);
    assert.ok(existsSync(path));
    assert.equal(sha256(path), sha256(source), sender.output);
  });

  test('libsrt -> Kapok: keys change under way', async (t) => {
    const port = await freePort();
    const { path, report } = await received(port, ['--passphrase', kPassphrase], async () =>
      (await libsrtSend(port, `pbkeylen=32&kmrefreshrate=300&kmpreannounce=100&passphrase=${kPassphrase}`)).exited);
    t.diagnostic(JSON.stringify(report));
    assert.ok(report.messages > 600, 'the key changed twice at least');
    assert.equal(sha256(path), sha256(source));
  });

  test('Kapok -> libsrt: keys change under way', async (t) => {
    const port = await freePort();
    const path = join(folder.path, 'refreshed.ts');
    const receiver = new Program('sh', ['-c',
      `exec srt-live-transmit -q -chunk:1316 'srt://127.0.0.1:${port}?mode=listener&latency=${kLatency_ms}&passphrase=${kPassphrase}' file://con > '${path}'`]);
    await sleep(500);
    const sender = new Program(join(dirname(sendBinary()), 'kapok-srt-push'), [
      source, '--port', String(port), '--latency', String(kLatency_ms), '--stream-id', 'publish:x', '--passphrase', kPassphrase,
      '--key-bytes', '32', '--refresh', '100', '--seconds', '7',
    ]);
    await sender.exited;
    await sleep(1_000);
    await receiver.stop('SIGINT');
    const [got, sent] = [readFileSync(path), readFileSync(source)];
    t.diagnostic(`${got.length / 1316} messages; ${sender.output.trim()}`);
    assert.ok(got.length > 400 * 1316, `the key changed four times at least: ${got.length} bytes\n${receiver.output}`);
    assert.ok(got.equals(sent.subarray(0, got.length)));
  });
});
