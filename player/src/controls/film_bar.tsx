// The control bar of a film: where in it one is, and how long it is.
import { useText } from '../language';
import type { FilmSnapshot } from '../playback/film_playback';
import type { Thumbnail } from '../playback/sheets';
import { ControlBar, type BarProperties } from './control_bar';
import { formatFilmTime } from './film_time';
import { SeekBar } from './seek_bar';

interface Properties extends BarProperties {
  snapshot: FilmSnapshot;
  onSeek: (time: number) => void;
  thumbnail: (time: number) => Promise<Thumbnail | null>;
}

export function FilmBar(p: Properties) {
  const t = useText();
  const { range } = p.snapshot;
  const length = range.end - range.start;
  const text = (time: number): string => formatFilmTime(time - range.start, length);
  const position = text(p.snapshot.position_s);
  const duration = text(range.end);
  return (
    <ControlBar
      {...p}
      choices={p.snapshot}
      seekBar={
        length > 0 && (
          <SeekBar
            range={range}
            playhead={() => p.video.currentTime}
            label={t('control.film_seek')}
            valueText={t('control.film_position', { position, duration })}
            caption={text}
            thumbnail={p.thumbnail}
            onSeek={p.onSeek}
          />
        )
      }
      time={
        length > 0 && (
          <span class="film-time">
            {position}
            <span class="film-length"> / {duration}</span>
          </span>
        )
      }
    />
  );
}
