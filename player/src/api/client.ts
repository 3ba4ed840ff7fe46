// The few calls of /api/v1 that a household's page needs. Answers are checked for what we read from
// them; anything else about them may change without breaking this page.

export interface Channel {
  id: string;
  title: string;
  live: boolean;
  since_ms: number | null;
  poster: string | null;
  width: number | null;
  height: number | null;
  highDynamicRange: string | null; // "PQ" or "HLG"
  programme: { title: string; free: boolean } | null;
}

export interface Film {
  id: string;
  title: string;
  duration_s: number | null;
  poster: string | null;
}

export interface Session {
  id: string;
  token: string;
  base: string; // absolute URL with a trailing slash
  expires_ms: number;
  beacon_interval_s: number;
}

export class ApiError extends Error {
  constructor(
    readonly status: number, // 0: no answer at all
    readonly code: string,
  ) {
    super(code);
  }
}

const kTimeoutMs = 10_000;

async function call(path: string, init: RequestInit = {}): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(new URL(path, location.origin), { ...init, signal: AbortSignal.timeout(kTimeoutMs) });
  } catch {
    throw new ApiError(0, 'unreachable');
  }
  if (!response.ok) throw new ApiError(response.status, `http-${response.status}`);
  try {
    return await response.json();
  } catch {
    throw new ApiError(response.status, 'bad-answer');
  }
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new ApiError(200, 'bad-answer');
  return value as Record<string, unknown>;
}

function text(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new ApiError(200, 'bad-answer');
  return value;
}

/** RFC 3339 text or UTC milliseconds. */
export function instant(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  const parsed = typeof value === 'string' ? Date.parse(value) : NaN;
  return Number.isNaN(parsed) ? null : parsed;
}

const size = (value: unknown): number | null => (typeof value === 'number' && value > 0 ? value : null);

function programmeOf(value: unknown): { title: string; free: boolean } | null {
  if (typeof value !== 'object' || value === null) return null;
  const { title, free } = value as Record<string, unknown>;
  return { title: typeof title === 'string' ? title : '', free: free === true };
}

/** In the order of the answer, those that are live first. */
export function parseChannels(answer: unknown): Channel[] {
  const { channels } = record(answer);
  if (!Array.isArray(channels)) throw new ApiError(200, 'bad-answer');
  const parsed = channels.map((entry: unknown) => {
    const channel = record(entry);
    const id = text(channel['id']);
    const title = channel['title'];
    const poster = channel['poster'];
    const range = channel['range'];
    return {
      id,
      title: typeof title === 'string' && title !== '' ? title : id,
      live: channel['live'] !== false,
      since_ms: instant(channel['since']),
      poster: typeof poster === 'string' ? poster : null,
      width: size(channel['width']),
      height: size(channel['height']),
      highDynamicRange: range === 'PQ' || range === 'HLG' ? range : null,
      programme: programmeOf(channel['programme']),
    };
  });
  return [...parsed.filter((channel) => channel.live), ...parsed.filter((channel) => !channel.live)];
}

/** What can be watched, in the order of the answer. */
export function parseFilms(answer: unknown): Film[] {
  const { items } = record(answer);
  if (!Array.isArray(items)) throw new ApiError(200, 'bad-answer');
  return items.map((entry: unknown) => {
    const film = record(entry);
    const id = text(film['id']);
    const title = film['title'];
    const poster = film['poster'];
    return {
      id,
      title: typeof title === 'string' && title !== '' ? title : id,
      duration_s: size(film['duration_s']),
      poster: typeof poster === 'string' ? poster : null,
    };
  });
}

export function parseSession(answer: unknown, origin: string): Session {
  const session = record(answer);
  const interval = session['beacon_interval_s'];
  return {
    id: text(session['session']),
    token: text(session['token']),
    // Always absolute: Shaka takes "/s/..." for a host name in some modes.
    base: new URL(text(session['base']), origin).href,
    expires_ms: instant(session['expires']) ?? Date.now() + 3_600_000,
    beacon_interval_s: typeof interval === 'number' && interval >= 1 ? interval : 10,
  };
}

export async function listChannels(): Promise<Channel[]> {
  return parseChannels(await call('/api/v1/channels'));
}

export async function listFilms(): Promise<Film[]> {
  return parseFilms(await call('/api/v1/vod'));
}

export async function openSession(channel: string): Promise<Session> {
  const answer = await call('/api/v1/sessions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ channel }),
  });
  return parseSession(answer, location.origin);
}
