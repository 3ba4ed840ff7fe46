// Moves the focus over the page with a remote control's arrow keys.
import { neighbour, type Box, type Direction } from './neighbour';

const kFocusable = 'a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled)';

function boxOf(element: Element): Box {
  const { left, right, top, bottom } = element.getBoundingClientRect();
  return { left, right, top, bottom };
}

/** What can be focused and is on the page's surface: not the link that shows itself to keyboards only. */
function focusables(): HTMLElement[] {
  const root = document.fullscreenElement ?? document.body;
  return [...root.querySelectorAll<HTMLElement>(kFocusable)].filter(
    (element) => element.getClientRects().length > 0 && !element.classList.contains('skip'),
  );
}

export const nothingFocused = (): boolean => !(document.activeElement ?? document.body).matches(kFocusable);

/** The first thing of the page's main part; what opens a page to a remote control. */
export function focusFirst(): void {
  const all = focusables();
  (all.find((element) => element.closest('main') !== null) ?? all[0])?.focus();
}

export function moveFocus(direction: Direction): void {
  const from = document.activeElement;
  if (from === null || nothingFocused()) {
    focusFirst();
    return;
  }
  const others = focusables().filter((element) => element !== from);
  const to = neighbour(boxOf(from), others.map(boxOf), direction);
  if (to !== null) others[to]?.focus();
}
