// Keeps a channel playing on a <video>: session, engine, retry with back-off, loss and return of the
// signal. The page draws what `status` says and knows nothing of how it came about.
import { ApiError, listChannels, type Channel } from '../api/client';
import { ViewingSession } from '../evidence/viewing_session';
import { mediaSourceExists, NativeEngine, ShakaEngine, type Engine, type Snapshot } from './engine';
import { backOffSeconds, fromStatus, retryHelps, type Failure } from './failure';
import { ServerClock } from './server_clock';
import type { Thumbnail } from './sheets';
import { storeSoundLanguage } from './sounds';
import { playOr, type Status, type Wishes } from './status';

// A stall this long asks the server whether the channel still has a signal.
const kAskAfterMs = 2_500;
const kAskEveryMs = 2_000;
// The signal is back but the engine did not notice by itself: start over.
const kReviveAfterMs = 6_000;
// A live channel, and still no picture: a fresh start may help, waiting will not.
const kGiveUpAfterMs = 15_000;

export class Playback {
  private readonly clock = new ServerClock();
  private engine: Engine | null = null;
  private session: ViewingSession | null = null;
  private wishes: Wishes = { quality: 'auto', sound: null };
  private attempt = 0;
  private generation = 0;
  private retryTimer = 0;
  private watchTimer = 0;
  private asked = 0;
  private liveAgainSince = 0;
  private gone = false;
  private status: Status = { kind: 'connecting' };
  channel: Channel | null = null;

  constructor(
    private readonly id: string,
    private readonly video: HTMLVideoElement,
    private readonly protocol: 'dash' | 'hls',
    private readonly onStatus: (status: Status) => void,
  ) {}

  start(): void {
    const { video } = this;
    video.addEventListener('playing', this.onPlaying);
    video.addEventListener('waiting', this.onWaiting);
    video.addEventListener('pause', this.onPause);
    window.addEventListener('online', this.onOnline);
    this.watchTimer = window.setInterval(() => void this.watch(), 500);
    void this.clock.synchronise();
    void this.refreshChannel().catch(() => undefined);
    void this.connect();
  }

  async stop(): Promise<void> {
    this.gone = true;
    this.generation++;
    window.clearTimeout(this.retryTimer);
    window.clearInterval(this.watchTimer);
    this.video.removeEventListener('playing', this.onPlaying);
    this.video.removeEventListener('waiting', this.onWaiting);
    this.video.removeEventListener('pause', this.onPause);
    window.removeEventListener('online', this.onOnline);
    this.session?.close();
    await this.engine?.destroy();
  }

  snapshot(): Snapshot | null {
    return this.engine?.snapshot() ?? null;
  }

  async thumbnail(time: number): Promise<Thumbnail | null> {
    return (await this.engine?.thumbnail(time)) ?? null;
  }

  get stalls(): number {
    return this.session?.stallCount ?? 0;
  }

  get sessionId(): string {
    return this.session?.current?.id ?? '';
  }

  goLive(): void {
    this.engine?.goLive();
    void this.play();
  }

  selectQuality(id: string): void {
    this.wishes.quality = id;
    this.engine?.selectQuality(id);
  }

  selectSound(id: string): void {
    this.wishes.sound = id;
    const sound = this.snapshot()?.sounds.find((each) => each.id === id);
    if (sound !== undefined) storeSoundLanguage(sound);
    this.engine?.selectSound(id);
  }

  async play(): Promise<void> {
    await playOr(() => this.say({ kind: 'refused_autoplay' }), this.video);
  }

  retryNow(): void {
    window.clearTimeout(this.retryTimer);
    void this.connect();
  }

  private say(status: Status): void {
    this.status = status;
    if (!this.gone) this.onStatus(status);
  }

