// Watching one channel: the picture, what is going on with it, and the controls.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import logo from '../assets/kapok.svg';
import { ControlBar } from '../controls/control_bar';
import { Icon } from '../controls/icons';
import { Stats } from '../controls/stats';
import { formatTime } from '../i18n';
import { useLanguage, useText } from '../language';
import { moveFocus, nothingFocused } from '../navigation/focus';
import { directionOf, isBack } from '../navigation/neighbour';
import type { Snapshot } from '../playback/engine';
import { failureHint, failureTitle, retryHelps } from '../playback/failure';
import { Playback, type Status } from '../playback/playback';
import { FailurePanel } from './failure_panel';

interface Properties {
  channel: string;
  protocol: 'dash' | 'hls';
  onBack: () => void;
}

const kDrawEveryMs = 250;
const kHideControlsMs = 3_000;
const kSpinnerAfterMs = 500;
const kSlowAfterMs = 8_000;
const kSeekStepS = 10;

function toggleFullscreen(frame: HTMLElement, video: HTMLVideoElement): void {
  if (document.fullscreenElement !== null) void document.exitFullscreen();
  else if (frame.requestFullscreen) void frame.requestFullscreen().catch(() => undefined);
  // iPhones show only the <video> itself full screen.
  else (video as HTMLVideoElement & { webkitEnterFullscreen?: () => void }).webkitEnterFullscreen?.();
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
  const [fullscreen, setFullscreen] = useState(false);
  const [touchedAt, setTouchedAt] = useState(() => performance.now());
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
    const changed = (): void => setFullscreen(document.fullscreenElement !== null);
    document.addEventListener('fullscreenchange', changed);
    return () => {
      window.clearInterval(timer);
      document.removeEventListener('fullscreenchange', changed);
      playback.current = null;
      void running.stop();
    };
  }, [channel, protocol]);

  const thumbnail = useCallback((time: number) => playback.current?.thumbnail(time) ?? Promise.resolve(null), []);
  const touched = useCallback(() => setTouchedAt(performance.now()), []);

  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const target = event.target as HTMLElement;
      const v = video.current;
      if (v === null || event.ctrlKey || event.metaKey || event.altKey) return;
      touched();
      // Buttons, ranges and selects keep the keys that they use themselves.
      const onRange = target instanceof HTMLInputElement || target instanceof HTMLSelectElement;
      const onButton = target instanceof HTMLButtonElement || target instanceof HTMLAnchorElement;
      const seek = (by: number): void => {
        v.currentTime = Math.max(playback.current?.snapshot()?.range.start ?? 0, v.currentTime + by);
      };
      const toggle = (): void => (v.paused ? void playback.current?.play() : v.pause());
      const actions: Record<string, (() => void) | undefined> = {
        k: toggle,
        l: () => playback.current?.goLive(),
        End: onRange ? undefined : () => playback.current?.goLive(),
        m: () => {
          v.muted = !v.muted;
        },
        f: () => frame.current && toggleFullscreen(frame.current, v),
        i: () => setStatsShown((shown) => !shown),
        ' ': onRange || onButton ? undefined : toggle,
        Enter: onRange || onButton ? undefined : toggle,
        // With nothing focused they shift time; a remote control that has gone into the controls moves there.
        ArrowLeft: nothingFocused() ? () => seek(-kSeekStepS) : undefined,
        ArrowRight: nothingFocused() ? () => seek(kSeekStepS) : undefined,
      };
      const direction = directionOf(event.key);
      const sideways = direction === 'left' || direction === 'right';
      // A slider takes left and right until it is at its end; then the focus goes on.
      const atEnd = (slider: HTMLInputElement): boolean =>
        direction === 'right' ? slider.valueAsNumber >= Number(slider.max) : slider.valueAsNumber <= Number(slider.min);
      const slides = target instanceof HTMLInputElement && sideways && !atEnd(target);
      const chooses = target instanceof HTMLSelectElement && !sideways;
      // One step back at a time: out of full screen, out of the controls, to the channels.
      const inControls = document.activeElement;
      const back = (): void => {
        if (document.fullscreenElement !== null) void document.exitFullscreen();
        else if (inControls instanceof HTMLElement && frame.current?.contains(inControls) === true) inControls.blur();
        else onBack();
      };
      const action =
        actions[event.key.length === 1 ? event.key.toLowerCase() : event.key] ??
        (isBack(event.key, event.keyCode) ? back : undefined) ??
        (direction === null || slides || chooses ? undefined : () => moveFocus(direction));
      if (action === undefined) return;
      event.preventDefault();
      action();
    };
    window.addEventListener('keydown', pressed);
    return () => window.removeEventListener('keydown', pressed);
  }, [touched, onBack]);

  const info = playback.current?.channel ?? null;
  const now = performance.now();
  const waited = status.kind === 'buffering' ? now - status.since_ms : 0;
  const spinning = status.kind === 'connecting' || waited > kSpinnerAfterMs;
  const calm = status.kind === 'playing' && now - touchedAt > kHideControlsMs;
  const spoken: Record<Status['kind'], string> = {
    connecting: t('watch.connecting'),
    buffering: waited > kSlowAfterMs ? t('watch.slow') : t('watch.buffering'),
    playing: t('watch.playing'),
    paused: t('watch.paused'),
    signal_lost: t('watch.signal_lost'),
    refused_autoplay: t('watch.tap_to_play'),
    failed: '',
  };

  return (
    <section class="watch" aria-labelledby="watch-title">
      <div
        ref={frame}
        class={calm ? 'frame calm' : 'frame'}
        data-status={status.kind}
        onPointerMove={touched}
        onFocusCapture={touched}
      >
        <video
          ref={video}
          playsInline
          aria-label={info?.title ?? channel}
          onClick={() => {
            touched();
            const v = video.current;
            if (v !== null && status.kind === 'playing') v.pause();
            else if (status.kind === 'paused') void playback.current?.play();
          }}
          onDblClick={() => frame.current && video.current && toggleFullscreen(frame.current, video.current)}
        />
        {statsShown && snapshot !== null && (
          <Stats snapshot={snapshot} stalls={playback.current?.stalls ?? 0} session={playback.current?.sessionId ?? ''} />
        )}
        {spinning && (
          <div class="veil">
            <span class="spinner" aria-hidden="true" />
            <p aria-hidden="true">{spoken[status.kind]}</p>
          </div>
        )}
        {status.kind === 'signal_lost' && (
          <div class="veil veil-solid">
            <span class="lost-mark" aria-hidden="true" />
            <p class="veil-title">{t('watch.signal_lost')}</p>
            <p>{t('watch.signal_lost_hint')}</p>
          </div>
        )}
        {status.kind === 'refused_autoplay' && (
          <button type="button" class="veil veil-solid tap" onClick={() => playback.current?.goLive()}>
            <img class="tap-flower" src={logo} alt="" />
            <span class="tap-disc">
              <Icon name="play" />
            </span>
            <span class="veil-title">{t('watch.tap_to_play')}</span>
          </button>
        )}
        {status.kind === 'failed' && (
          <div class="veil veil-solid">
            <FailurePanel
              title={t(failureTitle(status.failure))}
              hint={t(failureHint(status.failure), { codecs: status.failure.codecs ?? '' })}
              code={status.failure.code}
              retryAt={status.retryAt}
              onRetry={retryHelps(status.failure) ? () => playback.current?.retryNow() : null}
              onBack={onBack}
            />
          </div>
        )}
        {video.current !== null && snapshot !== null && status.kind !== 'failed' && status.kind !== 'refused_autoplay' && (
          <ControlBar
            video={video.current}
            snapshot={snapshot}
            fullscreen={fullscreen}
            statsShown={statsShown}
            onGoLive={() => playback.current?.goLive()}
            onQuality={(id) => playback.current?.selectQuality(id)}
            onFullscreen={() => frame.current && video.current && toggleFullscreen(frame.current, video.current)}
            onStats={() => setStatsShown(!statsShown)}
            thumbnail={thumbnail}
          />
        )}
      </div>
      <p class="hidden-text" role="status">
        {spoken[status.kind]}
      </p>
      <div class="about">
        <button type="button" class="quiet back" onClick={onBack}>
          <Icon name="back" />
          {t('error.back')}
        </button>
        <div class="about-text">
          <h1 id="watch-title">{info?.title ?? channel}</h1>
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
