// The seek bar, with the picture and the time of the place that the pointer or the keys are at.
import { useEffect, useRef, useState } from 'preact/hooks';
import { formatDuration, formatTime } from '../i18n';
import { useLanguage, useText } from '../language';
import type { Snapshot, Thumbnail } from '../playback/engine';
import { useFill } from './fill';
import { fractionAt, timeAt } from './seek_position';

interface Properties {
  video: HTMLVideoElement;
  snapshot: Snapshot;
  live: boolean;
  thumbnail: (time: number) => Promise<Thumbnail | null>;
}

interface Preview {
  time: number;
  picture: Thumbnail | null;
}

export function SeekBar({ video, snapshot, live, thumbnail }: Properties) {
  const t = useText();
  const language = useLanguage();
  const { start, end } = snapshot.range;
  const position = live ? end : Math.min(end, Math.max(start, video.currentTime));
  const input = useFill(end > start ? (position - start) / (end - start) : 1);
  const bubble = useRef<HTMLDivElement>(null);
  const asked = useRef(0);
  const [preview, setPreview] = useState<Preview | null>(null);

  // Set as a property, because the page's policy forbids style="".
  useEffect(() => {
    if (preview === null || end <= start) return;
    const fraction = Math.min(1, Math.max(0, (preview.time - start) / (end - start)));
    bubble.current?.style.setProperty('--at', `${(fraction * 100).toFixed(2)}%`);
  }, [preview, start, end]);

  const show = (time: number): void => {
    const question = ++asked.current;
    setPreview((old) => ({ time, picture: old?.picture ?? null }));
    void thumbnail(time).then((picture) => {
      // Answers may overtake each other, and the pointer may have gone.
      if (question === asked.current) setPreview({ time, picture });
    });
  };
  const hide = (): void => {
    asked.current++;
    setPreview(null);
  };
  const wallClock =
    preview === null || snapshot.position_ms === null
      ? null
      : snapshot.position_ms + (preview.time - video.currentTime) * 1000;
  return (
    <div
      class="seek-frame"
      onPointerMove={(event) => {
        if (input.current === null) return;
        const { left, width } = input.current.getBoundingClientRect();
        show(timeAt(fractionAt(event.clientX - left, width), { start, end }));
      }}
      onPointerLeave={hide}
    >
      {preview !== null && (
        <div ref={bubble} class="seek-preview" aria-hidden="true">
          {preview.picture !== null && (
            <img
              src={preview.picture.url}
              width={preview.picture.width}
              height={preview.picture.height}
              alt=""
              onError={() => setPreview((old) => (old === null ? null : { ...old, picture: null }))}
            />
          )}
          {wallClock !== null && <span>{formatTime(language, wallClock)}</span>}
        </div>
      )}
      <input
        ref={input}
        class="range seek"
        type="range"
        min={start}
        max={end}
        step="any"
        value={position}
        aria-label={t('control.seek')}
        aria-valuetext={
          live || snapshot.position_ms === null
            ? t('control.seek_live')
            : t('control.seek_behind', {
                time: formatTime(language, snapshot.position_ms),
                behind: formatDuration(language, snapshot.behind_s),
              })
        }
        onInput={(event) => {
          const time = Number(event.currentTarget.value);
          video.currentTime = time;
          show(time);
        }}
        onBlur={hide}
      />
    </div>
  );
}
