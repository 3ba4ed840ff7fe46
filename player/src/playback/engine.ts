// One playback of one channel on one <video>: Shaka with LL-DASH wherever there is Media Source
// Extensions, the browser's own HLS where there is none (old iOS). Chromium has a native HLS too, but
// without low latency: canPlayType is therefore never asked first.
import { fromShaka, type Failure } from './failure';
import type { ServerClock } from './server_clock';

export type Protocol = 'dash' | 'hls' | 'native';

export interface Quality {
  id: string;
  height: number;
  bandwidth: number;
}

export interface Snapshot {
  protocol: Protocol;
  position_ms: number | null; // channel time (UTC) of the picture on screen
  latency_ms: number | null;
  range: { start: number; end: number }; // of video.currentTime
  behind_s: number;
  buffer_s: number;
  width: number;
  height: number;
  dropped: number;
  frames: number;
  bitrate: number | null;
  codecs: string;
  qualities: Quality[];
  quality: string; // a Quality's id, or 'auto'
}

/** A still picture of a moment, for the seek bar. */
export interface Thumbnail {
  url: string;
  width: number;
  height: number;
}

export interface EngineEvents {
  /** Playback has ended for good. */
  failed(failure: Failure): void;
  /** A request failed and is being repeated; what is buffered plays on. */
  troubled(failure: Failure): void;
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

type Shaka = typeof import('shaka-player/dist/shaka-player.compiled-es2021.js').default;

export class ShakaEngine implements Engine {
  private player: InstanceType<Shaka['Player']> | null = null;
  private base = '';
  private lastCodecs = '';
  private loaded = false;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly protocol: 'dash' | 'hls',
    private readonly clock: ServerClock,
    private readonly events: EngineEvents,
  ) {}

