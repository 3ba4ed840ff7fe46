// Which of the things on a screen lies in a direction: what a television's remote control moves between. Pure geometry.

export type Direction = 'left' | 'right' | 'up' | 'down';

export interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

const kDirections: Record<string, Direction | undefined> = {
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down',
};
export const directionOf = (key: string): Direction | null => kDirections[key] ?? null;

// Remote controls say "back" in many ways: Tizen 10009, webOS and HbbTV 461; Android and desktops by name.
const kBackKeys = new Set(['GoBack', 'BrowserBack', 'Backspace', 'XF86Back']);
const kBackCodes = new Set([10009, 461]);
export const isBack = (key: string, code: number): boolean => kBackKeys.has(key) || kBackCodes.has(code);

// Something straight ahead is nearer than something closer by but aside.
const kAsideWeight = 3;

/** 0 where they overlap. */
const gap = (aFrom: number, aTo: number, bFrom: number, bTo: number): number => Math.max(0, bFrom - aTo, aFrom - bTo);

const middle = (from: number, to: number): number => (from + to) / 2;

function cost(from: Box, to: Box, direction: Direction): number {
  const across = direction === 'left' || direction === 'right';
  const step = across
    ? middle(to.left, to.right) - middle(from.left, from.right)
    : middle(to.top, to.bottom) - middle(from.top, from.bottom);
  const ahead = direction === 'right' || direction === 'down' ? step : -step;
  // What overlaps more than half is beside it, not ahead.
  const clear = across
    ? ahead >= Math.min(from.right - from.left, to.right - to.left) / 2
    : ahead >= Math.min(from.bottom - from.top, to.bottom - to.top) / 2;
  if (!clear) return Infinity;
  const distance = across
    ? gap(from.left, from.right, to.left, to.right)
    : gap(from.top, from.bottom, to.top, to.bottom);
  const aside = across
    ? gap(from.top, from.bottom, to.top, to.bottom)
    : gap(from.left, from.right, to.left, to.right);
  // A row's neighbour is in the row: left and right never jump to another line, not even to one that touches.
  const shared = Math.min(from.bottom, to.bottom) - Math.max(from.top, to.top);
  if (across && shared < Math.min(from.bottom - from.top, to.bottom - to.top) / 2) return Infinity;
  const offCentre = across
    ? 0
    : Math.abs(middle(to.left, to.right) - middle(from.left, from.right)) / 1000; // only decides between equals
  return distance + kAsideWeight * aside + offCentre;
}

/** The index of the nearest box in that direction; null: nothing lies there. */
export function neighbour(from: Box, boxes: readonly Box[], direction: Direction): number | null {
  let best: number | null = null;
  let least = Infinity;
  boxes.forEach((box, i) => {
    const now = cost(from, box, direction);
    if (now < least) {
      least = now;
      best = i;
    }
  });
  return best;
}
