// One household's watch of one channel: opens the session at the server, turns what the <video>
// really plays into beacons, and renews the session before it expires. The server credits
// min(played and delivered, wall clock), so everything said here can only lower a figure.
import { openSession, type Session } from '../api/client';
import { BeaconQueue, type Addressed, type Delivery, type Transport, type ViewState } from './beacon_queue';
import { PlayedIntervals } from './played_intervals';

export interface PictureFacts {
  position_ms: number | null;
  latency_ms: number | null;
  width: number;
  height: number;
  dropped: number;
  frames: number;
}

// A session is renewed this long before it expires, or at nine tenths of a short life.
const kRenewBeforeMs = 60_000;
const kRenewRetryMs = 5_000;
const kSendTimeoutMs = 8_000;
const kSeekSettlesMs = 500;

const url = (session: string): string =>
  new URL(`/api/v1/sessions/${encodeURIComponent(session)}/beacon`, location.origin).href;

export const httpTransport: Transport = {
  async send({ session, beacon }: Addressed): Promise<Delivery> {
    try {
      const response = await fetch(url(session), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(beacon),
        keepalive: true,
        signal: AbortSignal.timeout(kSendTimeoutMs),
      });
      if (response.ok) return 'ok';
      const { status } = response;
      if (status === 408 || status === 429 || status >= 500) return 'retry';
      return status === 401 || status === 403 || status === 404 || status === 410 ? 'refused' : 'useless';
    } catch {
      return 'retry';
    }
  },
  sendLast({ session, beacon }: Addressed): boolean {
    const body = new Blob([JSON.stringify(beacon)], { type: 'application/json' });
    return navigator.sendBeacon(url(session), body);
  },
};

export class ViewingSession {
  private session: Session | null = null;
  private seq = 0;
  private beatAt = 0;
  private beatTimer = 0;
  private renewTimer = 0;
  private soonTimer = 0;
  private closed = false;
  private stalling = false;
  private stalls = 0;
  // As it was while the unreported stretch played: what is reported when the page is hidden was seen.
  private visible = document.visibilityState === 'visible';
  private readonly played = new PlayedIntervals();
  // The playhead at the last sample; null after a seek.
  private sampled: { time: number; position_ms: number } | null = null;
  private readonly queue: BeaconQueue;
  private readonly undo: (() => void)[] = [];

  constructor(
    private readonly channel: string,
    private readonly video: HTMLVideoElement,
    private readonly facts: () => PictureFacts,
    private readonly onRenewed: (session: Session) => void,
    transport: Transport = httpTransport,
  ) {
    this.queue = new BeaconQueue(
      transport,
      (session) => {
        // Expired, or a server that does not know it any more: media goes on in a new one.
        if (session === this.session?.id) this.renewIn(0);
      },
      (run, delay) => window.setTimeout(run, delay),
      (handle) => window.clearTimeout(handle as number),
    );
  }

  get current(): Session | null {
    return this.session;
  }

  get stallCount(): number {
    return this.stalls;
  }

  /** Throws ApiError. */
  async open(): Promise<Session> {
    const session = await openSession(this.channel);
    this.adopt(session);
    this.listen();
    this.beatTimer = window.setInterval(() => {
      if (!this.video.paused) this.beat(this.state());
    }, session.beacon_interval_s * 1000);
    return session;
  }

  /** The server no longer takes this session's token. */
  renewNow(): void {
    this.renewIn(0);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.queue.pushLast(this.report('ended'));
    window.clearInterval(this.beatTimer);
    window.clearTimeout(this.renewTimer);
    window.clearTimeout(this.soonTimer);
    for (const undo of this.undo) undo();
  }

  private adopt(session: Session): void {
    this.session = session;
    this.seq = 0;
    this.beatAt = performance.now();
    const life = session.expires_ms - Date.now();
    this.renewIn(Math.max(kRenewRetryMs, Math.max(life - kRenewBeforeMs, life * 0.9)));
  }

  private renewIn(delay_ms: number): void {
    window.clearTimeout(this.renewTimer);
    // setTimeout takes a 32-bit delay: a longer one would fire at once.
    this.renewTimer = window.setTimeout(() => void this.renew(), Math.min(delay_ms, 2 ** 31 - 1));
  }

