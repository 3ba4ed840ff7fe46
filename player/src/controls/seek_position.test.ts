import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fractionAt, timeAt } from './seek_position';

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
