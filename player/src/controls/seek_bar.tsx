// The seek bar, with the picture and the time of the place that the pointer or the keys are at.
import { useEffect, useRef, useState } from 'preact/hooks';
import { isTile, type Thumbnail } from '../playback/sheets';
import { useFill } from './fill';
import { fractionAt, fractionOf, kSeekStepS, seekTarget, timeAt, type Range } from './seek_position';

interface Properties {
  range: Range;
  /** As it is now: what was drawn last may be a key press ago. */
  playhead: () => number;
  label: string;
  valueText: string;
  /** What is written under the picture of a time. */
  caption: (time: number) => string | null;
  thumbnail: (time: number) => Promise<Thumbnail | null>;
  onSeek: (time: number) => void;
}

interface Preview {
  time: number;
  picture: Thumbnail | null;
}

function Picture({ onError, ...picture }: Thumbnail & { onError: () => void }) {
  const { url, x, y, width, height, imageWidth, imageHeight } = picture;
  if (!isTile(picture)) return <img src={url} width={width} height={height} alt="" onError={onError} />;
  return (
    <svg viewBox={`${x} ${y} ${width} ${height}`} width={width} height={height}>
      <image href={url} width={imageWidth} height={imageHeight} />
    </svg>
  );
}

const kStepOf: Record<string, number | undefined> = { ArrowLeft: -kSeekStepS, ArrowRight: kSeekStepS };

export function SeekBar({ range, playhead, label, valueText, caption, thumbnail, onSeek }: Properties) {
  const { start, end } = range;
  const position = seekTarget(playhead(), 0, range);
  const input = useFill(end > start ? fractionOf(position, range) : 1);
  const bubble = useRef<HTMLDivElement>(null);
  const asked = useRef(0);
  const [preview, setPreview] = useState<Preview | null>(null);

  // Set as a property, because the page's policy forbids style="".
  useEffect(() => {
    if (preview === null || end <= start) return;
    bubble.current?.style.setProperty('--at', `${(fractionOf(preview.time, { start, end }) * 100).toFixed(2)}%`);
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
  const seek = (time: number): void => {
    onSeek(time);
    show(time);
  };
  const text = preview === null ? null : caption(preview.time);
  return (
    <div
      class="seek-frame"
      onPointerMove={(event) => {
        if (input.current === null) return;
        const { left, width } = input.current.getBoundingClientRect();
        show(timeAt(fractionAt(event.clientX - left, width), range));
      }}
      onPointerLeave={hide}
    >
      {preview !== null && (
        <div ref={bubble} class="seek-preview" aria-hidden="true">
          {preview.picture !== null && (
            <Picture
              {...preview.picture}
              onError={() => setPreview((old) => (old === null ? null : { ...old, picture: null }))}
            />
          )}
          {text !== null && <span>{text}</span>}
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
        aria-label={label}
        aria-valuetext={valueText}
        onInput={(event) => seek(Number(event.currentTarget.value))}
        onKeyDown={(event) => {
          // A browser's own step is a hundredth of the range: a minute of a film, or a third of a second.
          const by = kStepOf[event.key];
          if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
          const from = seekTarget(playhead(), 0, range);
          const to = seekTarget(from, by, range);
          if (to === from) return; // at its end: the focus goes on
          event.preventDefault();
          seek(to);
        }}
        onBlur={hide}
      />
    </div>
  );
}