  private async renew(): Promise<void> {
    if (this.closed) return;
    try {
      const session = await openSession(this.channel);
      if (this.closed) return;
      this.beat(this.state()); // what was played so far belongs to the old session
      this.adopt(session);
      this.onRenewed(session);
    } catch {
      this.renewIn(kRenewRetryMs);
    }
  }

  private state(): ViewState {
    if (this.video.ended) return 'ended';
    if (this.video.paused) return 'paused';
    if (document.visibilityState === 'hidden') return 'hidden';
    return this.stalling ? 'stalled' : 'playing';
  }

  private take(): void {
    const { position_ms } = this.facts();
    if (position_ms === null || this.video.seeking) return;
    this.played.sample(position_ms, performance.now(), this.video.playbackRate);
    this.sampled = { time: this.video.currentTime, position_ms };
  }

  // A seek has begun, so the playhead is at its target already. What was played since the last sample
  // is what the element says: players seek over every hole after a stall, and where stalls are many
  // the quarter seconds lost would be most of what was seen.
  private takeTail(): void {
    const { played } = this.video;
    const { sampled } = this;
    if (sampled === null) return;
    for (let i = 0; i < played.length; i++) {
      const end = played.end(i);
      if (played.start(i) > sampled.time || end <= sampled.time) continue;
      const position_ms = sampled.position_ms + (end - sampled.time) * 1000;
      this.played.sample(position_ms, performance.now(), this.video.playbackRate);
    }
    this.sampled = null;
  }

  private sample(): void {
    this.take();
    if (this.played.crowded) this.beat(this.state());
  }

  // Scrubbing seeks many times a second: one beacon when it has come to rest.
  private beatSoon(): void {
    window.clearTimeout(this.soonTimer);
    this.soonTimer = window.setTimeout(() => this.beat(this.state()), kSeekSettlesMs);
  }

  private beat(state: ViewState): void {
    const item = this.report(state);
    if (item !== null) this.queue.push(item);
  }

  private report(state: ViewState): Addressed | null {
    const session = this.session;
    if (session === null) return null;
    if (!this.video.paused) this.take();
    const now = performance.now();
    const facts = this.facts();
    const wall_ms = Math.round(now - this.beatAt);
    this.beatAt = now;
    this.seq++;
    return {
      session: session.id,
      beacon: {
        token: session.token,
        seq: this.seq,
        sent_ms: Date.now(),
        state,
        // The viewer's choice; the small corrections that hold the latency are not the viewer's.
        rate: 1,
        played: this.played.take(),
        wall_ms,
        width: facts.width,
        height: facts.height,
        dropped: facts.dropped,
        frames: facts.frames,
        stalls: this.stalls,
        latency_ms: Math.max(0, Math.round(facts.latency_ms ?? 0)),
        visible: this.visible,
      },
    };
  }

  private listen(): void {
    const on = (target: EventTarget, name: string, run: () => void): void => {
      target.addEventListener(name, run);
      this.undo.push(() => target.removeEventListener(name, run));
    };
    let started = false;
    let resting = false; // paused: the wall clock of the next beacon starts when playing goes on
    on(this.video, 'timeupdate', () => {
      if (!this.video.paused) this.sample();
    });
    on(this.video, 'playing', () => {
      this.stalling = false;
      if (resting) this.beatAt = performance.now();
      resting = false;
      if (!started) this.beat('playing');
      started = true;
      this.sample();
    });
    on(this.video, 'waiting', () => {
      if (started && !this.stalling && !this.video.seeking && !this.video.paused) this.stalls++;
      this.stalling = true;
      // Exactly here, not at the next timeupdate: a seek out of the stall may come before it.
      this.sample();
    });
    on(this.video, 'pause', () => {
      this.sample();
      this.played.cut();
      resting = true;
      this.beat(this.video.ended ? 'ended' : 'paused');
    });
    on(this.video, 'seeking', () => {
      this.takeTail();
      this.played.cut();
      if (started) this.beatSoon();
    });
    on(document, 'visibilitychange', () => {
      const visible = document.visibilityState === 'visible';
      if (visible === this.visible) return;
      if (visible) this.beat(this.state());
      else this.queue.pushLast(this.report('hidden'));
      this.visible = visible;
    });
    on(window, 'pagehide', () => {
      this.queue.pushLast(this.report('ended'));
    });
    on(window, 'online', () => this.queue.retryNow());
  }
}
