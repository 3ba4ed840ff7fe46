// SRT with the programs that broadcasters have: Debian's ffmpeg and srt-live-transmit (libsrt 1.5.1), GStreamer,
// FFmpeg 8.1 with a newer libsrt. Both directions, plain and encrypted; and what a wrong caller is told.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { smallClip } from './lib/clips.mjs';
import { decodedNumbers } from './lib/decoded.mjs';
import { freePort, noServer, Program, sleep, temporaryFolder, until } from './lib/environment.mjs';
import { Server, kKey } from './lib/server.mjs';
import { attempt, ffmpegUrl, receiveWithFfmpeg, SrtPush, streamId, streamsOf } from './lib/srt.mjs';

const kPassphrase = 'a-long-enough-secret';

const consecutive = (numbers) => numbers.every((number, i) => i === 0 || number === numbers[i - 1] + 1);

describe('SRT publishers', { skip: noServer() }, () => {
  let server, clip, push;
  before(async () => {
    clip = await smallClip();
    const secret = `key = "${kKey}"\nsrt_passphrase = "${kPassphrase}"`;
    server = await Server.start({
      channels: { ffmpeg: undefined, plain: undefined, transmit: undefined, gst: undefined, aes16: secret, aes24: secret, aes32: secret },
    });
  });
  afterEach(async () => {
    await push?.stop();
    push = undefined;
  });
  after(() => server?.stop());

  const feedOf = async (channel) => (await server.adminJson(`/api/v1/channels/${channel}/feeds`)).feeds[0];

  test('ffmpeg, with the stream id in the standard syntax', async () => {
    push = await new SrtPush(clip, ffmpegUrl(server.ports.srt, { id: streamId({ channel: 'ffmpeg' }) })).running();
    await server.playable('ffmpeg');
    const facts = JSON.stringify(await feedOf('ffmpeg'));
    assert.match(facts, /"protocol":"srt"/);
    assert.match(facts, /640/);
  });

  test('ffmpeg, with the plain form', async () => {
    const id = `publish:plain?key=${kKey}`;
    push = await new SrtPush(clip, ffmpegUrl(server.ports.srt, { id })).running();
    await server.playable('plain');
  });

  for (const bytes of [16, 24, 32]) {
    test(`ffmpeg, encrypted with AES-${bytes * 8}`, async () => {
      const channel = `aes${bytes}`;
      const url = ffmpegUrl(server.ports.srt, { id: streamId({ channel }), passphrase: kPassphrase, pbkeylen: bytes });
      push = await new SrtPush(clip, url).running();
      await server.playable(channel);
    });
  }

  test('srt-live-transmit', async () => {
    const encoder = spawn('ffmpeg', [
      '-loglevel', 'error', '-nostdin', '-re', '-stream_loop', '-1', '-i', clip.path, '-c', 'copy', '-f', 'mpegts', 'pipe:1',
    ], { stdio: ['ignore', 'pipe', 'ignore'] });
    const sender = new Program('srt-live-transmit', [
      '-chunk:1316', 'file://con', `srt://127.0.0.1:${server.ports.srt}?latency=300&streamid=publish:transmit?key=${kKey}`,
    ], { stdio: [encoder.stdout, 'pipe', 'pipe'] });
    try {
      await server.playable('transmit');
    } catch (error) {
      throw new Error(`${error.message}\n${sender.output}`);
    } finally {
      encoder.kill('SIGKILL');
      await sender.stop('SIGKILL');
    }
  });

  test('GStreamer srtsink', async () => {
    const sender = new Program('gst-launch-1.0', [
      '-q', 'filesrc', `location=${clip.path}`, '!', 'qtdemux', '!', 'h264parse', 'config-interval=-1', '!', 'mpegtsmux',
      'alignment=7', '!', 'srtsink', `uri=srt://127.0.0.1:${server.ports.srt}?mode=caller`, `streamid=${streamId({ channel: 'gst' })}`,
      'latency=300', 'sync=true',
    ]);
    try {
      await server.playable('gst');
    } catch (error) {
      throw new Error(`${error.message}\n${sender.output}`);
    } finally {
      await sender.stop('SIGKILL');
    }
  });

  // What the server's log and what ffmpeg say of it; libsrt 1.5.1 prints no more of codes from 1000 on.
  const kApplication = 'Application-defined rejection reason';
  const kWrong = [
    ['a wrong key', { id: streamId({ channel: 'plain', key: 'wrong' }) }, 'code=1401', kApplication],
    ['no key', { id: streamId({ channel: 'plain', key: '' }) }, 'code=1401', kApplication],
    ['a malformed stream id', { id: '#!::r=plain,r=plain,m=publish' }, 'code=1400', kApplication],
    ['a passphrase that is not the channel\'s', { id: streamId({ channel: 'aes16' }), passphrase: 'another-long-secret' },
      'bad_secret', 'Incorrect passphrase'],
    ['no passphrase where one is needed', { id: streamId({ channel: 'aes16' }) }, 'unsecure', 'Password required'],
    ['a passphrase where there is none', { id: streamId({ channel: 'plain' }), passphrase: kPassphrase }, 'unsecure', 'Password required'],
  ];
  for (const [what, options, logged, printed] of kWrong) {
    test(`${what} is refused: ${logged} in the log, "${printed}" at the encoder`, async () => {
      const before = server.log.length;
      const { code: status, output } = await attempt('ffmpeg', [
        '-hide_banner', '-loglevel', 'info', '-nostdin', '-re', '-i', clip.path, '-c', 'copy', '-f', 'mpegts',
        ffmpegUrl(server.ports.srt, options),
      ]);
      assert.notEqual(status, 0, output);
      assert.ok(output.includes(printed), output);
      await until(`${logged} in the log`, () => server.log.slice(before).includes(logged), { timeout_ms: 3_000 });
      assert.ok(!server.log.includes(kKey), 'no key in the log');
      assert.ok(!server.log.includes(kPassphrase), 'no passphrase in the log');
    });
  }

  test('a second publisher of a live feed is refused with 1409', async () => {
    const url = ffmpegUrl(server.ports.srt, { id: streamId({ channel: 'plain' }) });
    push = await new SrtPush(clip, url).running();
    await server.playable('plain');
    const second = await attempt('ffmpeg', [
      '-hide_banner', '-loglevel', 'info', '-nostdin', '-re', '-i', clip.path, '-c', 'copy', '-f', 'mpegts', url,
    ]);
    assert.notEqual(second.code, 0);
    assert.match(server.log, /code=1409/);
    assert.ok(push.alive, 'the first goes on');
  });
});

