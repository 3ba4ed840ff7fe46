import assert from 'node:assert/strict';
import { test } from 'node:test';
import { directionOf, isBack, neighbour, type Box } from './neighbour';

const box = (left: number, top: number, width = 100, height = 50): Box => ({
  left,
  right: left + width,
  top,
  bottom: top + height,
});

test('in a grid each arrow goes to the next card', () => {
  const cards = [box(0, 0), box(120, 0), box(240, 0), box(0, 70), box(120, 70)];
  const [first, second] = cards as [Box, Box];
  assert.equal(neighbour(first, cards, 'right'), 1);
  assert.equal(neighbour(second, cards, 'left'), 0);
  assert.equal(neighbour(second, cards, 'down'), 4);
  assert.equal(neighbour(first, cards, 'up'), null);
  assert.equal(neighbour(first, cards, 'left'), null);
});

test('down from a card without one below goes to the nearest of the last row', () => {
  const cards = [box(0, 0), box(120, 0), box(240, 0), box(0, 70), box(120, 70)];
  assert.equal(neighbour(cards[2] as Box, cards, 'down'), 4);
});

test('right at the end of a row stays there', () => {
  const cards = [box(0, 0), box(120, 0), box(0, 70)];
  assert.equal(neighbour(cards[1] as Box, cards, 'right'), null);
});

test('a wide slider above a row of buttons is reached from each of them', () => {
  const slider = box(0, 0, 900, 24);
  const buttons = [box(0, 30, 44, 44), box(400, 30, 44, 44), box(856, 30, 44, 44)];
  for (const button of buttons) assert.equal(neighbour(button, [slider], 'up'), 0);
  assert.equal(neighbour(slider, buttons, 'down'), 1);
});

test('left and right stay in the row, also where a slider touches it', () => {
  const slider = box(0, 0, 900, 24);
  const buttons = [box(0, 24, 44, 44), box(50, 24, 44, 44)];
  assert.equal(neighbour(buttons[0] as Box, [slider, ...buttons], 'right'), 2);
  assert.equal(neighbour(slider, buttons, 'right'), null);
});

test('keys of remote controls', () => {
  assert.equal(directionOf('ArrowUp'), 'up');
  assert.equal(directionOf('k'), null);
  assert.ok(isBack('GoBack', 0));
  assert.ok(isBack('Unidentified', 461));
  assert.ok(isBack('', 10009));
  assert.ok(!isBack('Escape', 27));
});
