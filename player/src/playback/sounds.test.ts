import assert from 'node:assert/strict';
import { test } from 'node:test';
import { soundName, soundOf, soundsOf, type SoundTrack } from './sounds';

const hls = (label: string, language: string, primary = false): SoundTrack => ({ label, language, primary, audioRoles: [] });
const dash = (role: string, language: string): SoundTrack => ({
  label: null,
  language,
  primary: role === 'main',
  audioRoles: [role],
});
const ids = (tracks: SoundTrack[]): string[] => soundsOf(tracks).map(({ id }) => id);
const numbered = (number: number): string => `Sound ${number}`;
const named = (language: string, number: number, reader: string): string =>
  soundName({ id: '', language, number }, reader, numbered);

test('a sound in several codecs, at several rates and with several pictures is one', () => {
  const tracks = [
    hls('audio-zh', 'zh', true), // 5.1
    hls('audio-zh', 'zh', true), // a rung of it
    hls('audio-en', 'en'),
    hls('audio-zh', 'zh', true),
    hls('audio-en', 'en'),
  ];
  assert.deepEqual(ids(tracks), ['zh/1', 'en/1']);
});

test('HLS and DASH tell of the same sounds', () => {
  assert.deepEqual(ids([dash('alternate', 'en'), dash('main', 'zh')]), ids([hls('audio-zh', 'zh', true), hls('audio-en', 'en')]));
  assert.deepEqual(
    ids([dash('main', 'zh'), dash('alternate', 'zh')]),
    ids([hls('audio-zh', 'zh', true), hls('audio-zh-2', 'zh')]),
  );
});

test('the sound that the manifest chooses is the first', () => {
  assert.deepEqual(ids([hls('audio-en', 'en'), hls('audio-zh', 'zh', true)]), ['zh/1', 'en/1']);
  assert.deepEqual(ids([dash('alternate', 'en'), dash('alternate', 'yue'), dash('main', 'zh')]), ['zh/1', 'en/1', 'yue/1']);
});

test('the second sound of a language is another one than the first', () => {
  assert.deepEqual(ids([dash('main', 'zh'), dash('alternate', 'zh'), dash('alternate', 'en')]), ['zh/1', 'en/1', 'zh/2']);
});

test('a rung of the second sound of a language is that sound', () => {
  assert.deepEqual(ids([hls('audio-zh', 'zh', true), hls('audio-zh-2', 'zh'), hls('audio-zh-2', 'zh-x-2')]), ['zh/1', 'zh/2']);
  assert.deepEqual(ids([dash('main', 'zh'), dash('alternate', 'zh'), dash('alternate', 'zh-x-2')]), ['zh/1', 'zh/2']);
});

test('sounds of which nobody said the language have numbers, and their rungs the same', () => {
  assert.deepEqual(ids([hls('audio-1', 'und', true), hls('audio-2', 'und'), hls('audio-2', 'und-x-2')]), ['und/1', 'und/2']);
  assert.deepEqual(ids([dash('main', 'und'), dash('alternate', 'und'), dash('alternate', 'und-x-2')]), ['und/1', 'und/2']);
  assert.deepEqual(soundOf(hls('audio-3', 'und-x-3'), []), { id: 'und/3', language: 'und', number: 3 });
});

test('languages are named in the language of who reads', () => {
  assert.equal(named('zh', 1, 'zh-CN'), '中文');
  assert.equal(named('zh', 1, 'en'), 'Chinese');
  assert.equal(named('yue', 1, 'zh-CN'), '粤语');
  assert.equal(named('en', 2, 'en'), 'English 2');
  assert.equal(named('en', 1, 'fr'), 'Anglais');
});

test('without a language there is a number, and no tag is ever without a name', () => {
  assert.equal(named('und', 2, 'en'), 'Sound 2');
  assert.equal(named('qzz', 1, 'en'), 'Qzz');
  assert.equal(named('no_tag', 1, 'en'), 'no_tag');
});
