import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import en from './en.json';
import { chosenLanguage, formatDuration, formatTime, translate } from './index';
import zh from './zh-CN.json';

const kChinese: Record<string, string> = zh;
const kEnglish: Record<string, string> = en;
const placeholders = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();

function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesIn(join(folder, entry.name)) : [join(folder, entry.name)],
  );
}

test('both languages have the same keys, none empty', () => {
  assert.deepEqual(Object.keys(kEnglish).sort(), Object.keys(kChinese).sort());
  for (const table of [kChinese, kEnglish]) {
    for (const [key, text] of Object.entries(table)) assert.notEqual(text.trim(), '', key);
  }
});

test('both languages take the same placeholders', () => {
  for (const key of Object.keys(kChinese)) {
    assert.deepEqual(placeholders(kEnglish[key] ?? ''), placeholders(kChinese[key] ?? ''), key);
  }
});

test('every string is used, and no text is written in the pages themselves', () => {
  const sources = filesIn('src')
    .filter((name) => /\.tsx?$/.test(name) && !/\.test\./.test(name))
    .map((name) => ({ name, text: readFileSync(name, 'utf8') }));
  const all = sources.map(({ text }) => text).join('\n');
  for (const key of Object.keys(kChinese)) {
    const used = all.includes(`'${key}'`) || (key.startsWith('error.') && all.includes('`error.${'));
    assert.ok(used, `${key} is not used`);
  }
  for (const { name, text } of sources) assert.doesNotMatch(text, /[\u4e00-\u9fff]/, name);
});

test('placeholders are filled, unknown ones stay visible', () => {
  assert.equal(translate('en', 'list.count', { count: 3 }), '3 channels');
  assert.equal(translate('en', 'list.count'), '{count} channels');
});

test('Chinese unless English is asked for', () => {
  assert.equal(chosenLanguage('', null), 'zh-CN');
  assert.equal(chosenLanguage('?lang=en', null), 'en');
  assert.equal(chosenLanguage('?lang=zh-CN', 'en'), 'zh-CN');
  assert.equal(chosenLanguage('', 'en'), 'en');
});

test('durations and Guangdong time', () => {
  assert.equal(formatDuration('en', 59), '59 s');
  assert.equal(formatDuration('en', 125), '2 min');
  assert.equal(formatDuration('zh-CN', 3 * 3600 + 240), '3 小时 4 分');
  assert.equal(formatTime('en', Date.UTC(2026, 0, 1, 12, 0, 5)), '20:00:05');
});
