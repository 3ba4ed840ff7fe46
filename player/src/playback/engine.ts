// One playback of one channel on one <video>: Shaka with LL-DASH wherever there is Media Source
// Extensions, the browser's own HLS where there is none (old iOS). Chromium has a native HLS too, but
// without low latency: canPlayType is therefore never asked first.
import type { ServerClock } from './server_clock';
import { kNoChoices, kRetry, ShakaPlayer, type Choices, type PlayerEvents } from './shaka_player';
import type { Thumbnail } from './sheets';

export type Protocol = 'dash' | 'hls' | 'native';

export interface Snapshot extends Choices {
  protocol: Protocol;
  position_ms: number | null; // channel time (UTC) of the picture on screen
  latency_ms: number | null;
  range: { start: number; end: number }; // of video.currentTime
  behind_s: number;
  buffer_s: number;
  width: number;
  dropped: number;
  frames: number;
  bitrate: number | null;
  codecs: string;
}

export interface Engine {
  load(base: string, channel: string): Promise<void>;
  /** New media requests go to this session from now on; playback is not interrupted. */
  rebase(base: string): void;
  snapshot(): Snapshot;
  /** Of a video.currentTime; null where there is none. */
  thumbnail(time: number): Promise<Thumbnail | null>;
  goLive(): void;
  selectQuality(id: string): void;
  selectSound(id: string): void;
  destroy(): Promise<void>;
}

export function mediaSourceExists(): boolean {
  return 'MediaSource' in window || 'ManagedMediaSource' in window;
}

export function manifestUrl(base: string, channel: string, protocol: Protocol): string {
  const name = protocol === 'dash' ? 'manifest.mpd' : 'master.m3u8';
  return new URL(`live/${encodeURIComponent(channel)}/${name}`, base).href;
}

/** The same object in another session: /s/<old token>/... -> /s/<new token>/... */
export function rebased(uri: string, base: string): string {
  const to = new URL(base);
  const from = new URL(uri);
  const session = /^\/s\/[^/]+\//;
  if (from.origin !== to.origin || !session.test(from.pathname)) return uri;
  from.pathname = from.pathname.replace(session, to.pathname);
  return from.href;
}

export function bufferAhead(video: HTMLVideoElement): number {
  for (let i = 0; i < video.buffered.length; i++) {
    if (video.buffered.start(i) - 0.1 <= video.currentTime && video.currentTime <= video.buffered.end(i)) {
      return video.buffered.end(i) - video.currentTime;
    }
  }
  return 0;
}

function frameCounts(video: HTMLVideoElement): { dropped: number; frames: number } {
  const quality = video.getVideoPlaybackQuality?.();
  return { dropped: quality?.droppedVideoFrames ?? 0, frames: quality?.totalVideoFrames ?? 0 };
}

const kPresentationDelayS = 0.4;
// Where the viewer is this far behind live, the buffer holds so much of the old sound that it is thrown away.
const kFullBufferS = 4;
const kKeptSoundS = 1;

const config = () => ({
  // Latency: liveSync stays as the manifest's ServiceDescription asks; switching it on here would
  // override the service's own target with 0.5 s.
  // The seek range ends one presentation delay behind the live edge, and Shaka holds the service's
  // target against that end: the manifest's suggested delay would count twice.
  manifest: {
    retryParameters: kRetry,
    defaultPresentationDelay: kPresentationDelayS,
    dash: {
      clockSyncUri: new URL('/time', location.origin).href,
      ignoreSuggestedPresentationDelay: true,
    },
    // Or Shaka freezes the picture of LL-HLS at random: docs/players.md.
    hls: { sequenceMode: true },
  },
  streaming: { retryParameters: kRetry, bufferBehind: 60, lowLatencyMode: true },
  // A throughput estimate from chunked transfers of a live edge is the encoder's rate, not the
  // network's: begin with the best rung that 50 Mb/s carry and let real trouble lower it.
  abr: { defaultBandwidthEstimate: 50_000_000 },
});

