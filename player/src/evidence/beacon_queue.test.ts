import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BeaconQueue, kMaxWaiting, type Addressed, type Delivery } from './beacon_queue';

class FakeTransport {
  answers: Delivery[] = [];
  sent: number[] = [];
  last: number[] = [];
  takesLast = true;
  async send(item: Addressed): Promise<Delivery> {
    this.sent.push(item.beacon.seq);
    return this.answers.shift() ?? 'ok';
  }
  sendLast(item: Addressed): boolean {
    if (this.takesLast) this.last.push(item.beacon.seq);
    return this.takesLast;
  }
}

class FakeTimers {
  pending: { run: () => void; delay: number }[] = [];
  schedule = (run: () => void, delay: number): unknown => {
    const entry = { run, delay };
    this.pending.push(entry);
    return entry;
  };
  unschedule = (handle: unknown): void => {
    this.pending = this.pending.filter((entry) => entry !== handle);
  };
  fire(): void {
    this.pending.shift()?.run();
  }
}

function beacon(seq: number): Addressed {
  return {
    session: 's1',
    beacon: {
      token: 't', seq, sent_ms: seq, state: 'playing', rate: 1, played: [], wall_ms: 0, width: 0,
      height: 0, dropped: 0, frames: 0, stalls: 0, latency_ms: 0, visible: true,
    },
  };
}

function make() {
  const transport = new FakeTransport();
  const timers = new FakeTimers();
  const refused: string[] = [];
  const queue = new BeaconQueue(transport, (s) => refused.push(s), timers.schedule, timers.unschedule);
  return { transport, timers, refused, queue };
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

test('beacons leave in order', async () => {
  const { transport, queue } = make();
  for (let i = 1; i <= 3; i++) queue.push(beacon(i));
  await settle();
  assert.deepEqual(transport.sent, [1, 2, 3]);
  assert.equal(queue.size, 0);
});

test('an unsent beacon is kept and retried, with growing delays', async () => {
  const { transport, timers, queue } = make();
  transport.answers = ['retry', 'retry', 'retry'];
  queue.push(beacon(1));
  const delays: number[] = [];
  for (let i = 0; i < 3; i++) {
    await settle();
    delays.push(timers.pending[0]?.delay ?? -1);
    timers.fire();
  }
  await settle();
  assert.deepEqual(delays, [1_000, 2_000, 4_000]);
  assert.equal(queue.size, 0);
  assert.deepEqual(transport.sent, [1, 1, 1, 1]);
});

test('while it waits for a retry new beacons only queue', async () => {
  const { transport, timers, queue } = make();
  transport.answers = ['retry'];
  queue.push(beacon(1));
  await settle();
  queue.push(beacon(2));
  await settle();
  assert.deepEqual(transport.sent, [1]);
  timers.fire();
  await settle();
  assert.deepEqual(transport.sent, [1, 1, 2]);
});

test('when the network is back nothing waits for the back-off', async () => {
  const { transport, timers, queue } = make();
  transport.answers = ['retry'];
  queue.push(beacon(1));
  await settle();
  queue.retryNow();
  await settle();
  assert.equal(queue.size, 0);
  assert.equal(timers.pending.length, 0);
});

test('a refused beacon is dropped, its session is told, the next goes on', async () => {
  const { transport, refused, queue } = make();
  transport.answers = ['refused'];
  queue.push(beacon(1));
  queue.push(beacon(2));
  await settle();
  assert.deepEqual(refused, ['s1']);
  assert.deepEqual(transport.sent, [1, 2]);
  assert.equal(queue.size, 0);
});

test('a beacon that is wrong in itself is dropped and leaves its session alone', async () => {
  const { transport, refused, queue } = make();
  transport.answers = ['useless'];
  queue.push(beacon(1));
  queue.push(beacon(2));
  await settle();
  assert.deepEqual(refused, []);
  assert.deepEqual(transport.sent, [1, 2]);
});

test('the queue is bounded and drops the oldest', async () => {
  const { transport, queue } = make();
  transport.answers = ['retry'];
  for (let i = 1; i <= kMaxWaiting + 10; i++) {
    queue.push(beacon(i));
    await settle();
  }
  assert.equal(queue.size, kMaxWaiting);
  assert.equal(queue.lost, 10);
  queue.pushLast(null);
  assert.equal(transport.last[0], 11);
  assert.equal(transport.last.length, kMaxWaiting);
});

test('the last word leaves at once, and once', async () => {
  const { transport, queue } = make();
  queue.pushLast(beacon(7));
  await settle();
  assert.deepEqual(transport.last, [7]);
  assert.deepEqual(transport.sent, []);
});

test('what the browser refuses at the end stays queued', async () => {
  const { transport, queue } = make();
  transport.answers = ['retry'];
  queue.push(beacon(1));
  await settle();
  transport.takesLast = false;
  queue.pushLast(null);
  assert.equal(queue.size, 1);
  queue.retryNow();
  await settle();
  assert.equal(queue.size, 0);
});
