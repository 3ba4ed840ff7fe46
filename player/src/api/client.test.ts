import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, instant, parseChannels, parseFilms, parseSession } from './client';

test('a channel without a title is shown by its id', () => {
  const [channel] = parseChannels({ channels: [{ id: 'demo', live: true, since: '2026-01-01T00:00:00Z' }] });
  assert.equal(channel?.title, 'demo');
  assert.equal(channel?.since_ms, Date.UTC(2026, 0, 1));
});

test('the poster is an address, or there is none', () => {
  const channels = parseChannels({
    channels: [{ id: 'a', poster: '/live/a/poster.jpg?t=1790000000' }, { id: 'b', poster: null }, { id: 'c' }],
  });
  assert.deepEqual(
    channels.map(({ poster }) => poster),
    ['/live/a/poster.jpg?t=1790000000', null, null],
  );
});

test('a film has a title, a length and a poster, or does without', () => {
  const films = parseFilms({
    items: [{ id: 'a', title: 'A', duration_s: 60.5, poster: '/vod/a/poster.jpg' }, { id: 'b', title: '', duration_s: null, poster: null }],
  });
  assert.deepEqual(films, [
    { id: 'a', title: 'A', duration_s: 60.5, poster: '/vod/a/poster.jpg' },
    { id: 'b', title: 'b', duration_s: null, poster: null },
  ]);
});

test('live channels come first; programme and dynamic range are read', () => {
  const channels = parseChannels({
    channels: [
      { id: 'a', live: false, since: null, range: 'SDR', programme: null },
      { id: 'b', live: true, range: 'HLG', programme: { id: 'p', title: 'Gala', free: true } },
    ],
  });
  assert.deepEqual(channels.map(({ id }) => id), ['b', 'a']);
  assert.equal(channels[0]?.highDynamicRange, 'HLG');
  assert.deepEqual(channels[0]?.programme, { title: 'Gala', free: true });
  assert.equal(channels[1]?.highDynamicRange, null);
});

test('an answer that is no list of channels is an error, not an empty list', () => {
  assert.throws(() => parseChannels({}), ApiError);
  assert.throws(() => parseChannels(null), ApiError);
  assert.throws(() => parseChannels({ channels: [{ title: 'no id' }] }), ApiError);
});

test('the session base becomes an absolute URL', () => {
  const session = parseSession(
    { session: 'a', token: 't', base: '/s/t/', expires: '2026-01-01T00:00:00Z', beacon_interval_s: 5 },
    'https://tv.example:8443',
  );
  assert.equal(session.base, 'https://tv.example:8443/s/t/');
  assert.equal(session.beacon_interval_s, 5);
  assert.equal(session.expires_ms, Date.UTC(2026, 0, 1));
});

test('an instant is RFC 3339 text or milliseconds', () => {
  assert.equal(instant(5), 5);
  assert.equal(instant('1970-01-01T00:00:01Z'), 1000);
  assert.equal(instant('yesterday'), null);
  assert.equal(instant(undefined), null);
});
