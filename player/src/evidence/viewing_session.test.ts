import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import type { Addressed, Delivery } from './beacon_queue';
import { ViewingSession } from './viewing_session';

const kBase = 1_795_000_000_000;

class FakeVideo extends EventTarget {
  paused = true;
  ended = false;
  seeking = false;
  playbackRate = 1;
  currentTime = 0;
  ranges: [number, number][] = [];
  get played(): { length: number; start(i: number): number; end(i: number): number } {
    const { ranges } = this;
    return { length: ranges.length, start: (i) => ranges[i]![0], end: (i) => ranges[i]![1] };
  }
  fire(name: string): void {
    this.dispatchEvent(new Event(name));
  }
}

let now = 0;
let video: FakeVideo;
let sent: Addressed[];
let sessions: number;
let session: ViewingSession;
let answer: Delivery;
const page = Object.assign(new EventTarget(), { visibilityState: 'visible' });

beforeEach(async () => {
  now = 0;
  sessions = 0;
  sent = [];
  answer = 'ok';
  video = new FakeVideo();
  page.visibilityState = 'visible';
  mock.method(performance, 'now', () => now);
  const frame = Object.assign(new EventTarget(), {
    setTimeout: () => 0,
    clearTimeout: () => undefined,
    setInterval: () => 0,
    clearInterval: () => undefined,
  });
  Object.assign(globalThis, {
    window: frame,
    document: page,
    location: { origin: 'http://tv.example' },
    fetch: async () => {
      sessions++;
      const body = { session: `s${sessions}`, token: `t${sessions}`, base: `/s/t${sessions}/`, beacon_interval_s: 10 };
      return new Response(JSON.stringify(body), { status: 201 });
    },
  });
  session = new ViewingSession(
    'demo',
    video as unknown as HTMLVideoElement,
    () => ({
      position_ms: kBase + video.currentTime * 1000,
      latency_ms: 900.4,
      width: 640,
      height: 360,
      dropped: 1,
      frames: 100,
    }),
    () => undefined,
    {
      send: async (item) => {
        sent.push(item);
        return answer;
      },
      sendLast: (item) => {
        sent.push(item);
        return true;
      },
    },
  );
  await session.open();
});
afterEach(() => mock.restoreAll());

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

async function play(seconds: number): Promise<void> {
  if (video.paused) {
    video.paused = false;
    video.fire('playing');
  }
  for (let i = 0; i < seconds * 4; i++) {
    now += 250;
    video.currentTime += 0.25;
    video.fire('timeupdate');
  }
  await settle();
}

const played = (): number =>
  sent.flatMap(({ beacon }) => beacon.played).reduce((sum, { from_ms, to_ms }) => sum + to_ms - from_ms, 0);

test('the first picture is told at once, the pause tells what was played', async () => {
  await play(5);
  video.paused = true;
  video.fire('pause');
  await settle();
  assert.deepEqual(sent.map(({ beacon }) => beacon.state), ['playing', 'paused']);
  assert.deepEqual(sent.map(({ beacon }) => beacon.seq), [1, 2]);
  assert.deepEqual(sent[1]?.beacon.played, [{ from_ms: kBase, to_ms: kBase + 5_000 }]);
  assert.equal(sent[1]?.beacon.latency_ms, 900);
  assert.equal(sent[1]?.beacon.wall_ms, 5_000);
});

test('what played before the page was hidden was seen, what plays after it was not', async () => {
  await play(4);
  page.visibilityState = 'hidden';
  page.dispatchEvent(new Event('visibilitychange'));
  await play(3);
  page.visibilityState = 'visible';
  page.dispatchEvent(new Event('visibilitychange'));
  await play(2);
  session.close();
  await settle();
  const told = sent
    .filter(({ beacon }) => beacon.played.length > 0)
    .map(({ beacon }) => [beacon.visible, beacon.played.reduce((sum, i) => sum + i.to_ms - i.from_ms, 0)]);
  assert.deepEqual(told, [
    [true, 4_000],
    [false, 3_000],
    [true, 2_000],
  ]);
});

test('a seek does not count the way it skipped', async () => {
  await play(2);
  video.seeking = true;
  video.currentTime += 100;
  video.fire('seeking');
  video.fire('timeupdate');
  video.seeking = false;
  video.fire('playing');
  await play(2);
  session.close();
  assert.equal(played(), 4_000);
});

test('a stall in the middle is counted once, the wait before the first picture is none', async () => {
  video.fire('waiting');
  await play(2);
  video.fire('waiting');
  video.fire('waiting');
  video.fire('playing');
  await play(1);
  assert.equal(session.stallCount, 1);
});

test('closing is the last word and is said once', async () => {
  await play(2);
  session.close();
  session.close();
  await settle();
  assert.deepEqual(sent.filter(({ beacon }) => beacon.state === 'ended').length, 1);
  assert.equal(played(), 2_000);
});

test('short plays between stalls that the player seeks out of are all counted', async () => {
  await play(1);
  for (let i = 0; i < 5; i++) {
    const from = video.currentTime;
    // 200 ms are played and no timeupdate comes before the seek.
    now += 200;
    video.ranges = [[0, from + 0.2]];
    video.seeking = true;
    video.currentTime = from + 0.3;
    video.fire('seeking');
    now += 1_000;
    video.seeking = false;
    video.fire('playing');
  }
  session.close();
  assert.equal(Math.round(played()), 2_000);
});

test('what was played long ago behind the playhead is not played again by a seek', async () => {
  await play(1);
  video.ranges = [[0, 600]]; // an hour was watched before, and rewound to its start
  now += 100;
  video.seeking = true;
  video.currentTime = 500;
  video.fire('seeking');
  session.close();
  assert.equal(played(), 1_000);
});
