// Beacons on their way to the server: sent one after another, kept and retried with back-off while
// the server or the network is away, dropped oldest first when too many wait, and handed over in one
// go when the page is about to die. Timers and transport come through the constructor.
import type { Interval } from './played_intervals';

export type ViewState = 'playing' | 'paused' | 'stalled' | 'ended' | 'hidden';

export interface Beacon {
  token: string;
  seq: number;
  sent_ms: number;
  state: ViewState;
  rate: number;
  played: Interval[];
  wall_ms: number;
  width: number;
  height: number;
  dropped: number;
  frames: number;
  stalls: number;
  latency_ms: number;
  visible: boolean;
}

export interface Addressed {
  session: string;
  beacon: Beacon;
}

// ok: the server has it. retry: nobody took it. refused: the server no longer takes this session's
// reports. useless: it will never take this one.
export type Delivery = 'ok' | 'retry' | 'refused' | 'useless';

export interface Transport {
  send(item: Addressed): Promise<Delivery>;
  /** Fire and forget, for the page's last moment; false when the browser refuses. */
  sendLast(item: Addressed): boolean;
}

// A quarter of an hour without a server at one beacon every 10 s.
export const kMaxWaiting = 90;
const kFirstRetryMs = 1_000;
const kLastRetryMs = 30_000;

export class BeaconQueue {
  private waiting: Addressed[] = [];
  private busy = false;
  private retries = 0;
  private timer: unknown = null;
  /** Beacons that were given up because too many waited. */
  lost = 0;

  constructor(
    private readonly transport: Transport,
    private readonly onRefused: (session: string) => void,
    private readonly schedule: (run: () => void, delay_ms: number) => unknown,
    private readonly unschedule: (handle: unknown) => void,
  ) {}

  get size(): number {
    return this.waiting.length;
  }

  push(item: Addressed): void {
    this.waiting.push(item);
    if (this.waiting.length > kMaxWaiting) {
      // The one in flight is the first; the server tells repeated sequence numbers apart.
      this.waiting.splice(this.busy ? 1 : 0, 1);
      this.lost++;
    }
    if (this.timer === null) void this.pump();
  }

  /** The network is back: do not wait for the back-off. */
  retryNow(): void {
    this.clearTimer();
    void this.pump();
  }

  /**
   * The page is going away, `item` is its last word. What the browser does not take stays queued in
   * case the page comes back. One in flight is sent once more: the server tells by session and seq.
   */
  pushLast(item: Addressed | null): void {
    this.clearTimer();
    if (item !== null) this.waiting.push(item);
    this.waiting = this.waiting.filter((item) => !this.transport.sendLast(item));
  }

  private async pump(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      for (let item = this.waiting[0]; item !== undefined; item = this.waiting[0]) {
        const delivery = await this.transport.send(item);
        if (delivery === 'retry') {
          const delay = Math.min(kFirstRetryMs * 2 ** this.retries, kLastRetryMs);
          this.retries++;
          this.clearTimer();
          this.timer = this.schedule(() => {
            this.timer = null;
            void this.pump();
          }, delay);
          return;
        }
        this.retries = 0;
        if (this.waiting[0] === item) this.waiting.shift();
        if (delivery === 'refused') this.onRefused(item.session);
      }
    } finally {
      this.busy = false;
    }
  }

  private clearTimer(): void {
    if (this.timer !== null) this.unschedule(this.timer);
    this.timer = null;
  }
}
