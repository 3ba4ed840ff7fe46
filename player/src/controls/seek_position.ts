// Where on a range input a pointer is, and where a key goes from there.

export interface Range {
  start: number;
  end: number;
}

// The thumb's width in style.css: its middle, not its edge, reaches the ends of the range.
const kThumbPx = 16;

export const kSeekStepS = 10;

export function fractionAt(x: number, width: number): number {
  const travel = width - kThumbPx;
  if (travel <= 0) return 0;
  return Math.min(1, Math.max(0, (x - kThumbPx / 2) / travel));
}

export function timeAt(fraction: number, range: Range): number {
  return range.start + fraction * Math.max(0, range.end - range.start);
}

/** Never beyond what can be seeked to. */
export function seekTarget(position: number, by: number, range: Range): number {
  return Math.max(range.start, Math.min(range.end, position + by));
}

/** 0 to 1, of a place in the range. */
export function fractionOf(time: number, range: Range): number {
  if (range.end <= range.start) return 0;
  return Math.min(1, Math.max(0, (time - range.start) / (range.end - range.start)));
}
