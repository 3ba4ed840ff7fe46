import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backOffSeconds, fromShaka, fromStatus, retryHelps } from './failure';

test('HTTP statuses become causes', () => {
  assert.equal(fromStatus(0, 'x').kind, 'network');
  assert.equal(fromStatus(404, 'x').kind, 'not_found');
  assert.equal(fromStatus(403, 'x').kind, 'denied');
  assert.equal(fromStatus(429, 'x').kind, 'busy');
  assert.equal(fromStatus(500, 'x').kind, 'network');
});

test('a Shaka network error keeps its HTTP status', () => {
  const failure = fromShaka({ category: 1, code: 1001, data: ['http://x', 404] }, '');
  assert.deepEqual(failure, { kind: 'not_found', code: 'shaka-1001-404' });
});

test('an undecodable channel names its codecs and is not retried', () => {
  const failure = fromShaka({ category: 4, code: 4032, data: [] }, 'hvc1.2.4.L153.B0');
  assert.equal(failure.kind, 'codec');
  assert.equal(failure.codecs, 'hvc1.2.4.L153.B0');
  assert.equal(retryHelps(failure), false);
});

test('the back-off grows and stops growing', () => {
  assert.deepEqual([0, 1, 2, 9].map(backOffSeconds), [1, 2, 4, 30]);
});
