import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PlayedIntervals, kMaxIntervals, union } from './played_intervals';

const kBase = 1_795_000_000_000;

function play(played: PlayedIntervals, from: number, wall: number, seconds: number, rate = 1): number {
  for (let t = 0; t <= seconds * 1000; t += 250) played.sample(kBase + from + t * rate, wall + t, rate);
  return wall + seconds * 1000;
}

test('steady playback is one interval', () => {
  const played = new PlayedIntervals();
  play(played, 0, 100, 10);
  assert.deepEqual(played.take(), [{ from_ms: kBase, to_ms: kBase + 10_000 }]);
});

test('the next beacon starts where the last one ended, fractions included', () => {
  const played = new PlayedIntervals();
  let total = 0;
  for (let i = 0; i < 100; i++) {
    played.sample(kBase + i * 333.37, i * 333.37, 1);
    const taken = played.take();
    for (const interval of taken) total += interval.to_ms - interval.from_ms;
  }
  assert.equal(total, Math.floor(kBase + 99 * 333.37) - kBase);
});

test('a seek splits, and what was skipped is not counted', () => {
  const played = new PlayedIntervals();
  const wall = play(played, 0, 0, 4);
  played.cut();
  play(played, 60_000, wall + 100, 4);
  assert.deepEqual(played.take(), [
    { from_ms: kBase, to_ms: kBase + 4_000 },
    { from_ms: kBase + 60_000, to_ms: kBase + 64_000 },
  ]);
});

test('a jump nobody announced splits too', () => {
  const played = new PlayedIntervals();
  const wall = play(played, 0, 0, 2);
  play(played, 30_000, wall + 250, 2);
  assert.deepEqual(played.take().map((i) => i.to_ms - i.from_ms), [2_000, 2_000]);
});

test('seeing the same stretch twice counts once in a beacon', () => {
  const played = new PlayedIntervals();
  const wall = play(played, 0, 0, 6);
  played.cut();
  play(played, 2_000, wall + 50, 6);
  assert.deepEqual(played.take(), [{ from_ms: kBase, to_ms: kBase + 8_000 }]);
});

test('a pause adds nothing', () => {
  const played = new PlayedIntervals();
  play(played, 0, 0, 2);
  played.cut();
  played.sample(kBase + 2_000, 60_000, 1);
  assert.deepEqual(played.take(), [{ from_ms: kBase, to_ms: kBase + 2_000 }]);
  assert.deepEqual(played.take(), []);
});

test('a playhead faster than the wall clock allows is no playback', () => {
  const played = new PlayedIntervals();
  for (let t = 0; t < 10; t++) played.sample(kBase + t * 5_000, t * 1_000, 1);
  assert.deepEqual(played.take(), []);
});

test('double speed is playback when the rate says so', () => {
  const played = new PlayedIntervals();
  play(played, 0, 0, 5, 2);
  assert.deepEqual(played.take(), [{ from_ms: kBase, to_ms: kBase + 10_000 }]);
});

test('many cuts ask for an early beacon', () => {
  const played = new PlayedIntervals();
  for (let i = 0; i < kMaxIntervals; i++) {
    played.sample(kBase + i * 10_000, i * 1_000, 1);
    played.sample(kBase + i * 10_000 + 300, i * 1_000 + 300, 1);
    played.cut();
  }
  assert.equal(played.crowded, true);
  played.take();
  assert.equal(played.crowded, false);
});

test('union keeps disjoint intervals apart and joins touching ones', () => {
  assert.deepEqual(
    union([
      { from_ms: 10, to_ms: 20 },
      { from_ms: 0, to_ms: 10 },
      { from_ms: 30, to_ms: 40 },
      { from_ms: 35, to_ms: 36 },
      { from_ms: 50, to_ms: 50 },
    ]),
    [
      { from_ms: 0, to_ms: 20 },
      { from_ms: 30, to_ms: 40 },
    ],
  );
});
