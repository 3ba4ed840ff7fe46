// Where on a range input a pointer is.

// The thumb's width in style.css: its middle, not its edge, reaches the ends of the range.
const kThumbPx = 16;

export function fractionAt(x: number, width: number): number {
  const travel = width - kThumbPx;
  if (travel <= 0) return 0;
  return Math.min(1, Math.max(0, (x - kThumbPx / 2) / travel));
}

export function timeAt(fraction: number, range: { start: number; end: number }): number {
  return range.start + fraction * Math.max(0, range.end - range.start);
}
