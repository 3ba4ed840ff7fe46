// The controls under the picture: native buttons, ranges and a select, so that keyboards, remote
// controls and screen readers work as they do everywhere.
import { formatDuration } from '../i18n';
import { useLanguage, useText } from '../language';
import type { Snapshot, Thumbnail } from '../playback/engine';
import { useFill } from './fill';
import { Icon } from './icons';
import { SeekBar } from './seek_bar';

interface Properties {
  video: HTMLVideoElement;
  snapshot: Snapshot;
  fullscreen: boolean;
  statsShown: boolean;
  onGoLive: () => void;
  onQuality: (id: string) => void;
  onFullscreen: () => void;
  onStats: () => void;
  thumbnail: (time: number) => Promise<Thumbnail | null>;
}

// Behind by less than this is live: the edge moves in steps of a segment.
export const kLiveSlackS = 5;

export function ControlBar(p: Properties) {
  const t = useText();
  const language = useLanguage();
  const { video, snapshot } = p;
  const { start, end } = snapshot.range;
  const live = snapshot.behind_s < kLiveSlackS;
  const behind = formatDuration(language, snapshot.behind_s);
  const seekable = end - start > 2 * kLiveSlackS;
  const volume = video.muted ? 0 : video.volume;
  const volumeInput = useFill(volume);
  const autoLabel =
    snapshot.quality === 'auto' && snapshot.height > 0
      ? t('control.quality_auto_now', { height: snapshot.height })
      : t('control.quality_auto');
  return (
    <div class="bar" role="group" aria-label={t('control.bar')}>
      {seekable && <SeekBar video={video} snapshot={snapshot} live={live} thumbnail={p.thumbnail} />}
      <div class="bar-row">
        <button
          type="button"
          class="control"
          aria-label={video.paused ? t('control.play') : t('control.pause')}
          onClick={() => (video.paused ? void video.play().catch(() => undefined) : video.pause())}
        >
          <Icon name={video.paused ? 'play' : 'pause'} />
        </button>
        <button
          type="button"
          class="control"
          aria-label={video.muted ? t('control.unmute') : t('control.mute')}
          onClick={() => {
            video.muted = !video.muted;
          }}
        >
          <Icon name={volume === 0 ? 'muted' : 'volume'} />
        </button>
        <input
          ref={volumeInput}
          class="range volume"
          type="range"
          min={0}
          max={1}
          step={0.05}
          value={volume}
          aria-label={t('control.volume')}
          onInput={(event) => {
            video.volume = Number(event.currentTarget.value);
            video.muted = video.volume === 0;
          }}
        />
        <button
          type="button"
          class={live ? 'live live-now' : 'live'}
          aria-label={live ? t('control.at_live') : t('control.go_live', { behind })}
          onClick={p.onGoLive}
        >
          <span class="live-dot" aria-hidden="true" />
          {t('control.live')}
          {!live && (
            <span class="live-behind" aria-hidden="true">
              -{behind}
            </span>
          )}
        </button>
        <span class="spring" />
        {snapshot.qualities.length > 0 && (
          <select
            class="quality"
            aria-label={t('control.quality')}
            value={snapshot.quality}
            onChange={(event) => p.onQuality(event.currentTarget.value)}
          >
            <option value="auto">{autoLabel}</option>
            {snapshot.qualities.map((quality) => (
              <option key={quality.id} value={quality.id}>
                {quality.height}p
              </option>
            ))}
          </select>
        )}
        <button
          type="button"
          class="control"
          aria-label={t('control.stats')}
          aria-pressed={p.statsShown}
          onClick={p.onStats}
        >
          <Icon name="stats" />
        </button>
        <button
          type="button"
          class="control"
          aria-label={p.fullscreen ? t('control.exit_fullscreen') : t('control.fullscreen')}
          onClick={p.onFullscreen}
        >
          <Icon name={p.fullscreen ? 'shrink' : 'fullscreen'} />
        </button>
      </div>
    </div>
  );
}
