// A stand-in for kapok-server, for working on the player and on this harness without one: Debian's
// ffmpeg packages a clip as live DASH and HLS (no low latency), and this file answers the few calls of
// /api/v1 that the player makes. Not used by the tests.
//   node tests/e2e/lib/stand_in.mjs [port]      then open http://127.0.0.1:<port>/
import { createReadStream, existsSync, mkdirSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { pathToFileURL } from 'node:url';
import { smallClip } from './clips.mjs';
import { kRoot, Program, sleep, temporaryFolder } from './environment.mjs';

const kTypes = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml',
  '.mpd': 'application/dash+xml', '.m3u8': 'application/vnd.apple.mpegurl', '.m4s': 'video/iso.segment', '.mp4': 'video/mp4',
};
const kPolicy =
  "default-src 'self'; media-src 'self' blob:; worker-src blob:; img-src 'self' data:; style-src 'self'";

/** A segment that ffmpeg still writes is sent as it grows, and one about to come is waited for. */
async function sendGrowing(path, response) {
  for (let tries = 0; !existsSync(path); tries++) {
    if (tries === 60) return response.writeHead(404).end();
    await sleep(50);
  }
  response.writeHead(200, { 'content-type': 'video/iso.segment', 'access-control-allow-origin': '*' });
  const next = path.replace(/(\d+)\.m4s$/, (_, n) => `${String(Number(n) + 1).padStart(n.length, '0')}.m4s`);
  const file = await open(path);
  try {
    for (let quiet = 0; quiet < 100 && !response.destroyed; ) {
      const last = existsSync(next);
      const { bytesRead, buffer } = await file.read({ buffer: Buffer.alloc(65536) });
      if (bytesRead > 0) {
        response.write(buffer.subarray(0, bytesRead));
        quiet = 0;
      } else if (last) {
        break;
      } else {
        quiet++;
        await sleep(40);
      }
    }
  } finally {
    await file.close();
  }
  return response.end();
}

export async function startStandIn(port) {
  const folder = temporaryFolder('stand-in');
  const live = join(folder.path, 'demo');
  mkdirSync(live);
  const state = { channels: 1, fail: false, sessionsFail: 0, signal: true, beacons: [], sessions: 0, expires_s: 3600 };
  const clip = await smallClip();
  let packager = null;
  const feed = () => {
    packager = new Program('ffmpeg', [
      '-hide_banner', '-loglevel', 'error', '-nostdin', '-re', '-stream_loop', '-1', '-i', clip.path, '-c', 'copy',
      '-f', 'dash', '-seg_duration', '2', '-frag_duration', '0.4', '-streaming', '1', '-ldash', '1',
      '-window_size', '60', '-extra_window_size', '10', '-use_template', '1', '-use_timeline', '0', '-target_latency', '1.5',
      '-utc_timing_url', `http://127.0.0.1:${port}/time`, '-hls_playlist', '1', '-hls_master_name', 'master.m3u8',
      join(live, 'manifest.mpd'),
    ]);
  };
  feed();

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://localhost');
    const json = (status, value) =>
      response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(value));
    if (state.fail && url.pathname.startsWith('/api')) return json(503, {});
    if (url.pathname === '/time') return response.writeHead(200, { 'access-control-allow-origin': '*' }).end(new Date().toISOString());
    if (url.pathname === '/api/v1/channels') {
      const since = new Date(Date.now() - 3_725_000).toISOString();
      const all = [
        { id: 'demo', title: '珠江夜景 4K', live: state.signal, since, width: 3840, height: 2160, range: 'HLG', programme: { title: '珠江夜游', free: true } },
        { id: 'museum', title: '广东省博物馆 · 自然标本厅', live: true, since, width: 3840, height: 2160 },
        { id: 'asian-games-8k', title: '亚青会开幕式 8K', live: true, since, width: 7680, height: 4320 },
        { id: 'opera', title: '粤剧《帝女花》', live: false, since: null },
      ];
      return json(200, { channels: all.slice(0, state.channels) });
    }
    if (url.pathname === '/api/v1/sessions' && request.method === 'POST') {
      if (state.sessionsFail > 0) return json(state.sessionsFail, {});
      const n = ++state.sessions;
      const expires = new Date(Date.now() + state.expires_s * 1000).toISOString();
      return json(201, { session: `session-${n}`, token: `tok${n}`, base: `/s/tok${n}/`, expires, beacon_interval_s: 2 });
    }
    if (/^\/api\/v1\/sessions\/[^/]+\/beacon$/.test(url.pathname)) {
      let body = '';
      request.on('data', (chunk) => (body += chunk));
      request.on('end', () => {
        state.beacons.push({ session: url.pathname.split('/')[4], ...JSON.parse(body) });
        json(200, {});
      });
      return undefined;
    }
    const media = /^\/s\/(\w+)\/live\/demo\/([\w.-]+)$/.exec(url.pathname);
    const dist = join(kRoot, 'player', 'dist');
    let path;
    if (media !== null) path = join(live, media[2]);
    else if (url.pathname === '/' || url.pathname.startsWith('/watch/')) path = join(dist, 'index.html');
    else path = join(dist, normalize(url.pathname));
    if (/chunk-stream/.test(path)) return sendGrowing(path, response);
    if (!path.startsWith(media !== null ? live : dist) || !existsSync(path) || !statSync(path).isFile()) {
      return response.writeHead(404).end();
    }
    response.writeHead(200, {
      'content-type': kTypes[extname(path)] ?? 'application/octet-stream',
      'content-security-policy': kPolicy,
      'access-control-allow-origin': '*',
      'cache-control': 'no-cache',
    });
    return createReadStream(path).pipe(response);
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${port}`,
    state,
    ready: () => existsSync(join(live, 'manifest.mpd')),
    cutSignal: async () => {
      state.signal = false;
      await packager.stop('SIGKILL');
    },
    stop: async () => {
      await packager.stop();
      server.closeAllConnections?.();
      await new Promise((resolve) => server.close(resolve));
      folder.remove();
    },
  };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const origin = await startStandIn(Number(process.argv[2] ?? 22190));
  console.log(`${origin.url}/`);
  process.once('SIGINT', () => void origin.stop().then(() => process.exit(0)));
}
