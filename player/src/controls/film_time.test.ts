import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatFilmTime } from './film_time';

test('minutes and seconds, hours where the film has some', () => {
  assert.equal(formatFilmTime(0), '0:00');
  assert.equal(formatFilmTime(65.9), '1:05');
  assert.equal(formatFilmTime(3599), '59:59');
  assert.equal(formatFilmTime(3600), '1:00:00');
  assert.equal(formatFilmTime(65, 7200), '0:01:05');
});

test('what is no time is the beginning', () => {
  assert.equal(formatFilmTime(-1), '0:00');
  assert.equal(formatFilmTime(NaN), '0:00');
  assert.equal(formatFilmTime(Infinity), '0:00');
});