  async load(base: string, channel: string): Promise<void> {
    this.base = base;
    const { default: shaka } = await import('shaka-player/dist/shaka-player.compiled-es2021.js');
    shaka.polyfill.installAll();
    if (!shaka.Player.isBrowserSupported()) {
      this.events.failed({ kind: 'unsupported', code: 'no-mse' });
      return;
    }
    const player = new shaka.Player();
    this.player = player;
    await player.attach(this.video);
    const retry = { maxAttempts: 5, baseDelay: 500, backoffFactor: 1.6, fuzzFactor: 0.3, timeout: 20_000 };
    player.configure({
      // Latency: liveSync stays as the manifest's ServiceDescription asks; switching it on here would
      // override the service's own target with 0.5 s.
      // The seek range ends one presentation delay behind the live edge, and Shaka holds the service's
      // target against that end: the manifest's suggested delay would count twice.
      manifest: {
        retryParameters: retry,
        defaultPresentationDelay: kPresentationDelayS,
        dash: {
          clockSyncUri: new URL('/time', location.origin).href,
          ignoreSuggestedPresentationDelay: true,
        },
        // Or Shaka freezes the picture of LL-HLS at random: docs/players.md.
        hls: { sequenceMode: true },
      },
      streaming: { retryParameters: retry, bufferBehind: 60, lowLatencyMode: true },
      // A throughput estimate from chunked transfers of a live edge is the encoder's rate, not the
      // network's: begin with the best rung that 50 Mb/s carry and let real trouble lower it.
      abr: { defaultBandwidthEstimate: 50_000_000 },
    });
    player.addEventListener('error', (event: Event) => {
      const detail = (event as Event & { detail: ShakaError }).detail;
      if (detail.severity !== shaka.util.Error.Severity.CRITICAL) return;
      // Shaka tells of a failed live request as critical and then goes on trying by itself.
      const repeated = this.loaded && detail.category === shaka.util.Error.Category.NETWORK;
      if (repeated) this.events.troubled(fromShaka(detail, this.lastCodecs));
      else this.fail(detail);
    });
    player.getNetworkingEngine()?.registerRequestFilter((_type, request) => {
      request.uris = request.uris.map((uri) => rebased(uri, this.base));
    });
    // What the manifest offers, kept for the message when nothing of it can be decoded.
    player.getNetworkingEngine()?.registerResponseFilter((type, response) => {
      if (type !== shaka.net.NetworkingEngine.RequestType.MANIFEST) return;
      const found = new TextDecoder().decode(response.data).match(/codecs="([^"]+)"/gi) ?? [];
      const codecs = new Set(found.map((attribute) => attribute.slice('codecs="'.length, -1)));
      if (codecs.size > 0) this.lastCodecs = [...codecs].join(', ');
    });
    try {
      await player.load(manifestUrl(base, channel, this.protocol));
      this.loaded = true;
    } catch (error) {
      const failure = error as ShakaError;
      if (failure.code !== shaka.util.Error.Code.LOAD_INTERRUPTED) this.fail(failure);
    }
  }

  rebase(base: string): void {
    this.base = base;
  }

  snapshot(): Snapshot {
    const player = this.player;
    const range = player?.seekRange() ?? { start: 0, end: 0 };
    const start = player?.getPresentationStartTimeAsDate() ?? null;
    const head = player?.getPlayheadTimeAsDate() ?? null;
    // DASH: the fraction of a millisecond that a Date loses would add up over a day of beacons.
    const position =
      this.protocol === 'dash' && start !== null
        ? start.getTime() + this.video.currentTime * 1000
        : (head?.getTime() ?? null);
    const tracks = player?.getVariantTracks() ?? [];
    const active = tracks.find((track) => track.active);
    const qualities = new Map<string, Quality>();
    for (const track of tracks) {
      const quality = { id: String(track.id), height: track.height ?? 0, bandwidth: track.bandwidth };
      const known = qualities.get(String(quality.height));
      if (known === undefined || known.bandwidth < quality.bandwidth) qualities.set(String(quality.height), quality);
    }
    // At 0 nothing has been shown yet, or Shaka has just begun anew after a decoder's error.
    const shown = this.video.readyState >= HTMLMediaElement.HAVE_METADATA && this.video.currentTime > 0;
    return {
      protocol: this.protocol,
      position_ms: shown ? position : null,
      latency_ms: position === null || !shown ? null : this.clock.now() - position,
      range,
      behind_s: Math.max(0, range.end - this.video.currentTime),
      buffer_s: bufferAhead(this.video),
      width: this.video.videoWidth,
      height: this.video.videoHeight,
      ...frameCounts(this.video),
      bitrate: active?.bandwidth ?? null,
      codecs: active?.codecs ?? this.lastCodecs,
      qualities: [...qualities.values()].sort((a, b) => b.height - a.height),
      quality: player?.getConfiguration().abr.enabled === false && active ? String(active.id) : 'auto',
    };
  }

  async thumbnail(time: number): Promise<Thumbnail | null> {
    try {
      const found = await this.player?.getThumbnails(null, time);
      const uri = found?.uris[0];
      // One picture a file; a sheet of several is nothing that we publish.
      if (found == null || uri === undefined || found.imageWidth !== found.width) return null;
      return { url: rebased(uri, this.base), width: found.width, height: found.height };
    } catch {
      return null; // a playlist of pictures that could not be fetched
    }
  }

  goLive(): void {
    this.player?.goToLive();
  }

  selectQuality(id: string): void {
    const player = this.player;
    if (player === null) return;
    const track = player.getVariantTracks().find((candidate) => String(candidate.id) === id);
    player.configure({ abr: { enabled: track === undefined } });
    if (track !== undefined) player.selectVariantTrack(track, false, 0);
  }

  async destroy(): Promise<void> {
    const player = this.player;
    this.player = null;
    await player?.destroy();
  }

  private fail(error: ShakaError): void {
    if (this.player !== null) this.events.failed(fromShaka(error, this.lastCodecs));
  }
}

interface ShakaError {
  severity: number;
  category: number;
  code: number;
  data: unknown[];
}

export class NativeEngine implements Engine {
  constructor(
    private readonly video: HTMLVideoElement,
    private readonly clock: ServerClock,
    private readonly events: EngineEvents,
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
      qualities: [],
      quality: 'auto',
    };
  }

  async thumbnail(): Promise<null> {
    return null;
  }

  goLive(): void {
    this.video.currentTime = this.snapshot().range.end;
  }

  selectQuality(): void {}

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
