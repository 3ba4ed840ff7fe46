// The picture and what lies over it while it connects, stalls, fails or waits for a tap: the same for channels and
// films. The page puts its control bar, and whatever is its own, on top.
import type { ComponentChildren, RefObject } from 'preact';
import { useCallback, useState } from 'preact/hooks';
import logo from '../assets/kapok.svg';
import { toggleFullscreen } from '../controls/fullscreen';
import { Icon } from '../controls/icons';
import { useText } from '../language';
import { failureHint, failureTitle, retryHelps, type Subject } from '../playback/failure';
import type { Status } from '../playback/status';
import { FailurePanel } from './failure_panel';

export const kDrawEveryMs = 250;
const kHideControlsMs = 3_000;
const kSpinnerAfterMs = 500;
const kSlowAfterMs = 8_000;

/** When the viewer last gave a sign of life: controls go away some time later. */
export function useTouch(): { touchedAt: number; touched: () => void } {
  const [touchedAt, setTouchedAt] = useState(() => performance.now());
  const touched = useCallback(() => setTouchedAt(performance.now()), []);
  return { touchedAt, touched };
}

interface Properties {
  frame: RefObject<HTMLDivElement>;
  video: RefObject<HTMLVideoElement>;
  subject: Subject;
  title: string;
  status: Status;
  browserControls: boolean;
  touchedAt: number;
  onTouch: () => void;
  onPlay: () => void;
  onTap: () => void; // where the browser wants the viewer to begin
  onRetry: () => void;
  onBack: () => void;
  children: ComponentChildren;
}

export function Stage(p: Properties) {
  const t = useText();
  const { status, video, frame } = p;
  const now = performance.now();
  const waited = status.kind === 'buffering' ? now - status.since_ms : 0;
  const spinning = status.kind === 'connecting' || waited > kSpinnerAfterMs;
  const calm = status.kind === 'playing' && now - p.touchedAt > kHideControlsMs;
  const spoken: Record<Status['kind'], string> = {
    connecting: t('watch.connecting'),
    buffering: waited > kSlowAfterMs ? t('watch.slow') : t('watch.buffering'),
    playing: t('watch.playing'),
    paused: t('watch.paused'),
    signal_lost: t('watch.signal_lost'),
    ended: t('watch.ended'),
    refused_autoplay: t('watch.tap_to_play'),
    failed: '',
  };
  const onPicture = (): void => {
    p.onTouch();
    if (p.browserControls) return;
    if (status.kind === 'playing') video.current?.pause();
    else if (status.kind === 'paused' || status.kind === 'ended') p.onPlay();
  };
  return (
    <>
      <div
        ref={frame}
        class={calm ? 'frame calm' : 'frame'}
        data-status={status.kind}
        onPointerMove={p.onTouch}
        onFocusCapture={p.onTouch}
      >
        <video
          ref={video}
          playsInline
          controls={p.browserControls}
          aria-label={p.title}
          onClick={onPicture}
          onDblClick={() => {
            if (!p.browserControls) toggleFullscreen(frame.current, video.current);
          }}
        />
        {spinning && (
          <div class="veil">
            <span class="spinner" aria-hidden="true" />
            <p aria-hidden="true">{spoken[status.kind]}</p>
          </div>
        )}
        {status.kind === 'refused_autoplay' && (
          <button type="button" class="veil veil-solid tap" onClick={p.onTap}>
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
              title={t(failureTitle(status.failure, p.subject))}
              hint={t(failureHint(status.failure, p.subject), { codecs: status.failure.codecs ?? '' })}
              code={status.failure.code}
              retryAt={status.retryAt}
              onRetry={retryHelps(status.failure) ? p.onRetry : null}
              onBack={p.onBack}
            />
          </div>
        )}
        {p.children}
      </div>
      <p class="hidden-text" role="status">
        {spoken[status.kind]}
      </p>
    </>
  );
}
