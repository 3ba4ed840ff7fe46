// Keeps a film playing on a <video>: where the network or the decoder fails it goes on from the same place, after a
// back-off. Where there is no Media Source (old iOS) the browser plays the HLS itself, with its own controls.
import { mediaSourceExists } from './engine';
import { backOffSeconds, retryHelps, type Failure } from './failure';
import { kNoChoices, kRetry, ShakaPlayer, type Choices } from './shaka_player';
import type { Thumbnail } from './sheets';
import { storeSoundLanguage } from './sounds';
import { playOr, type Status, type Wishes } from './status';

export interface FilmSnapshot extends Choices {
  position_s: number;
  range: { start: number; end: number };
}

// Without prefetching: where a seek aborts the fetch of an init segment that was prefetched, Shaka 5.2.12 keeps the
// aborted fetch and takes it again for ever (https://github.com/shaka-project/shaka-player/issues/10569).
const kStreaming = { retryParameters: kRetry, bufferBehind: 60, segmentPrefetchLimit: 0 };

// So much is still heard in the old sound: what is thrown away right under the playhead would cost a stall.
const kKeptSoundS = 1;

export class FilmPlayback {
  private shaka: ShakaPlayer | null = null;
  private wishes: Wishes = { quality: 'auto', sound: null };
  private attempt = 0;
  private generation = 0;
  private retryTimer = 0;
  private retryAt = 0;
  private retry: () => void = () => undefined;
  private trouble: Failure | null = null; // that is not told yet, because there is something to play
  private resumeAt = 0;
  private gone = false;
  private status: Status = { kind: 'connecting' };

  constructor(
    private readonly film: string,
    private readonly video: HTMLVideoElement,
    private readonly protocol: 'dash' | 'hls',
    private readonly onStatus: (status: Status) => void,
  ) {}

  start(): void {
    for (const [name, listener] of this.listeners) this.video.addEventListener(name, listener);
    window.addEventListener('online', this.onOnline);
    void this.connect();
  }

  async stop(): Promise<void> {
    this.gone = true;
    this.generation++;
    window.clearTimeout(this.retryTimer);
    for (const [name, listener] of this.listeners) this.video.removeEventListener(name, listener);
    window.removeEventListener('online', this.onOnline);
    await this.shaka?.destroy();
    if (!mediaSourceExists()) this.video.removeAttribute('src');
  }

  /** null where the browser has its own controls. */
  snapshot(): FilmSnapshot | null {
    if (!mediaSourceExists()) return null;
    const range = this.shaka?.player?.seekRange() ?? { start: 0, end: 0 };
    return { ...(this.shaka?.facts() ?? kNoChoices), position_s: this.video.currentTime, range };
  }

  async thumbnail(time: number): Promise<Thumbnail | null> {
    return (await this.shaka?.thumbnail(time)) ?? null;
  }

  seek(time: number): void {
    this.video.currentTime = time;
  }

  selectQuality(id: string): void {
    this.wishes.quality = id;
    this.shaka?.selectQuality(id);
  }

  selectSound(id: string): void {
    this.wishes.sound = id;
    const sound = this.shaka?.facts().sounds.find((each) => each.id === id);
    if (sound !== undefined) storeSoundLanguage(sound);
    this.shaka?.selectSound(id, kKeptSoundS);
  }

  async play(): Promise<void> {
    await playOr(() => this.say({ kind: 'refused_autoplay' }), this.video);
  }

  retryNow(): void {
    window.clearTimeout(this.retryTimer);
    if (this.status.kind === 'failed') this.say({ kind: 'connecting' });
    this.retry();
  }

  private say(status: Status): void {
    this.status = status;
    if (!this.gone) this.onStatus(status);
  }

