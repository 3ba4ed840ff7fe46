// The control bar of a channel: how far behind live, and the way back there.
import { formatDuration, formatTime } from '../i18n';
import { useLanguage, useText } from '../language';
import type { Snapshot } from '../playback/engine';
import type { Thumbnail } from '../playback/sheets';
import { ControlBar, type BarProperties } from './control_bar';
import { Icon } from './icons';
import { SeekBar } from './seek_bar';

interface Properties extends BarProperties {
  snapshot: Snapshot;
  statsShown: boolean;
  onGoLive: () => void;
  onStats: () => void;
  thumbnail: (time: number) => Promise<Thumbnail | null>;
}

// Behind by less than this is live: the edge moves in steps of a segment.
const kLiveSlackS = 5;

export function LiveBar(p: Properties) {
  const t = useText();
  const language = useLanguage();
  const { video, snapshot } = p;
  const { range, position_ms } = snapshot;
  const live = snapshot.behind_s < kLiveSlackS;
  const behind = formatDuration(language, snapshot.behind_s);
  const seekable = range.end - range.start > 2 * kLiveSlackS;
  const wallClock = (time: number): string | null =>
    position_ms === null ? null : formatTime(language, position_ms + (time - video.currentTime) * 1000);
  return (
    <ControlBar
      {...p}
      choices={snapshot}
      seekBar={
        seekable && (
          <SeekBar
            range={range}
            playhead={() => (live ? range.end : video.currentTime)}
            label={t('control.seek')}
            valueText={
              live || position_ms === null
                ? t('control.seek_live')
                : t('control.seek_behind', { time: formatTime(language, position_ms), behind })
            }
            caption={wallClock}
            thumbnail={p.thumbnail}
            onSeek={(time) => {
              video.currentTime = time;
            }}
          />
        )
      }
      time={
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
      }
      extra={
        <button
          type="button"
          class="control"
          aria-label={t('control.stats')}
          aria-pressed={p.statsShown}
          onClick={p.onStats}
        >
          <Icon name="stats" />
        </button>
      }
    />
  );
}
