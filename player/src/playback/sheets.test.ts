import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTile, Sheets, type Thumbnail } from './sheets';

const tile = (url: string, y = 0): Thumbnail => ({ url, x: 0, y, width: 312, height: 176, imageWidth: 312, imageHeight: 1760 });

function loader() {
  const asked: string[] = [];
  let now_ms = 0;
  let there = true;
  const sheets = new Sheets(
    async (url) => {
      asked.push(url);
      if (!there) throw new Error('404');
      return { naturalWidth: 312, naturalHeight: 1760 };
    },
    () => now_ms,
  );
  return { asked, sheets, pass: (ms: number) => (now_ms += ms), appear: (now: boolean) => (there = now) };
}

test('a sheet is asked for once, whichever of its pictures is shown', async () => {
  const { asked, sheets } = loader();
  assert.deepEqual(await Promise.all([0, 176, 352].map((y) => sheets.has(tile('a', y)))), [true, true, true]);
  assert.equal(await sheets.has(tile('b')), true);
  assert.equal(await sheets.has(tile('a', 1584)), true);
  assert.deepEqual(asked, ['a', 'b']);
});

test('one that is not there is asked for again later', async () => {
  const { asked, sheets, pass, appear } = loader();
  appear(false);
  assert.equal(await sheets.has(tile('a')), false);
  appear(true);
  pass(9_000);
  assert.equal(await sheets.has(tile('a')), false);
  pass(2_000);
  assert.equal(await sheets.has(tile('a')), true);
  assert.deepEqual(asked, ['a', 'a']);
});

test('an image of another size is no sheet', async () => {
  const { sheets } = loader();
  assert.equal(await sheets.has({ ...tile('a'), imageHeight: 1440 }), false);
});

test('the one that was shown longest ago is forgotten', async () => {
  const { asked, sheets } = loader();
  for (let i = 0; i < 32; i++) await sheets.has(tile(`${i}`));
  await sheets.has(tile('0'));
  await sheets.has(tile('32')); // the 33rd
  asked.length = 0;
  await sheets.has(tile('0'));
  await sheets.has(tile('1'));
  assert.deepEqual(asked, ['1']);
});

test('a tile is less than its image', () => {
  assert.equal(isTile(tile('a')), true);
  assert.equal(isTile({ ...tile('a'), imageHeight: 176 }), false);
});
