import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fractionAt, fractionOf, seekTarget, timeAt } from './seek_position';

test('the middle of the thumb reaches both ends, and nothing lies beyond them', () => {
  assert.equal(fractionAt(8, 216), 0);
  assert.equal(fractionAt(108, 216), 0.5);
  assert.equal(fractionAt(208, 216), 1);
  assert.equal(fractionAt(-5, 216), 0);
  assert.equal(fractionAt(500, 216), 1);
  assert.equal(fractionAt(5, 10), 0);
});

test('a fraction is a time within what can be seeked to', () => {
  assert.equal(timeAt(0.25, { start: 100, end: 140 }), 110);
  assert.equal(timeAt(1, { start: 100, end: 100 }), 100);
});

test('and a time is a fraction', () => {
  assert.equal(fractionOf(110, { start: 100, end: 140 }), 0.25);
  assert.equal(fractionOf(150, { start: 100, end: 140 }), 1);
  assert.equal(fractionOf(90, { start: 100, end: 140 }), 0);
  assert.equal(fractionOf(0, { start: 0, end: 0 }), 0);
});

test('a key never leaves what can be seeked to', () => {
  const film = { start: 0, end: 60 };
  assert.equal(seekTarget(30, 10, film), 40);
  assert.equal(seekTarget(4, -10, film), 0);
  assert.equal(seekTarget(55, 10, film), 60);
  assert.equal(seekTarget(120, -10, { start: 115, end: 140 }), 115);
});
