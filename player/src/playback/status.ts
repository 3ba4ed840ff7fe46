// What a page says of a playback, of a channel's or a film's.
import type { Failure } from './failure';

export type Status =
  | { kind: 'connecting' }
  | { kind: 'refused_autoplay' }
  | { kind: 'playing' }
  | { kind: 'paused' }
  | { kind: 'buffering'; since_ms: number }
  | { kind: 'signal_lost' } // channels alone
  | { kind: 'ended' } // films alone
  | { kind: 'failed'; failure: Failure; retryAt: number };

/** What the viewer chose of this channel or film, so that it outlives a new start of the player. */
export interface Wishes {
  quality: string;
  sound: string | null;
}

/** Plays, and says so when the browser wants the viewer to begin. */
export async function playOr(refused: () => void, video: HTMLVideoElement): Promise<void> {
  try {
    await video.play();
  } catch (error) {
    if (error instanceof DOMException && error.name === 'NotAllowedError') refused();
  }
}
