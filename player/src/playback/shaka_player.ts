// Shaka on one <video>, as channels and films share it: loading, failures, the choice of picture and of sound,
// thumbnails. What is peculiar to either (latency, retries, seeking to live) is its user's.
import { fromShaka, type Failure } from './failure';
import { isTile, loadImage, Sheets, type Thumbnail } from './sheets';
import { readStoredSoundLanguage, soundOf, soundsOf, type Sound } from './sounds';

type Shaka = typeof import('shaka-player/dist/shaka-player.compiled-es2021.js').default;
export type Player = InstanceType<Shaka['Player']>;

export interface Quality {
  id: string;
  height: number;
}

/** What can be chosen from, and what is. */
export interface Choices {
  height: number; // of the picture on screen; 0: none yet
  qualities: Quality[];
  quality: string; // a Quality's id, or 'auto'
  sounds: Sound[];
  sound: string; // a Sound's id
}

/** All that is asked of Shaka's tracks, which it makes anew for whoever asks. */
export interface TrackFacts extends Choices {
  bitrate: number | null;
  codecs: string;
}

export const kNoChoices: Choices = { height: 0, qualities: [], quality: 'auto', sounds: [], sound: '' };

export interface PlayerEvents {
  /** Playback has ended for good. */
  failed(failure: Failure): void;
  /** A request failed after playback had begun; what is buffered plays on. */
  troubled(failure: Failure): void;
  buffering?(now: boolean): void;
}

export interface Source {
  url: string;
  config: object;
  startTime: number | null;
  /** Where a request really goes. */
  route: (uri: string) => string;
}

export const kRetry = { maxAttempts: 5, baseDelay: 500, backoffFactor: 1.6, fuzzFactor: 0.3, timeout: 20_000 };

/** In order; where none of them is there Shaka takes what the playlist says is DEFAULT. */
function preferredAudio(language: string | null): object[] {
  // Its own wish for two channels comes before the manifest's for a sound: it must be no wish of its own.
  const stereoFirst = (wish: object): object[] => [{ ...wish, channelCount: 2 }, wish];
  return [...(language === null ? [] : stereoFirst({ language })), ...stereoFirst({ role: 'main' })];
}

interface ShakaError {
  severity: number;
  category: number;
  code: number;
  data: unknown[];
}

