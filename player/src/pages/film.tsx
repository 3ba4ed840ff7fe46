// Watching a film or a recording of the library, on the controls that channels have.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { listFilms } from '../api/client';
import { FilmBar } from '../controls/film_bar';
import { toggleFullscreen, useFullscreen } from '../controls/fullscreen';
import { Icon } from '../controls/icons';
import { usePlayerKeys } from '../controls/player_keys';
import { useText } from '../language';
import { mediaSourceExists } from '../playback/engine';
import { FilmPlayback, type FilmSnapshot } from '../playback/film_playback';
import type { Status } from '../playback/status';
import { kDrawEveryMs, Stage, useTouch } from './stage';

interface Properties {
  film: string;
  protocol: 'dash' | 'hls';
  onBack: () => void;
}

export function FilmPage({ film, protocol, onBack }: Properties) {
  const t = useText();
  const frame = useRef<HTMLDivElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const playback = useRef<FilmPlayback | null>(null);
  const [title, setTitle] = useState(film);
  const [status, setStatus] = useState<Status>({ kind: 'connecting' });
  const [snapshot, setSnapshot] = useState<FilmSnapshot | null>(null);
  const fullscreen = useFullscreen();
  const { touchedAt, touched } = useTouch();
  const [, redraw] = useState(0);

  useEffect(() => {
    listFilms().then(
      (films) => setTitle(films.find(({ id }) => id === film)?.title ?? film),
      () => undefined,
    );
  }, [film]);

  useEffect(() => {
    if (video.current === null) return;
    const running = new FilmPlayback(film, video.current, protocol, setStatus);
    playback.current = running;
    running.start();
    const timer = window.setInterval(() => {
      setSnapshot(running.snapshot());
      redraw((n) => n + 1);
    }, kDrawEveryMs);
    return () => {
      window.clearInterval(timer);
      playback.current = null;
      void running.stop();
    };
  }, [film, protocol]);

  const thumbnail = useCallback((time: number) => playback.current?.thumbnail(time) ?? Promise.resolve(null), []);
  const play = (): void => void playback.current?.play();
  const seek = (time: number): void => playback.current?.seek(time);
  const range = () => playback.current?.snapshot()?.range ?? { start: 0, end: Infinity };

  usePlayerKeys({
    frame,
    video,
    range,
    play,
    touched,
    onBack,
    own: (onRange) => ({ Home: onRange ? undefined : () => seek(range().start) }),
  });

  return (
    <section class="watch" aria-labelledby="film-title">
      <Stage
        frame={frame}
        video={video}
        subject="film"
        title={title}
        status={status}
        browserControls={!mediaSourceExists()}
        touchedAt={touchedAt}
        onTouch={touched}
        onPlay={play}
        onTap={play}
        onRetry={() => playback.current?.retryNow()}
        onBack={onBack}
      >
        {video.current !== null && snapshot !== null && status.kind !== 'failed' && status.kind !== 'refused_autoplay' && (
          <FilmBar
            video={video.current}
            snapshot={snapshot}
            fullscreen={fullscreen}
            onPlay={play}
            onSeek={seek}
            onQuality={(id) => playback.current?.selectQuality(id)}
            onSound={(id) => playback.current?.selectSound(id)}
            onFullscreen={() => toggleFullscreen(frame.current, video.current)}
            thumbnail={thumbnail}
          />
        )}
      </Stage>
      <div class="about">
        <button type="button" class="quiet back" onClick={onBack}>
          <Icon name="back" />
          {t('error.back')}
        </button>
        <div class="about-text">
          <h1 id="film-title">{title}</h1>
        </div>
      </div>
      <p class="keys">{t('keys.film_hint')}</p>
    </section>
  );
}
