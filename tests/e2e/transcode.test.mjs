// A ladder of two rungs made by kapok-transcoder from a real feed: what is listed, whether it is cut where the source
// is, and that a worker that dies or is stopped costs rungs only, while a household watches the source.
// Runs busy: a ladder of two rungs is encoded.
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launchChromium, noChromium } from './lib/browsers.mjs';
import { otherClip, smallClip } from './lib/clips.mjs';
import { decodedNumbers } from './lib/decoded.mjs';
import { noServer, Program, run, serverBinary, sleep, temporaryFolder, until } from './lib/environment.mjs';
import { startPageServer } from './lib/page_server.mjs';
import { frozen, numberOf, parseMediaPlaylist } from './lib/playlist.mjs';
import { Push } from './lib/push.mjs';
import { kKey, Server } from './lib/server.mjs';
import { untilMoving, watch } from './lib/watching.mjs';

const kLadder = `
[[video]]
name = "270p"
codec = "avc"
height = 270
bit_rate = 400_000
preset = "ultrafast"

[[video]]
name = "180p"
codec = "avc"
height = 180
rate = "half"
bit_rate = 200_000
preset = "ultrafast"

[[video]]
name = "1080p"
codec = "avc"
height = 1080
bit_rate = 4_000_000
`;
const kRungs = { '270p': { width: 480, height: 270 }, '180p': { width: 320, height: 180 } };

const noTranscoder = () => {
  const server = serverBinary();
  const program = server === null ? null : join(dirname(server), 'kapok-transcoder');
  return program !== null && existsSync(program) ? false : 'kapok-transcoder is not built';
};

