// Watching a film of the library: Shaka with the browser's own controls, whose slider seeks. Where there is no
// Media Source (old iOS) the browser plays the HLS itself.
import { useEffect, useRef, useState } from 'preact/hooks';
import { listFilms } from '../api/client';
import { Icon } from '../controls/icons';
import { useText } from '../language';
import { isBack } from '../navigation/neighbour';
import { mediaSourceExists } from '../playback/engine';
import { failureHint, failureTitle, fromShaka, type Failure } from '../playback/failure';
import { FailurePanel } from './failure_panel';

interface Properties {
  film: string;
  protocol: 'dash' | 'hls';
  onBack: () => void;
}

type Shaka = typeof import('shaka-player/dist/shaka-player.compiled-es2021.js').default;

export function FilmPage({ film, protocol, onBack }: Properties) {
  const t = useText();
  const video = useRef<HTMLVideoElement>(null);
  const [title, setTitle] = useState(film);
  const [failure, setFailure] = useState<Failure | null>(null);

  useEffect(() => {
    listFilms().then(
      (films) => setTitle(films.find(({ id }) => id === film)?.title ?? film),
      () => undefined,
    );
  }, [film]);

  useEffect(() => {
    const element = video.current;
    if (element === null) return;
    const base = `/vod/${encodeURIComponent(film)}/`;
    let player: InstanceType<Shaka['Player']> | null = null;
    let gone = false;
    const start = async (): Promise<void> => {
      if (!mediaSourceExists()) {
        element.src = `${base}master.m3u8`;
        return;
      }
      const shaka: Shaka = (await import('shaka-player/dist/shaka-player.compiled-es2021.js')).default;
      if (gone) return;
      shaka.polyfill.installAll();
      player = new shaka.Player();
      await player.attach(element);
      await player.load(new URL(base + (protocol === 'dash' ? 'manifest.mpd' : 'master.m3u8'), location.origin).href);
    };
    start().catch((error: unknown) => {
      if (!gone) setFailure(fromShaka(error as Parameters<typeof fromShaka>[0], ''));
    });
    return () => {
      gone = true;
      void player?.destroy();
    };
  }, [film, protocol]);

  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (!isBack(event.key, event.keyCode) || document.fullscreenElement !== null) return;
      event.preventDefault();
      onBack();
    };
    window.addEventListener('keydown', pressed);
    return () => window.removeEventListener('keydown', pressed);
  }, [onBack]);

  return (
    <section class="watch" aria-labelledby="film-title">
      <div class="frame">
        <video ref={video} controls autoplay playsInline aria-label={title} />
        {failure !== null && (
          <div class="veil veil-solid">
            <FailurePanel
              title={t(failureTitle(failure))}
              hint={t(failureHint(failure), { codecs: failure.codecs ?? '' })}
              code={failure.code}
              retryAt={0}
              onRetry={null}
              onBack={onBack}
            />
          </div>
        )}
      </div>
      <div class="about">
        <button type="button" class="quiet back" onClick={onBack}>
          <Icon name="back" />
          {t('error.back')}
        </button>
        <div class="about-text">
          <h1 id="film-title">{title}</h1>
        </div>
      </div>
    </section>
  );
}
