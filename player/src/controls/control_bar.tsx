// The controls under the picture: native buttons, ranges and selects, so that keyboards, remote
// controls and screen readers work as they do everywhere. Channels and films put their own between.
import type { ComponentChildren } from 'preact';
import { useLanguage, useText } from '../language';
import type { Choices } from '../playback/shaka_player';
import { soundName } from '../playback/sounds';
import { Choice } from './choice';
import { useFill } from './fill';
import { Icon } from './icons';

/** What both bars are given by their page. */
export interface BarProperties {
  video: HTMLVideoElement;
  fullscreen: boolean;
  onPlay: () => void;
  onQuality: (id: string) => void;
  onSound: (id: string) => void;
  onFullscreen: () => void;
}

interface Properties extends BarProperties {
  choices: Choices;
  seekBar: ComponentChildren;
  time: ComponentChildren;
  extra?: ComponentChildren;
}

export function ControlBar(p: Properties) {
  const t = useText();
  const language = useLanguage();
  const { video, choices } = p;
  const volume = video.muted ? 0 : video.volume;
  const volumeInput = useFill(volume);
  const autoLabel =
    choices.quality === 'auto' && choices.height > 0
      ? t('control.quality_auto_now', { height: choices.height })
      : t('control.quality_auto');
  const numbered = (number: number): string => t('control.sound_numbered', { number });
  return (
    <div class="bar" role="group" aria-label={t('control.bar')}>
      {p.seekBar}
      <div class="bar-row">
        <button
          type="button"
          class="control"
          aria-label={video.paused ? t('control.play') : t('control.pause')}
          onClick={() => (video.paused ? p.onPlay() : video.pause())}
        >
          <Icon name={video.paused ? 'play' : 'pause'} />
        </button>
        <button
          type="button"
          class="control"
          aria-label={video.muted ? t('control.unmute') : t('control.mute')}
          onClick={() => {
            video.muted = !video.muted;
          }}
        >
          <Icon name={volume === 0 ? 'muted' : 'volume'} />
        </button>
        <input
          ref={volumeInput}
          class="range volume"
          type="range"
          min={0}
          max={1}
          step={0.05}
          value={volume}
          aria-label={t('control.volume')}
          onInput={(event) => {
            video.volume = Number(event.currentTarget.value);
            video.muted = video.volume === 0;
          }}
        />
        {p.time}
        <span class="spring" />
        {choices.sounds.length > 1 && (
          <Choice
            icon="sound"
            label={t('control.sound')}
            options={choices.sounds.map((sound) => ({ id: sound.id, name: soundName(sound, language, numbered) }))}
            chosen={choices.sound}
            onChoose={p.onSound}
          />
        )}
        {choices.qualities.length > 0 && (
          <Choice
            icon="quality"
            label={t('control.quality')}
            options={[
              { id: 'auto', name: autoLabel },
              ...choices.qualities.map(({ id, height }) => ({ id, name: `${height}p` })),
            ]}
            chosen={choices.quality}
            onChoose={p.onQuality}
          />
        )}
        {p.extra}
        <button
          type="button"
          class="control"
          aria-label={p.fullscreen ? t('control.exit_fullscreen') : t('control.fullscreen')}
          onClick={p.onFullscreen}
        >
          <Icon name={p.fullscreen ? 'shrink' : 'fullscreen'} />
        </button>
      </div>
    </div>
  );
}
