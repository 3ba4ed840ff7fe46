// What can go wrong while watching, in the viewer's words: every failure has a text of its own
// ("error.<kind>" and "error.<kind>_hint"), a code for support, and says whether trying again helps.
import type { Key } from '../i18n';

export type FailureKind = 'not_found' | 'denied' | 'busy' | 'network' | 'codec' | 'media' | 'unsupported';

export interface Failure {
  kind: FailureKind;
  code: string;
  codecs?: string;
}

export type Subject = 'channel' | 'film';

type TextKind = FailureKind | 'film_not_found' | 'film_denied' | 'film_codec';
const kOfFilms: Partial<Record<FailureKind, TextKind>> = {
  not_found: 'film_not_found',
  denied: 'film_denied',
  codec: 'film_codec',
};
const textOf = ({ kind }: Failure, subject: Subject): TextKind =>
  (subject === 'film' ? kOfFilms[kind] : undefined) ?? kind;

export const failureTitle = (failure: Failure, subject: Subject): Key => `error.${textOf(failure, subject)}`;
export const failureHint = (failure: Failure, subject: Subject): Key => `error.${textOf(failure, subject)}_hint`;
export const retryHelps = (failure: Failure): boolean => failure.kind !== 'codec' && failure.kind !== 'unsupported';

export function fromStatus(status: number, code: string): Failure {
  if (status === 0) return { kind: 'network', code };
  if (status === 404) return { kind: 'not_found', code };
  if (status === 401 || status === 403 || status === 410) return { kind: 'denied', code };
  if (status === 429 || status === 503) return { kind: 'busy', code };
  return { kind: 'network', code };
}

const kBackOffS = [1, 2, 4, 8, 15, 30];
export const backOffSeconds = (attempt: number): number => kBackOffS[Math.min(attempt, kBackOffS.length - 1)] ?? 30;

// https://shaka-player-demo.appspot.com/docs/api/shaka.util.Error.html
interface ShakaErrorLike {
  category: number;
  code: number;
  data: unknown[];
}
const kNetworkCategory = 1;
const kBadHttpStatus = 1001;
const kUnsupportedCodecCodes = new Set([4032, 4012, 4011]); // content unsupported, restrictions

export function fromShaka(error: ShakaErrorLike, codecs: string): Failure {
  const code = `shaka-${error.code}`;
  if (kUnsupportedCodecCodes.has(error.code)) return { kind: 'codec', code, codecs };
  if (error.code === kBadHttpStatus) {
    const status = typeof error.data[1] === 'number' ? error.data[1] : 0;
    return fromStatus(status, `${code}-${status}`);
  }
  if (error.category === kNetworkCategory) return { kind: 'network', code };
  return { kind: 'media', code };
}