  private async connect(): Promise<void> {
    const generation = ++this.generation;
    const current = (): boolean => generation === this.generation;
    this.liveAgainSince = 0;
    if (this.status.kind !== 'signal_lost') this.say({ kind: 'connecting' });
    await this.engine?.destroy();
    this.engine = null;
    if (!current()) return;
    if (!mediaSourceExists() && this.video.canPlayType('application/vnd.apple.mpegurl') === '') {
      this.fail({ kind: 'unsupported', code: 'no-mse-no-hls' });
      return;
    }
    try {
      if (this.session?.current == null) {
        this.session?.close();
        const session = new ViewingSession(
          this.id,
          this.video,
          () => this.facts(),
          (renewed) => this.engine?.rebase(renewed.base),
        );
        await session.open();
        if (!current()) {
          session.close();
          return;
        }
        this.session = session;
      }
    } catch (error) {
      if (current()) this.fail(cause(error));
      return;
    }
    const base = this.session?.current?.base;
    if (base === undefined) return;
    const events = {
      failed: (failure: Failure): void => {
        if (current()) this.fail(failure);
      },
      troubled: (failure: Failure): void => {
        if (current() && failure.kind === 'denied') this.session?.renewNow();
      },
    };
    const engine = mediaSourceExists()
      ? new ShakaEngine(this.video, this.protocol, this.clock, events)
      : new NativeEngine(this.video, this.clock, events);
    this.engine = engine;
    try {
      await engine.load(base, this.id);
    } catch (error) {
      if (current()) this.fail(unknown(error));
      return;
    }
    if (!current() || this.status.kind === 'failed') return;
    if (this.wishes.quality !== 'auto') engine.selectQuality(this.wishes.quality);
    if (this.wishes.sound !== null) engine.selectSound(this.wishes.sound);
    await this.play();
  }

  private facts() {
    const empty = { position_ms: null, latency_ms: null, width: 0, height: 0, dropped: 0, frames: 0 };
    return this.engine?.snapshot() ?? empty;
  }

  private fail(failure: Failure): void {
    if (failure.kind === 'denied' || failure.kind === 'not_found') {
      // The token may have been the reason; the next try opens a new session.
      this.session?.close();
      this.session = null;
    }
    window.clearTimeout(this.retryTimer);
    const wait = retryHelps(failure) ? backOffSeconds(this.attempt++) * 1000 : 0;
    if (wait > 0) this.retryTimer = window.setTimeout(() => void this.connect(), wait);
    const said: Status = { kind: 'failed', failure, retryAt: wait > 0 ? Date.now() + wait : 0 };
    // A channel that exists but has nothing to play yet is a lost signal, not an error.
    if (failure.kind === 'not_found' || failure.kind === 'network') {
      void this.refreshChannel()
        .then((known) => this.say(known && !this.channel?.live ? { kind: 'signal_lost' } : said))
        .catch(() => this.say(said));
    } else {
      this.say(said);
    }
  }

  private async refreshChannel(): Promise<boolean> {
    const channels = await listChannels();
    const found = channels.find((channel) => channel.id === this.id);
    if (found !== undefined) this.channel = found;
    else if (this.channel !== null) this.channel = { ...this.channel, live: false };
    return this.channel !== null;
  }

  private async watch(): Promise<void> {
    const now = performance.now();
    const { status } = this;
    const stalled = status.kind === 'buffering' && now - status.since_ms > kAskAfterMs;
    if ((!stalled && status.kind !== 'signal_lost') || now - this.asked < kAskEveryMs) return;
    this.asked = now;
    try {
      if (!(await this.refreshChannel())) return;
    } catch (error) {
      if (this.status === status && stalled && now - status.since_ms > kGiveUpAfterMs) this.fail(cause(error));
      return;
    }
    if (this.status !== status || this.channel === null) return;
    if (!this.channel.live) {
      this.liveAgainSince = 0;
      if (status.kind !== 'signal_lost') this.say({ kind: 'signal_lost' });
      return;
    }
    // After a decoder's error the engine may sit at 0 for ever: there is nothing to wait for.
    const fallen = stalled && this.video.currentTime === 0;
    if (fallen || (stalled && now - status.since_ms > kGiveUpAfterMs)) this.retryNow();
    if (status.kind === 'signal_lost') {
      if (this.liveAgainSince === 0) this.liveAgainSince = now;
      else if (now - this.liveAgainSince > kReviveAfterMs) this.retryNow();
    }
  }

  private readonly onPlaying = (): void => {
    this.attempt = 0;
    this.liveAgainSince = 0;
    this.say({ kind: 'playing' });
  };
  private readonly onWaiting = (): void => {
    if (this.status.kind === 'playing') this.say({ kind: 'buffering', since_ms: performance.now() });
  };
  private readonly onPause = (): void => {
    if (this.status.kind === 'playing' || this.status.kind === 'buffering') this.say({ kind: 'paused' });
  };
  private readonly onOnline = (): void => {
    if (this.status.kind === 'failed') this.retryNow();
  };
}

function cause(error: unknown): Failure {
  return error instanceof ApiError ? fromStatus(error.status, error.code) : unknown(error);
}

function unknown(error: unknown): Failure {
  return { kind: 'media', code: error instanceof Error ? error.name : 'unknown' };
}
