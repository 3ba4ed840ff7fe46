// What keyboards and remote controls do on a page that plays, be it a channel or a film.
import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { moveFocus, nothingFocused } from '../navigation/focus';
import { directionOf, isBack } from '../navigation/neighbour';
import { toggleFullscreen } from './fullscreen';
import { kSeekStepS, seekTarget, type Range } from './seek_position';

export interface PlayerKeys {
  frame: RefObject<HTMLElement>;
  video: RefObject<HTMLVideoElement>;
  range: () => Range; // what can be seeked to
  play: () => void;
  touched: () => void; // any key is a sign of life
  onBack: () => void;
  /** Keys of this page alone: letters small, others by name. `onRange`: a slider or a list has the focus. */
  own: (onRange: boolean) => Record<string, (() => void) | undefined>;
}

export function usePlayerKeys(keys: PlayerKeys): void {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => handle(event, latest.current);
    window.addEventListener('keydown', pressed);
    return () => window.removeEventListener('keydown', pressed);
  }, []);
}

function handle(event: KeyboardEvent, { frame, video, range, play, touched, onBack, own }: PlayerKeys): void {
  const target = event.target as HTMLElement;
  const v = video.current;
  if (v === null || event.ctrlKey || event.metaKey || event.altKey) return;
  touched();
  if (event.defaultPrevented) return; // the seek bar has gone where the key says
  // Buttons, ranges and selects keep the keys that they use themselves.
  const onRange = target instanceof HTMLInputElement || target instanceof HTMLSelectElement;
  const onButton = target instanceof HTMLButtonElement || target instanceof HTMLAnchorElement;
  const seek = (by: number): void => {
    v.currentTime = seekTarget(v.currentTime, by, range());
  };
  const toggle = (): void => (v.paused ? play() : v.pause());
  const actions: Record<string, (() => void) | undefined> = {
    k: toggle,
    m: () => {
      v.muted = !v.muted;
    },
    f: () => toggleFullscreen(frame.current, v),
    ' ': onRange || onButton ? undefined : toggle,
    Enter: onRange || onButton ? undefined : toggle,
    // With nothing focused they shift time; a remote control that has gone into the controls moves there.
    ArrowLeft: nothingFocused() ? () => seek(-kSeekStepS) : undefined,
    ArrowRight: nothingFocused() ? () => seek(kSeekStepS) : undefined,
    ...own(onRange),
  };
  const direction = directionOf(event.key);
  const sideways = direction === 'left' || direction === 'right';
  // A slider takes left and right until it is at its end; then the focus goes on.
  const atEnd = (slider: HTMLInputElement): boolean =>
    direction === 'right' ? slider.valueAsNumber >= Number(slider.max) : slider.valueAsNumber <= Number(slider.min);
  const slides = target instanceof HTMLInputElement && sideways && !atEnd(target);
  const chooses = target instanceof HTMLSelectElement && !sideways;
  // One step back at a time: out of full screen, out of the controls, to the list.
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
}