describe('a ladder', { skip: noServer() || noTranscoder() }, () => {
  let server, push, folder;
  before(async () => {
    folder = temporaryFolder('ladder');
    const file = join(folder.path, 'small.toml');
    writeFileSync(file, kLadder);
    server = await Server.start({ channels: { demo: `key = "${kKey}"\nladder = "${file}"` } });
    push = await new Push(await smallClip(), server.publishUrl()).running();
    await server.playable();
    await until('both rungs to have three segments', async () => {
      for (const rung of Object.keys(kRungs)) {
        if (complete(await media(rung)).length < 3) return false;
      }
      return true;
    }, { timeout_ms: 60_000, every_ms: 500 }).catch((error) => {
      throw new Error(`${error.message}\n${server.log}`);
    });
  });
  after(async () => {
    await push?.stop();
    await server?.stop();
    folder?.remove();
  });

  const media = async (rendition) => parseMediaPlaylist(await server.text(`/live/demo/${rendition}/media.m3u8`));
  const complete = (playlist) => playlist.segments.filter((segment) => !segment.gap);
  const worker = async () => (await server.json('/api/v1/channels/demo')).ladder.worker;
  const workerPid = () => Number([...server.log.matchAll(/event=worker\.started\b[^\n]*\bpid=(\d+)/g)].at(-1)[1]);

  test('the multivariant playlist and the manifest have the source and both rungs, none above the source', async () => {
    const master = await server.text('/live/demo/master.m3u8');
    const variants = [...master.matchAll(/#EXT-X-STREAM-INF:([^\n]*)\n([^\n]+)/g)];
    assert.deepEqual(variants.map(([, , uri]) => uri.split('/')[0]).sort(), ['180p', '270p', 'source']);
    for (const [, attributes, uri] of variants) {
      const name = uri.split('/')[0];
      const { width, height } = kRungs[name] ?? { width: 640, height: 360 };
      assert.match(attributes, new RegExp(`RESOLUTION=${width}x${height}\\b`), name);
      assert.match(attributes, /CODECS="avc1\.[0-9a-fA-F]{6},mp4a\.40\.2"/, name);
    }
    const mpd = await server.text('/live/demo/manifest.mpd');
    for (const name of ['source', '270p', '180p']) assert.match(mpd, new RegExp(`<Representation[^>]* id="${name}"`));
  });

  test('the API says how the worker and its rungs fare, and which was left out', async () => {
    const { ladder, renditions } = await server.json('/api/v1/channels/demo');
    assert.equal(ladder.name, 'small');
    assert.equal(ladder.worker.state, 'running');
    assert.equal(ladder.worker.engine, 'ffmpeg');
    assert.notEqual(ladder.worker.device, '');
    assert.deepEqual(ladder.rungs.map((rung) => rung.rendition), ['270p', '180p']);
    for (const rung of ladder.rungs) {
      assert.equal(rung.video.height, kRungs[rung.rendition].height);
      assert.ok(rung.frames_per_second > 5, `${rung.rendition}: ${rung.frames_per_second} frames/s`);
      assert.ok(rung.lag_ms < 10_000, `${rung.lag_ms} ms`);
    }
    assert.deepEqual(ladder.left_out.map(({ rung }) => rung), ['1080p']);
    assert.match(server.log, /event=ladder\.rung_left_out\b[^\n]*rung=1080p/);
    assert.deepEqual(renditions.filter(({ kind }) => kind === 'video').map(({ id }) => id), ['source', '270p', '180p']);
    const metrics = await server.text('/metrics');
    assert.match(metrics, /kapok_worker_up\{channel="demo"\} 1/);
    assert.match(metrics, /kapok_rung_packets_total\{channel="demo",rung="270p"\} [1-9]/);
  });

  // By number: every segment that a rung has and the source lists begins and ends when the source's does.
  const assertAligned = async () => {
    const source = new Map((await media('source')).segments.map((segment) => [numberOf(segment), segment]));
    let compared = 0;
    for (const rung of Object.keys(kRungs)) {
      const playlist = await media(rung);
      playlist.segments.forEach((segment, i) => assert.equal(numberOf(segment), playlist.sequence + i, rung));
      assert.equal(playlist.segments.filter((segment) => segment.discontinuity).length, 0, rung);
      for (const segment of playlist.segments) {
        const its = source.get(numberOf(segment));
        if (its === undefined) continue;
        compared++;
        assert.ok(Math.abs(segment.duration_s - its.duration_s) < 0.002, `${rung} ${numberOf(segment)}: ${segment.duration_s} s, not ${its.duration_s}`);
        if (segment.utc_ms === undefined || its.utc_ms === undefined) continue;
        assert.ok(Math.abs(segment.utc_ms - its.utc_ms) <= 2, `${rung} ${numberOf(segment)}: ${segment.utc_ms - its.utc_ms} ms apart`);
      }
    }
    assert.ok(compared >= 4);
  };
  test('segment numbers, times and lengths are the source\'s', assertAligned);

  for (const [rung, { width, height }] of Object.entries(kRungs)) {
    test(`${rung} is what it says, begins every segment with an IDR and shows the source's frames`, async () => {
      const base = `${server.url}/live/demo/${rung}/media.m3u8`;
      const playlist = await media(rung);
      const segments = complete(playlist).slice(-3);
      const path = join(folder.path, `${rung}.m3u8`);
      writeFileSync(path, frozen(playlist, base, segments));
      const probe = async (entries) => JSON.parse((await run('ffprobe', [
        '-v', 'error', '-protocol_whitelist', 'file,http,tcp', '-select_streams', 'v', ...entries, '-of', 'json', path,
      ])).stdout);
      const { streams: [stream] } = await probe(['-show_streams']);
      assert.equal(stream.codec_name, 'h264');
      assert.deepEqual([stream.width, stream.height], [width, height]);
      const { packets } = await probe(['-show_entries', 'packet=pts_time,flags']);
      // Half of 25 frames/s is none that anybody would watch: both rungs have them all.
      const step_s = 1 / 25;
      const times = packets.map((packet) => Number(packet.pts_time)).sort((a, b) => a - b);
      for (let i = 1; i < times.length; i++) assert.ok(Math.abs(times[i] - times[i - 1] - step_s) < 0.002, `${times[i] - times[i - 1]} s`);
      // Source GOPs are 2 s, as segments are.
      const keys = packets.filter((packet) => packet.flags.startsWith('K')).map((packet) => Number(packet.pts_time));
      assert.ok(keys.length >= segments.length);
      for (const [i, segment] of segments.entries()) {
        const at = segments.slice(0, i).reduce((sum, s) => sum + s.duration_s, 0) + times[0];
        assert.ok(keys.some((key) => Math.abs(key - at) < 0.002), `no sync picture where ${numberOf(segment)} begins`);
      }
      const numbers = await decodedNumbers(path);
      numbers.slice(1).forEach((number, i) => assert.equal(number, (numbers[i] + 1) % push.clip.frames, 'frame after frame of the clip'));
    });
  }

  describe('a worker that fails', { skip: noChromium() }, () => {
    let pages, browser, page;
    before(async () => {
      pages = await startPageServer();
      browser = await launchChromium();
      page = await browser.newPage();
      await page.goto(pages.playUrl('hls', `${server.url}/live/demo/source/media.m3u8`));
      await untilMoving(page);
    });
    after(async () => {
      await browser?.close();
      await pages?.stop();
    });

    for (const [signal, how] of [['SIGKILL', 'killed'], ['SIGSTOP', 'stopped']]) {
      test(`that is ${how} is replaced; the source has no gap, rungs have gaps and go on aligned`, async (t) => {
        const was = await worker();
        const last = numberOf((await media('source')).segments.at(-1));
        const mark = await page.evaluate('window.observe()');
        const began = Date.now();
        process.kill(workerPid(), signal);
        const watching = watch(page, 12);
        await until('another worker', async () => {
          const now = await worker();
          return now.restarts > was.restarts && now.state === 'running';
        }, { timeout_ms: 20_000 });
        t.diagnostic(`another runs ${Date.now() - began} ms after ${signal}`);
        const seen = await watching;
        assert.ok(seen.at(-1).time - seen[0].time > 9, `the source played ${seen.at(-1).time - seen[0].time} s of 12`);
        assert.deepEqual(seen.at(-1).problems.slice(mark.problems.length), []);
        for (const rung of Object.keys(kRungs)) {
          const segments = await until(`${rung} to go on behind its gap`, async () => {
            const { segments: all } = await media(rung);
            const later = all.filter((segment) => numberOf(segment) >= last);
            const back = later.findLastIndex((segment) => segment.gap);
            return back >= 0 && later.length > back + 2 ? later : false;
          }, { timeout_ms: 20_000 });
          const gaps = segments.filter((segment) => segment.gap).length;
          t.diagnostic(`${rung}: ${gaps} segments missed`);
          assert.ok(gaps <= 5, `${gaps} gaps`);
        }
        assert.equal((await media('source')).segments.filter((segment) => segment.gap || segment.discontinuity).length, 0);
        await assertAligned();
      });
    }

    test('what was said of it: hung once, failed twice', async () => {
      assert.equal([...server.log.matchAll(/event=worker\.hung\b/g)].length, 1);
      assert.equal([...server.log.matchAll(/event=worker\.failed\b/g)].length, 2);
      assert.doesNotMatch(server.log, /event=worker\.crash_loop\b/);
    });
  });

  test('an encoder that comes back with other parameters needs no other worker: rungs begin the new era with it', async () => {
    const pid = workerPid();
    await push.stop();
    push = await new Push(await otherClip(), server.publishUrl()).running();
    const after = (playlist) => playlist.segments.slice(playlist.segments.findLastIndex((segment) => segment.discontinuity));
    const of = await until('two segments of the new era in each rendition', async () => {
      const found = {};
      for (const name of ['source', ...Object.keys(kRungs)]) {
        const playlist = await media(name);
        if (!playlist.segments.some((segment) => segment.discontinuity)) return false;
        found[name] = after(playlist);
        if (complete({ segments: found[name] }).length < 2) return false;
      }
      return found;
    }, { timeout_ms: 30_000 });
    for (const rung of Object.keys(kRungs)) assert.equal(numberOf(of[rung][0]), numberOf(of.source[0]), rung);
    assert.equal(workerPid(), pid);
    assert.equal((await worker()).state, 'running');
  });

  test('another ladder on reload replaces the worker, and the source shows nothing of it', async () => {
    const was = workerPid();
    const eras = (await media('source')).segments.filter((segment) => segment.discontinuity).length;
    writeFileSync(join(folder.path, 'small.toml'), kLadder.split('[[video]]').slice(0, 2).join('[[video]]'));
    server.program.child.kill('SIGHUP');
    await until('another worker', () => workerPid() !== was, { timeout_ms: 10_000 });
    const { ladder } = await until('one rung', async () => {
      const detail = await server.json('/api/v1/channels/demo');
      return detail.ladder.rungs.length === 1 && detail.ladder.rungs[0].lag_ms !== null && detail;
    });
    assert.equal(ladder.rungs[0].rendition, '270p');
    assert.equal(ladder.worker.restarts, 2, 'as before');
    const { segments } = await media('source');
    assert.equal(segments.filter((segment) => segment.discontinuity).length, eras);
    assert.ok(segments.every((segment) => !segment.gap));
  });

  test('a worker does not outlive its server', async () => {
    const pid = workerPid();
    await server.kill();
    await until('its end', () => {
      try {
        process.kill(pid, 0);
        return false;
      } catch {
        return true;
      }
    });
    await server.launch();
    await push.stop();
    push = await new Push(await smallClip(), server.publishUrl()).running();
    await until('a rung after the restart', async () => (await worker()).frames_decoded > 0);
  });

  test('a drain ends the worker by itself', async () => {
    await push.stop();
    const pid = workerPid();
    const { code } = await server.stop();
    assert.equal(code, 0);
    assert.throws(() => process.kill(pid, 0));
    assert.match(server.log, /event=worker\.ended\b[^\n]*exit status 0/);
  });
});

describe('feeds that are not pictures, or hardly', { skip: noServer() || noTranscoder() }, () => {
  let server, clip, folder;
  const pushes = [];
  const push = (channel, ...options) => {
    const args = ['-hide_banner', '-loglevel', 'error', '-nostdin', '-re', '-stream_loop', '-1', '-i', clip.path, ...options];
    pushes.push(new Program('ffmpeg', [...args, '-f', 'flv', server.publishUrl(channel)]));
  };
  before(async () => {
    clip = await smallClip();
    folder = temporaryFolder('ladder');
    const file = join(folder.path, 'one.toml');
    writeFileSync(file, kLadder.split('[[video]]').slice(0, 2).join('[[video]]'));
    server = await Server.start({
      channels: {
        radio: `key = "${kKey}"\nladder = "audio-only-radio"`,
        broken: `key = "${kKey}"\nladder = "${file}"`,
      },
    });
    push('radio', '-vn', '-c', 'copy');
    push('broken', '-c', 'copy', '-bsf:v', 'noise=amount=300');
  });
  after(async () => {
    for (const program of pushes) await program.stop('SIGINT');
    await server?.stop();
    folder?.remove();
  });

  test('a radio ladder: sound at three rates beside the source, cut at the same numbers', async () => {
    const media = async (rendition) => parseMediaPlaylist(await server.text(`/live/radio/${rendition}/media.m3u8`));
    const rungs = ['stereo-192', 'stereo-96', 'mono-48'];
    await until('three segments of each', async () => {
      for (const rung of rungs) if ((await media(rung)).segments.filter(({ gap }) => !gap).length < 3) return false;
      return true;
    }, { timeout_ms: 30_000 });
    const master = await server.text('/live/radio/master.m3u8');
    assert.equal([...master.matchAll(/#EXT-X-STREAM-INF/g)].length, 4);
    const source = new Map((await media('audio-1')).segments.map((segment) => [numberOf(segment), segment]));
    for (const rung of rungs) {
      for (const segment of (await media(rung)).segments) {
        const its = source.get(numberOf(segment));
        // Within a frame of AAC: sound is cut at frames, and encoders set them differently.
        if (its?.utc_ms !== undefined) assert.ok(Math.abs(segment.utc_ms - its.utc_ms) < 22, `${rung} ${numberOf(segment)}`);
      }
    }
    const { stdout } = await run('ffprobe', ['-v', 'error', '-show_streams', '-of', 'json', `${server.url}/live/radio/mono-48/media.m3u8`]);
    const { streams: [stream] } = JSON.parse(stdout);
    assert.deepEqual([stream.codec_name, stream.channels], ['aac', 1]);
  });

  test('a broken feed: errors are counted, the worker lives, the source has no gap', async (t) => {
    const { worker } = await until('many errors', async () => {
      const { ladder } = await server.json('/api/v1/channels/broken');
      return ladder.worker.decode_errors > 200 && ladder;
    }, { timeout_ms: 60_000 });
    t.diagnostic(`${worker.decode_errors} errors, ${worker.frames_decoded} frames, ${worker.restarts} restarts`);
    assert.equal(worker.crash_loop, false);
    const source = parseMediaPlaylist(await server.text('/live/broken/source/media.m3u8'));
    assert.ok(source.segments.length > 3);
    assert.ok(source.segments.every((segment) => !segment.gap && !segment.discontinuity));
  });
});