  private async connect(): Promise<void> {
    const generation = ++this.generation;
    const current = (): boolean => generation === this.generation;
    this.say({ kind: 'connecting' });
    this.trouble = null;
    await this.shaka?.destroy();
    this.shaka = null;
    if (!current()) return;
    const base = new URL(`/vod/${encodeURIComponent(this.film)}/`, location.origin).href;
    if (!mediaSourceExists()) {
      this.video.src = `${base}master.m3u8#t=${this.resumeAt}`;
      await this.play();
      return;
    }
    const shaka = new ShakaPlayer(this.video, {
      failed: (failure) => {
        if (current()) this.fail(failure);
      },
      troubled: (failure) => {
        if (current()) this.troubled(failure);
      },
      buffering: (now) => {
        if (current()) this.onBuffering(now);
      },
    });
    this.shaka = shaka;
    await shaka.load({
      url: base + (this.protocol === 'dash' ? 'manifest.mpd' : 'master.m3u8'),
      config: { manifest: { retryParameters: kRetry }, streaming: kStreaming },
      startTime: this.resumeAt,
      route: (uri) => uri,
    });
    if (!current() || this.status.kind === 'failed') return;
    if (this.wishes.quality !== 'auto') shaka.selectQuality(this.wishes.quality);
    if (this.wishes.sound !== null) shaka.selectSound(this.wishes.sound, 0);
    await this.play();
  }

  /** The player is of no more use. */
  private fail(failure: Failure): void {
    if (this.video.currentTime > 0) this.resumeAt = this.video.currentTime;
    this.trouble = null;
    this.retryLater(failure, () => void this.connect());
    this.say({ kind: 'failed', failure, retryAt: this.retryAt });
  }

  /** Shaka has given up loading and plays what it has: a film's viewer need not know before that is at its end. */
  private troubled(failure: Failure): void {
    this.trouble = failure;
    this.retryLater(failure, () => {
      this.trouble = null;
      this.shaka?.player?.retryStreaming(0);
    });
    if (this.status.kind !== 'playing' && this.status.kind !== 'paused') this.tellTrouble();
  }

  private tellTrouble(): void {
    if (this.trouble !== null) this.say({ kind: 'failed', failure: this.trouble, retryAt: this.retryAt });
  }

  private retryLater(failure: Failure, retry: () => void): void {
    window.clearTimeout(this.retryTimer);
    this.retry = retry;
    const wait = retryHelps(failure) ? backOffSeconds(this.attempt++) * 1000 : 0;
    this.retryAt = wait > 0 ? Date.now() + wait : 0;
    if (wait > 0) this.retryTimer = window.setTimeout(() => this.retryNow(), wait);
  }

  private readonly onPlaying = (): void => {
    this.attempt = 0;
    this.say({ kind: 'playing' });
  };
  private readonly onWaiting = (): void => {
    if (this.status.kind !== 'playing') return;
    this.say({ kind: 'buffering', since_ms: performance.now() });
    this.tellTrouble();
  };
  // Shaka halts a little before the element would, and then neither `waiting` nor `playing` comes.
  private readonly onBuffering = (now: boolean): void => {
    if (now) {
      this.onWaiting();
      return;
    }
    const waiting = this.status.kind === 'buffering' || this.status.kind === 'failed' || this.status.kind === 'connecting';
    if (waiting && this.video.currentTime > 0) this.say({ kind: this.video.paused ? 'paused' : 'playing' });
  };
  private readonly onPause = (): void => {
    if (this.status.kind === 'playing' || this.status.kind === 'buffering') this.say({ kind: 'paused' });
  };
  private readonly onEnded = (): void => this.say({ kind: 'ended' });
  private readonly onSeeking = (): void => {
    if (this.status.kind === 'ended') this.say({ kind: 'paused' });
  };
  private readonly onError = (): void => {
    if (mediaSourceExists()) return; // Shaka tells
    const code = this.video.error?.code ?? 0;
    this.fail({ kind: code === MediaError.MEDIA_ERR_NETWORK ? 'network' : 'media', code: `native-${code}` });
  };
  private readonly onOnline = (): void => {
    if (this.status.kind === 'failed' || this.trouble !== null) this.retryNow();
  };
  private readonly listeners: [string, () => void][] = [
    ['playing', this.onPlaying],
    ['waiting', this.onWaiting],
    ['pause', this.onPause],
    ['ended', this.onEnded],
    ['seeking', this.onSeeking],
    ['error', this.onError],
  ];
}
