import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bufferAhead, manifestUrl, rebased } from './playback/engine';
import { filmPath, listPath, protocolOf, routeOf, watchPath } from './routes';

test('a channel is named by the path or by the query', () => {
  assert.deepEqual(routeOf('/watch/demo', ''), { page: 'watch', channel: 'demo' });
  assert.deepEqual(routeOf('/', '?channel=demo'), { page: 'watch', channel: 'demo' });
  assert.deepEqual(routeOf('/', ''), { page: 'list' });
});

test('what is no channel id leads to the list', () => {
  assert.deepEqual(routeOf('/watch/..%2Fx', ''), { page: 'list' });
  assert.deepEqual(routeOf('/', '?channel=<b>'), { page: 'list' });
});

test('options survive going from page to page, the channel does not', () => {
  assert.equal(watchPath('demo', '?proto=hls'), '/watch/demo?proto=hls');
  assert.equal(listPath('?channel=demo&lang=en'), '/?lang=en');
});

test('a film is named by the query, and left behind with it', () => {
  assert.deepEqual(routeOf('/', '?film=a-film'), { page: 'film', film: 'a-film' });
  assert.deepEqual(routeOf('/', '?film=../x'), { page: 'list' });
  assert.equal(filmPath('a-film', '?lang=en'), '/?lang=en&film=a-film');
  assert.equal(filmPath('a-film', ''), '/?film=a-film');
  assert.equal(listPath('?film=a-film'), '/');
});

test('LL-DASH unless HLS is asked for', () => {
  assert.equal(protocolOf(''), 'dash');
  assert.equal(protocolOf('?proto=hls'), 'hls');
  assert.equal(protocolOf('?proto=<b>'), 'dash');
});

test('manifest URLs are absolute and inside the session', () => {
  assert.equal(manifestUrl('http://h:1/s/tok/', 'demo', 'dash'), 'http://h:1/s/tok/live/demo/manifest.mpd');
  assert.equal(manifestUrl('http://h:1/s/tok/', 'demo', 'native'), 'http://h:1/s/tok/live/demo/master.m3u8');
});

test('a renewed session takes over the URLs of the old one, and nothing else', () => {
  const base = 'http://h/s/new/';
  assert.equal(rebased('http://h/s/old/live/demo/source/5.m4s', base), 'http://h/s/new/live/demo/source/5.m4s');
  assert.equal(rebased('http://h/time', base), 'http://h/time');
  assert.equal(rebased('http://cdn/s/old/live/x', base), 'http://cdn/s/old/live/x');
});

test('the buffer is what lies ahead of the playhead', () => {
  const ranges = [[0, 4], [10, 15]] as const;
  const buffered = { length: 2, start: (i: number) => ranges[i]?.[0] ?? 0, end: (i: number) => ranges[i]?.[1] ?? 0 };
  assert.equal(bufferAhead({ currentTime: 11, buffered } as unknown as HTMLVideoElement), 4);
  assert.equal(bufferAhead({ currentTime: 6, buffered } as unknown as HTMLVideoElement), 0);
});
