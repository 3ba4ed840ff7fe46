// Reading HLS media playlists as strictly as a test wants to: every line must be known.

const kAttribute = /([A-Z0-9-]+)=("([^"]*)"|[^,]*)/g;
const attributes = (text) =>
  Object.fromEntries([...text.matchAll(kAttribute)].map((m) => [m[1], m[3] ?? m[2]]));

export function parseMediaPlaylist(text) {
  const playlist = {
    segments: [], parts: [], target_s: 0, partTarget_s: 0, sequence: 0, discontinuitySequence: 0, hint: null, reports: [],
    control: {}, ended: false, version: 0, skipped: 0,
  };
  let next = { parts: [], discontinuity: false, gap: false };
  let map = null;
  const lines = text.split('\n').map((line) => line.trimEnd());
  if (lines[0] !== '#EXTM3U') throw new Error('not a playlist');
  for (const line of lines.slice(1)) {
    if (line === '') continue;
    if (!line.startsWith('#')) {
      playlist.segments.push({ ...next, uri: line, map });
      next = { parts: [], discontinuity: false, gap: false };
      continue;
    }
    const [, tag, rest] = /^#([A-Z0-9-]+):?(.*)$/.exec(line) ?? [];
    switch (tag) {
      case 'EXT-X-VERSION': playlist.version = Number(rest); break;
      case 'EXT-X-TARGETDURATION': playlist.target_s = Number(rest); break;
      case 'EXT-X-PART-INF': playlist.partTarget_s = Number(attributes(rest)['PART-TARGET']); break;
      case 'EXT-X-MEDIA-SEQUENCE': playlist.sequence = Number(rest); break;
      case 'EXT-X-DISCONTINUITY-SEQUENCE': playlist.discontinuitySequence = Number(rest); break;
      case 'EXT-X-SERVER-CONTROL': playlist.control = attributes(rest); break;
      case 'EXT-X-SKIP': playlist.skipped = Number(attributes(rest)['SKIPPED-SEGMENTS']); break;
      case 'EXT-X-INDEPENDENT-SEGMENTS': break;
      case 'EXT-X-PLAYLIST-TYPE': playlist.type = rest; break;
      case 'EXT-X-ENDLIST': playlist.ended = true; break;
      case 'EXT-X-MAP': map = attributes(rest).URI; break;
      case 'EXT-X-PROGRAM-DATE-TIME': next.utc_ms = Date.parse(rest); break;
      case 'EXT-X-DISCONTINUITY': next.discontinuity = true; break;
      case 'EXT-X-GAP': next.gap = true; break;
      case 'EXT-X-BITRATE': break;
      case 'EXTINF': next.duration_s = parseFloat(rest); break;
      case 'EXT-X-PART': {
        const part = attributes(rest);
        const parsed = { uri: part.URI, duration_s: Number(part.DURATION), independent: part.INDEPENDENT === 'YES' };
        next.parts.push(parsed);
        playlist.parts.push(parsed);
        break;
      }
      case 'EXT-X-PRELOAD-HINT': playlist.hint = attributes(rest); break;
      case 'EXT-X-RENDITION-REPORT': playlist.reports.push(attributes(rest)); break;
      default:
        if (tag?.startsWith('EXT')) throw new Error(`unknown tag: ${line}`);
    }
  }
  playlist.running = next; // the segment that still grows, with its parts
  return playlist;
}

export const numberOf = (segment) => Number(/(\d+)\.m4s$/.exec(segment.uri)?.[1]);

/** The same playlist as a closed one of absolute URLs and whole segments, for programs that read files. */
export function frozen(playlist, base, segments = playlist.segments) {
  const lines = ['#EXTM3U', '#EXT-X-VERSION:7', `#EXT-X-TARGETDURATION:${playlist.target_s}`, `#EXT-X-MEDIA-SEQUENCE:${playlist.sequence}`];
  let map = null;
  for (const segment of segments) {
    if (segment.discontinuity) lines.push('#EXT-X-DISCONTINUITY');
    if (segment.map !== map) lines.push(`#EXT-X-MAP:URI="${new URL(segment.map, base)}"`);
    map = segment.map;
    lines.push(`#EXTINF:${segment.duration_s},`, String(new URL(segment.uri, base)));
  }
  return `${lines.join('\n')}\n#EXT-X-ENDLIST\n`;
}
