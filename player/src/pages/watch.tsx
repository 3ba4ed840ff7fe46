// Watching one channel: the picture, what is going on with it, and the controls.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { toggleFullscreen, useFullscreen } from '../controls/fullscreen';
import { Icon } from '../controls/icons';
import { LiveBar } from '../controls/live_bar';
import { usePlayerKeys } from '../controls/player_keys';
import { Stats } from '../controls/stats';
import { formatTime } from '../i18n';
import { useLanguage, useText } from '../language';
import type { Snapshot } from '../playback/engine';
import { Playback } from '../playback/playback';
import type { Status } from '../playback/status';
import { kDrawEveryMs, Stage, useTouch } from './stage';

interface Properties {
  channel: string;
  protocol: 'dash' | 'hls';
  onBack: () => void;
}

export function Watch({ channel, protocol, onBack }: Properties) {
  const t = useText();
  const language = useLanguage();
  const frame = useRef<HTMLDivElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const playback = useRef<Playback | null>(null);
  const [status, setStatus] = useState<Status>({ kind: 'connecting' });
  const [snapshot, setSnapshot] = useState<Snapshot | null>(null);
  const [statsShown, setStatsShown] = useState(() => new URLSearchParams(location.search).has('stats'));
  const fullscreen = useFullscreen();
  const { touchedAt, touched } = useTouch();
  const [, redraw] = useState(0);

  useEffect(() => {
    if (video.current === null) return;
    const running = new Playback(channel, video.current, protocol, setStatus);
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
  }, [channel, protocol]);

  const thumbnail = useCallback((time: number) => playback.current?.thumbnail(time) ?? Promise.resolve(null), []);
  const play = (): void => void playback.current?.play();
  const goLive = (): void => playback.current?.goLive();

  usePlayerKeys({
    frame,
    video,
    range: () => playback.current?.snapshot()?.range ?? { start: 0, end: Infinity },
    play,
    touched,
    onBack,
    own: (onRange) => ({
      l: goLive,
      End: onRange ? undefined : goLive,
      i: () => setStatsShown((shown) => !shown),
    }),
  });

  const info = playback.current?.channel ?? null;
  const title = info?.title ?? channel;
  return (
    <section class="watch" aria-labelledby="watch-title">
      <Stage
        frame={frame}
        video={video}
        subject="channel"
        title={title}
        status={status}
        browserControls={false}
        touchedAt={touchedAt}
        onTouch={touched}
        onPlay={play}
        onTap={goLive}
        onRetry={() => playback.current?.retryNow()}
        onBack={onBack}
      >
        {statsShown && snapshot !== null && (
          <Stats snapshot={snapshot} stalls={playback.current?.stalls ?? 0} session={playback.current?.sessionId ?? ''} />
        )}
        {status.kind === 'signal_lost' && (
          <div class="veil veil-solid">
            <span class="lost-mark" aria-hidden="true" />
            <p class="veil-title">{t('watch.signal_lost')}</p>
            <p>{t('watch.signal_lost_hint')}</p>
          </div>
        )}
        {video.current !== null && snapshot !== null && status.kind !== 'failed' && status.kind !== 'refused_autoplay' && (
          <LiveBar
            video={video.current}
            snapshot={snapshot}
            fullscreen={fullscreen}
            statsShown={statsShown}
            onPlay={play}
            onGoLive={goLive}
            onQuality={(id) => playback.current?.selectQuality(id)}
            onSound={(id) => playback.current?.selectSound(id)}
            onFullscreen={() => toggleFullscreen(frame.current, video.current)}
            onStats={() => setStatsShown(!statsShown)}
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
          <h1 id="watch-title">{title}</h1>
          <p class="about-facts">
            {info?.programme?.free === true && <span class="free">{t('watch.free')}</span>}
            {info?.programme != null && info.programme.title !== '' && <span>{info.programme.title}</span>}
            {info?.since_ms != null && info.live && (
              <span>{t('watch.since', { time: formatTime(language, info.since_ms) })}</span>
            )}
          </p>
        </div>
      </div>
      <p class="keys">{t('keys.hint')}</p>
    </section>
  );
}
