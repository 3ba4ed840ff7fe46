// What was really played, as intervals of channel time. Fed with samples of the playhead; a stretch
// grows only while the playhead moves as fast as the wall clock allows, so a jump (seek, skipped gap,
// live catch-up by seeking) starts a new one and is never counted as watched. Nothing here knows of
// a browser: time comes in as numbers.

export interface Interval {
  from_ms: number;
  to_ms: number;
}

// Timer throttling and coarse clocks make two samples disagree by this much at most; more is a jump.
export const kSampleSlackMs = 400;
// One beacon carries at most this many intervals (a viewer who scrubs wildly): `crowded` asks the
// owner to send early.
export const kMaxIntervals = 16;

export class PlayedIntervals {
  private closed: Interval[] = [];
  private open: Interval | null = null;
  private sampledAt = 0;

  /** The playhead is at `position_ms` of channel time and playing; `now_ms` is a monotonic clock. */
  sample(position_ms: number, now_ms: number, rate: number): void {
    if (!Number.isFinite(position_ms)) return;
    if (this.open !== null) {
      const moved = position_ms - this.open.to_ms;
      const possible = (now_ms - this.sampledAt) * rate + kSampleSlackMs;
      if (moved >= 0 && moved <= possible) {
        this.open.to_ms = position_ms;
        this.sampledAt = now_ms;
        return;
      }
      this.cut();
    }
    this.open = { from_ms: position_ms, to_ms: position_ms };
    this.sampledAt = now_ms;
  }

  /** Playback stopped or jumped: the next sample starts a new stretch. */
  cut(): void {
    if (this.open !== null && this.open.to_ms > this.open.from_ms) this.closed.push(this.open);
    this.open = null;
  }

  get crowded(): boolean {
    return this.closed.length >= kMaxIntervals - 1;
  }

  /**
   * Everything played since the last call, disjoint, sorted, in whole milliseconds. A running stretch
   * goes on: the next call starts exactly where this one ended, so the sum loses and gains nothing.
   */
  take(): Interval[] {
    const all = [...this.closed];
    this.closed = [];
    if (this.open !== null) {
      const to = Math.floor(this.open.to_ms);
      if (to > this.open.from_ms) {
        all.push({ from_ms: this.open.from_ms, to_ms: to });
        this.open.from_ms = to;
      }
    }
    return union(all.map((i) => ({ from_ms: Math.floor(i.from_ms), to_ms: Math.floor(i.to_ms) })));
  }
}

/** Seeing the same minute twice within one beacon is one minute of the channel. */
export function union(intervals: readonly Interval[]): Interval[] {
  const sorted = intervals.filter((i) => i.to_ms > i.from_ms).sort((a, b) => a.from_ms - b.from_ms);
  const result: Interval[] = [];
  for (const interval of sorted) {
    const last = result[result.length - 1];
    if (last !== undefined && interval.from_ms <= last.to_ms) {
      last.to_ms = Math.max(last.to_ms, interval.to_ms);
    } else {
      result.push({ ...interval });
    }
  }
  return result;
}
