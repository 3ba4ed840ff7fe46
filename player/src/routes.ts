// Two places: the list at "/", a channel at "/watch/<id>" (or "/?channel=<id>", which any page can
// link to without knowing our paths). Options for tests stay in the query.

export type Route = { page: 'list' } | { page: 'watch'; channel: string };

const kChannelId = /^[a-z0-9][a-z0-9_-]{0,63}$/;

export function routeOf(pathname: string, query: string): Route {
  const inPath = /^\/watch\/([^/]+)\/?$/.exec(pathname)?.[1];
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
  const text = kept.toString();
  return text === '' ? '' : `?${text}`;
}

export const watchPath = (channel: string, query: string): string =>
  `/watch/${encodeURIComponent(channel)}${keptQuery(query)}`;
export const listPath = (query: string): string => `/${keptQuery(query)}`;