// At the same time: they only wait.
describe('SRT viewers', { skip: noServer(), concurrency: 4 }, () => {
  let server, clip, push, folder;
  before(async () => {
    folder = temporaryFolder('srt');
    clip = await smallClip();
    server = await Server.start({
      channels: { demo: undefined, secret: `key = "${kKey}"\nsrt_passphrase = "${kPassphrase}"` },
    });
    push = await new SrtPush(clip, ffmpegUrl(server.ports.srt, { id: streamId() })).running();
    await server.playable();
  });
  after(async () => {
    await push?.stop();
    await server?.stop();
    folder?.remove();
  });

  test('ffmpeg receives every frame, decodable from the first', async (t) => {
    const path = join(folder.path, 'ffmpeg.ts');
    const { output } = await receiveWithFfmpeg(ffmpegUrl(server.ports.srt, { id: streamId({ mode: 'request' }) }), path, 6);
    const streams = await streamsOf(path);
    assert.deepEqual(streams.map((stream) => stream.codec_name).sort(), ['aac', 'h264'], output);
    const numbers = await decodedNumbers(path);
    assert.ok(numbers.length >= 4 * clip.fps, `${numbers.length} frames\n${output}`);
    assert.ok(consecutive(numbers), numbers.join(' '));
    t.diagnostic(`${numbers.length} frames from ${numbers[0]} on`);
  });

  test('srt-live-transmit receives what ffmpeg can decode', async () => {
    const path = join(folder.path, 'transmit.ts');
    const receiver = new Program('sh', ['-c',
      `exec srt-live-transmit -chunk:1316 'srt://127.0.0.1:${server.ports.srt}?latency=300&streamid=request:demo?key=${kKey}' file://con > '${path}'`]);
    await sleep(5_000);
    await receiver.stop('SIGINT');
    const numbers = await decodedNumbers(path);
    assert.ok(numbers.length >= clip.fps, `${numbers.length} frames\n${receiver.output}`);
    assert.ok(consecutive(numbers.slice(0, -3)), numbers.join(' '));
  });

  test('GStreamer srtsrc receives it', async () => {
    const path = join(folder.path, 'gst.ts');
    const receiver = new Program('gst-launch-1.0', [
      '-q', '-e', 'srtsrc', `uri=srt://127.0.0.1:${server.ports.srt}?mode=caller`, `streamid=${streamId({ mode: 'request' })}`,
      'latency=300', '!', 'filesink', `location=${path}`,
    ]);
    await sleep(5_000);
    await receiver.stop('SIGINT');
    const numbers = await decodedNumbers(path);
    assert.ok(numbers.length >= clip.fps, `${numbers.length} frames\n${receiver.output}`);
  });

  test('a channel with a passphrase is given only to who has it', async () => {
    const inside = await new SrtPush(clip, ffmpegUrl(server.ports.srt, {
      id: streamId({ channel: 'secret' }), passphrase: kPassphrase, pbkeylen: 32,
    })).running();
    try {
      await server.playable('secret');
      const id = streamId({ channel: 'secret', mode: 'request' });
      const path = join(folder.path, 'secret.ts');
      await receiveWithFfmpeg(ffmpegUrl(server.ports.srt, { id, passphrase: kPassphrase }), path, 4);
      assert.ok((await decodedNumbers(path)).length >= clip.fps);
      const without = await receiveWithFfmpeg(ffmpegUrl(server.ports.srt, { id }), join(folder.path, 'none.ts'), 3);
      assert.notEqual(without.code, 0);
    } finally {
      await inside.stop();
    }
  });
});

