// A feed that goes from a picture to black, to bars, to a frozen picture and back, silent in between: the API says
// what it was and when, and the report of hours leaves it out, which kapok-verify recomputes.
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventsClip } from './lib/clips.mjs';
import { noServer, serverBinary, temporaryFolder, until, verifyBinary } from './lib/environment.mjs';
import { hoursReport, verifierKey, verify } from './lib/hours.mjs';
import { parseMediaPlaylist } from './lib/playlist.mjs';
import { Push } from './lib/push.mjs';
import { kKey, Server } from './lib/server.mjs';

const kLadder = `
[detect]
frozen = "3s"
silence = "3s"

[[video]]
name = "180p"
codec = "avc"
height = 180
rate = "half"
bit_rate = 200_000
preset = "ultrafast"
`;
const kTolerance_ms = 500;

const noTranscoder = () => {
  const server = serverBinary();
  const program = server === null ? null : join(dirname(server), 'kapok-transcoder');
  return program !== null && existsSync(program) ? false : 'kapok-transcoder is not built';
};

describe('picture events', { skip: noServer() || noTranscoder() }, () => {
  let server, push, folder, clip, begin_ms, events;
  before(async () => {
    folder = temporaryFolder('events');
    const file = join(folder.path, 'small.toml');
    writeFileSync(file, kLadder);
    server = await Server.start({ channels: { demo: `key = "${kKey}"\nladder = "${file}"` } });
    clip = await eventsClip();
    push = await new Push(clip, server.publishUrl()).running();
    await server.playable();
    await until('the first segment', async () => {
      const playlist = parseMediaPlaylist(await server.text('/live/demo/source/media.m3u8'));
      begin_ms = playlist.segments[0]?.utc_ms ?? playlist.running.utc_ms;
      return begin_ms > 0;
    });
    const ended = async () => {
      events = (await server.json('/api/v1/channels/demo')).picture_events;
      return clip.events.every(({ kind }) => events.some((event) => event.kind === kind && !event.goes_on));
    };
    await until('every event to end', ended, { timeout_ms: 60_000, every_ms: 500 }).catch((error) => {
      throw new Error(`${error.message}\n${JSON.stringify(events)}\n${server.log}`);
    });
    await push.stop();
  });
  after(async () => {
    await push?.stop();
    await server?.stop();
    folder?.remove();
  });

  test('the API has each with its times in channel time', (t) => {
    t.diagnostic(JSON.stringify(events));
    for (const { kind, from_s, to_s } of clip.events) {
      const event = events.filter((one) => one.kind === kind).at(-1); // the clip may have begun again
      const from = Date.parse(event.from) - begin_ms;
      const to = Date.parse(event.to) - begin_ms;
      assert.ok(Math.abs(from - from_s * 1000) < kTolerance_ms, `${kind} from ${from} ms, not ${from_s} s`);
      assert.ok(Math.abs(to - to_s * 1000) < kTolerance_ms, `${kind} to ${to} ms, not ${to_s} s`);
    }
    const order = events.map((event) => Date.parse(event.from));
    assert.deepEqual(order, [...order].sort((a, b) => b - a), 'the newest first');
  });

  test('log and metrics say so too', async () => {
    for (const { kind } of clip.events) {
      assert.match(server.log, new RegExp(`event=picture\\.event_begun\\b[^\\n]*kind=${kind}`));
      assert.match(server.log, new RegExp(`event=picture\\.event_ended\\b[^\\n]*kind=${kind}`));
    }
    const metrics = await server.text('/metrics');
    assert.match(metrics, /kapok_picture_events_total\{channel="demo",kind="black"\} [1-9]/);
    assert.match(metrics, /kapok_picture_event_active\{channel="demo",kind="bars"\} 0/);
  });

  test('programme hours leave it out by both readings, and kapok-verify agrees', async (t) => {
    let text, hours;
    await until('what was offered to be in the report', async () => {
      text = await hoursReport(server);
      hours = JSON.parse(text).programme_hours;
      return hours.total.offered_other_ms > 0; // written once the channel is idle
    }, { timeout_ms: 60_000, every_ms: 2_000 });
    t.diagnostic(JSON.stringify(hours));
    const length = (kind) => {
      const { from_s, to_s } = clip.events.find((event) => event.kind === kind);
      return (to_s - from_s) * 1000;
    };
    const near = (actual, wanted, what) =>
      assert.ok(Math.abs(actual - wanted) < 2 * kTolerance_ms, `${what}: ${actual} ms, not ${wanted} ms`);
    for (const kind of ['black', 'bars', 'frozen']) near(hours.excluded_ms[kind], length(kind), kind);
    near(hours.excluded_loose_ms.bars, length('bars'), 'bars by the loose reading');
    assert.equal(hours.excluded_loose_ms.black, undefined, 'three seconds of black are a means of the programme');
    near(hours.picture_events_ms.silence, length('silence'), 'silence, which counts');
    assert.equal(hours.excluded_ms.silence, undefined);

    if (verifyBinary() === null) return t.skip('kapok-verify is not built');
    const path = join(folder.path, 'report.json');
    writeFileSync(path, text);
    const { code, output } = await verify(join(server.data, 'ledger'), verifierKey(server.data), '--report', path);
    assert.equal(code, 0, output);
  });
});
