// Three places: the list at "/", a channel at "/watch/<id>" (or "/?channel=<id>", which any page can
// link to without knowing our paths), a film of the library at "/?film=<id>". Options for tests stay in the query.

export type Route = { page: 'list' } | { page: 'watch'; channel: string } | { page: 'film'; film: string };

const kChannelId = /^[a-z0-9][a-z0-9_-]{0,63}$/;

export function routeOf(pathname: string, query: string): Route {
  const inPath = /^\/watch\/([^/]+)\/?$/.exec(pathname)?.[1];
  const film = new URLSearchParams(query).get('film') ?? '';
  if (inPath === undefined && kChannelId.test(film)) return { page: 'film', film };
  const channel = inPath ?? new URLSearchParams(query).get('channel') ?? '';
  return kChannelId.test(channel) ? { page: 'watch', channel } : { page: 'list' };
}

/** ?proto=hls|dash chooses what Shaka plays. */
export function protocolOf(query: string): 'dash' | 'hls' {
  return new URLSearchParams(query).get('proto') === 'hls' ? 'hls' : 'dash';
}

function keptQuery(query: string): string {
  const kept = new URLSearchParams(query);
  kept.delete('channel');
  kept.delete('film');
  const text = kept.toString();
  return text === '' ? '' : `?${text}`;
}

export const watchPath = (channel: string, query: string): string =>
  `/watch/${encodeURIComponent(channel)}${keptQuery(query)}`;
export function filmPath(film: string, query: string): string {
  const kept = keptQuery(query);
  return `/${kept === '' ? '?' : `${kept}&`}film=${encodeURIComponent(film)}`;
}
export const listPath = (query: string): string => `/${keptQuery(query)}`;