export class ShakaPlayer {
  private shaka: Player | null = null;
  private lastCodecs = '';
  private loaded = false;
  private readonly sheets = new Sheets(loadImage, () => performance.now());
  private route: Source['route'] = (uri) => uri;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly events: PlayerEvents,
  ) {}

  /** null before `load` and after `destroy`. */
  get player(): Player | null {
    return this.shaka;
  }

  async load(source: Source): Promise<void> {
    const { default: shaka } = await import('shaka-player/dist/shaka-player.compiled-es2021.js');
    shaka.polyfill.installAll();
    if (!shaka.Player.isBrowserSupported()) {
      this.events.failed({ kind: 'unsupported', code: 'no-mse' });
      return;
    }
    const player = new shaka.Player();
    this.shaka = player;
    this.route = source.route;
    await player.attach(this.video);
    if (this.shaka !== player) return; // destroyed meanwhile
    player.configure(source.config);
    player.configure({ preferredAudio: preferredAudio(readStoredSoundLanguage()) });
    player.addEventListener('error', (event: Event) => {
      const detail = (event as Event & { detail: ShakaError }).detail;
      if (detail.severity !== shaka.util.Error.Severity.CRITICAL) return;
      // Shaka tells of a failed request as critical, but has not stopped for that.
      const mendable = this.loaded && detail.category === shaka.util.Error.Category.NETWORK;
      if (mendable) this.events.troubled(fromShaka(detail, this.lastCodecs));
      else this.fail(detail);
    });
    player.addEventListener('buffering', (event: Event) => {
      this.events.buffering?.((event as Event & { buffering: boolean }).buffering);
    });
    player.getNetworkingEngine()?.registerRequestFilter((_type, request) => {
      request.uris = request.uris.map((uri) => this.route(uri));
    });
    // What the manifest offers, kept for the message when nothing of it can be decoded.
    player.getNetworkingEngine()?.registerResponseFilter((type, response) => {
      if (type !== shaka.net.NetworkingEngine.RequestType.MANIFEST) return;
      const found = new TextDecoder().decode(response.data).match(/codecs="([^"]+)"/gi) ?? [];
      const codecs = new Set(found.map((attribute) => attribute.slice('codecs="'.length, -1)));
      if (codecs.size > 0) this.lastCodecs = [...codecs].join(', ');
    });
    try {
      await player.load(source.url, source.startTime);
      this.loaded = true;
    } catch (error) {
      const failure = error as ShakaError;
      if (failure.code !== shaka.util.Error.Code.LOAD_INTERRUPTED) this.fail(failure);
    }
  }

  facts(): TrackFacts {
    const tracks = this.tracks();
    const active = tracks.find((track) => track.active);
    const heights = [...new Set(tracks.map((track) => track.height ?? 0))].filter((height) => height > 0);
    return {
      height: this.video.videoHeight,
      qualities: heights.sort((a, b) => b - a).map((height) => ({ id: String(height), height })),
      quality: this.shaka?.getConfiguration().abr.enabled === false ? String(active?.height ?? 'auto') : 'auto',
      sounds: soundsOf(tracks.filter(hasSound)),
      sound: active === undefined ? '' : soundOf(active, tracks).id,
      bitrate: active?.bandwidth ?? null,
      codecs: active?.codecs ?? this.lastCodecs,
    };
  }

  selectQuality(id: string): void {
    const player = this.shaka;
    if (player === null) return;
    // Of those with the sound that plays, the best at that height.
    const track = player
      .getVideoTracks()
      .filter(({ height }) => String(height) === id)
      .sort((a, b) => b.bandwidth - a.bandwidth)[0];
    player.configure({ abr: { enabled: track === undefined } });
    if (track !== undefined) player.selectVideoTrack(track, false, 0);
  }

  /** `keep_s`: so much of what is buffered is still heard in the old sound; null: all of it. */
  selectSound(id: string, keep_s: number | null): void {
    const tracks = this.tracks();
    const active = tracks.find((track) => track.active);
    if (active === undefined || soundOf(active, tracks).id === id) return;
    // Not selectAudioTrack(), which would choose another picture too, even one that the viewer chose against.
    const like = (track: Track): number =>
      Number(track.audioCodec === active.audioCodec) + Number(track.channelsCount === active.channelsCount);
    const to = tracks
      .filter((track) => track.videoId === active.videoId && soundOf(track, tracks).id === id)
      .sort((a, b) => like(b) - like(a) || b.bandwidth - a.bandwidth)[0];
    if (to !== undefined) this.shaka?.selectVariantTrack(to, keep_s !== null, keep_s ?? 0);
  }

  /** Of a sheet, where one of that time is there: the newest moments of a channel have single thumbnails alone. */
  async thumbnail(time: number): Promise<Thumbnail | null> {
    try {
      // Sheets are listed behind single ones.
      for (const { id } of (this.shaka?.getImageTracks() ?? []).reverse()) {
        const found = await this.shaka?.getThumbnails(id, time);
        const picture = found == null ? null : this.pictureOf(found);
        if (found == null || picture === null) continue;
        if (!isTile(picture) || (this.isComplete(found) && (await this.sheets.has(picture)))) return picture;
      }
    } catch {
      // a playlist of pictures that could not be fetched
    }
    return null;
  }

  async destroy(): Promise<void> {
    const player = this.shaka;
    this.shaka = null;
    await player?.destroy();
  }

  private pictureOf(found: Found): Thumbnail | null {
    const { imageWidth, imageHeight, width, height, positionX: x, positionY: y } = found;
    const uri = found.uris[0];
    return uri === undefined ? null : { url: this.route(uri), x, y, width, height, imageWidth, imageHeight };
  }

  /** The index of a live manifest counts with a clock: its newest sheet may still lack its last pictures. */
  private isComplete({ segment, duration }: Found): boolean {
    const player = this.shaka;
    if (player === null || segment === null) return false;
    return !player.isLive() || segment.getEndTime() + 2 * duration <= player.seekRange().end;
  }

  private tracks(): Track[] {
    return this.shaka?.getVariantTracks() ?? [];
  }

  private fail(error: ShakaError): void {
    if (this.shaka !== null) this.events.failed(fromShaka(error, this.lastCodecs));
  }
}

type Found = NonNullable<Awaited<ReturnType<Player['getThumbnails']>>>;
type Track = ReturnType<Player['getVariantTracks']>[number];

const hasSound = (track: Track): boolean => track.audioId !== null;