describe('SRT feeds that Kapok fetches', { skip: noServer() }, () => {
  let server, clip, ports;
  const sources = [];
  const listen = (port, options = '') => {
    const source = new Program('ffmpeg', [
      '-hide_banner', '-loglevel', 'warning', '-nostdin', '-re', '-stream_loop', '-1', '-i', clip.path, '-c', 'copy', '-f', 'mpegts',
      `srt://127.0.0.1:${port}?mode=listener&latency=300000&pkt_size=1316${options}`,
    ]);
    sources.push(source);
    return source;
  };
  before(async () => {
    clip = await smallClip();
    ports = { pull: await freePort(), sealed: await freePort() };
    const feed = (url) => `[[channel.feed]]\nname = "main"\nurl = "${url}"`;
    listen(ports.pull);
    listen(ports.sealed, `&passphrase=${kPassphrase}&pbkeylen=16`);
    server = await Server.start({
      channels: {
        pull: feed(`srt://127.0.0.1:${ports.pull}?latency=300`),
        sealed: feed(`srt://127.0.0.1:${ports.sealed}?latency=300&passphrase=${kPassphrase}`),
      },
    });
  });
  after(async () => {
    for (const source of sources) await source.stop('SIGKILL');
    await server?.stop();
  });

  test('from a listener', () => server.playable('pull'));
  test('from a listener with a passphrase', () => server.playable('sealed'));

  test('again after the listener was away, with one discontinuity at most', async () => {
    const count = async () => (await server.text('/live/pull/source/media.m3u8')).match(/#EXTINF/g)?.length ?? 0;
    await sources[0].stop('SIGKILL');
    await until('the loss in the log', () => /feed|srt/.test(server.log));
    const before = await count();
    listen(ports.pull);
    await until('new segments', async () => (await count()) > before + 1, { timeout_ms: 30_000 });
    const playlist = await server.text('/live/pull/source/media.m3u8');
    assert.ok((playlist.match(/#EXT-X-DISCONTINUITY\n/g)?.length ?? 0) <= 1, playlist);
  });

});

describe('an SRT rendezvous', { skip: noServer() }, () => {
  test('with srt-live-transmit', async () => {
    const clip = await smallClip();
    // Both ends call the other from the port that they are called at, so they need two addresses.
    const server = await Server.start({
      channels: { meeting: (ports) => `[[channel.feed]]\nname = "main"\nurl = "srt://127.0.0.2:${ports.srt}?mode=rendezvous&latency=300"` },
      set: { 'srt.address': '127.0.0.1' },
    });
    const encoder = spawn('ffmpeg', [
      '-loglevel', 'error', '-nostdin', '-re', '-stream_loop', '-1', '-i', clip.path, '-c', 'copy', '-f', 'mpegts', 'pipe:1',
    ], { stdio: ['ignore', 'pipe', 'ignore'] });
    const peer = new Program('srt-live-transmit', [
      '-chunk:1316', 'file://con', `srt://127.0.0.1:${server.ports.srt}?mode=rendezvous&adapter=127.0.0.2&latency=300`,
    ], { stdio: [encoder.stdout, 'pipe', 'pipe'] });
    try {
      await server.playable('meeting', 20_000);
    } catch (error) {
      throw new Error(`${error.message}\n${peer.output}\n${server.log.slice(-2000)}`);
    } finally {
      encoder.kill('SIGKILL');
      await peer.stop('SIGKILL');
      await server.stop();
    }
  });
});