export class ShakaEngine implements Engine {
  private readonly shaka: ShakaPlayer;
  private base = '';

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly protocol: 'dash' | 'hls',
    private readonly clock: ServerClock,
    events: PlayerEvents,
  ) {
    this.shaka = new ShakaPlayer(video, events);
  }

  async load(base: string, channel: string): Promise<void> {
    this.base = base;
    const url = manifestUrl(base, channel, this.protocol);
    await this.shaka.load({ url, config: config(), startTime: null, route: (uri) => rebased(uri, this.base) });
  }

  rebase(base: string): void {
    this.base = base;
  }

  snapshot(): Snapshot {
    const { player } = this.shaka;
    const range = player?.seekRange() ?? { start: 0, end: 0 };
    const start = player?.getPresentationStartTimeAsDate() ?? null;
    const head = player?.getPlayheadTimeAsDate() ?? null;
    // DASH: the fraction of a millisecond that a Date loses would add up over a day of beacons.
    const position =
      this.protocol === 'dash' && start !== null
        ? start.getTime() + this.video.currentTime * 1000
        : (head?.getTime() ?? null);
    // At 0 nothing has been shown yet, or Shaka has just begun anew after a decoder's error.
    const shown = this.video.readyState >= HTMLMediaElement.HAVE_METADATA && this.video.currentTime > 0;
    return {
      ...this.shaka.facts(),
      protocol: this.protocol,
      position_ms: shown ? position : null,
      latency_ms: position === null || !shown ? null : this.clock.now() - position,
      range,
      behind_s: Math.max(0, range.end - this.video.currentTime),
      buffer_s: bufferAhead(this.video),
      width: this.video.videoWidth,
      ...frameCounts(this.video),
    };
  }

  thumbnail(time: number): Promise<Thumbnail | null> {
    return this.shaka.thumbnail(time);
  }

  goLive(): void {
    this.shaka.player?.goToLive();
  }

  selectQuality(id: string): void {
    this.shaka.selectQuality(id);
  }

  // At the live edge there is a second of the old sound at most: to throw it away would cost a stall, and a stall latency.
  selectSound(id: string): void {
    this.shaka.selectSound(id, bufferAhead(this.video) > kFullBufferS ? kKeptSoundS : null);
  }

  async destroy(): Promise<void> {
    await this.shaka.destroy();
  }
}

export class NativeEngine implements Engine {
  constructor(
    private readonly video: HTMLVideoElement,
    private readonly clock: ServerClock,
    private readonly events: PlayerEvents,
  ) {}

  async load(base: string, channel: string): Promise<void> {
    this.video.addEventListener('error', this.failed);
    this.video.src = manifestUrl(base, channel, 'native');
  }

  // The playlist's relative URIs carry the token; a new one means a new source, so the old session
  // is used until it fails and the page opens another.
  rebase(): void {}

  snapshot(): Snapshot {
    const { seekable } = this.video;
    const range =
      seekable.length > 0 ? { start: seekable.start(0), end: seekable.end(seekable.length - 1) } : { start: 0, end: 0 };
    const start = (this.video as HTMLVideoElement & { getStartDate?: () => Date }).getStartDate?.().getTime() ?? NaN;
    const position = Number.isNaN(start) ? null : start + this.video.currentTime * 1000;
    return {
      ...kNoChoices,
      protocol: 'native',
      position_ms: position,
      latency_ms: position === null ? null : this.clock.now() - position,
      range,
      behind_s: Math.max(0, range.end - this.video.currentTime),
      buffer_s: bufferAhead(this.video),
      width: this.video.videoWidth,
      height: this.video.videoHeight,
      ...frameCounts(this.video),
      bitrate: null,
      codecs: '',
    };
  }

  async thumbnail(): Promise<null> {
    return null;
  }

  goLive(): void {
    this.video.currentTime = this.snapshot().range.end;
  }

  // iOS itself chooses both.
  selectQuality(): void {}

  selectSound(): void {}

  async destroy(): Promise<void> {
    this.video.removeEventListener('error', this.failed);
    this.video.removeAttribute('src');
    this.video.load();
  }

  private readonly failed = (): void => {
    const code = this.video.error?.code ?? 0;
    const kind = code === MediaError.MEDIA_ERR_NETWORK ? 'network' : 'media';
    this.events.failed({ kind, code: `native-${code}` });
  };
}
