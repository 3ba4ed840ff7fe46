// The harness's own little web server: one page that plays a URL with the library of one's choice, and
// the libraries from node_modules. It lives on another origin than the server under test, so every
// playback here proves CORS as well.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kPageReader } from './barcode.mjs';
import { freePort } from './environment.mjs';

const kModules = join(dirname(dirname(fileURLToPath(import.meta.url))), 'node_modules');
const kLibraries = {
  '/lib/shaka.js': 'shaka-player/dist/shaka-player.compiled-es2021.js',
  '/lib/hls.js': 'hls.js/dist/hls.min.js',
  '/lib/dash.js': 'dashjs/dist/modern/umd/dash.all.min.js',
};

const kStart = {
  shaka: `
    const player = window.player = new shaka.Player();
    player.configure('manifest.hls.sequenceMode', true); // docs/players.md says why
    if (target !== null) {
      // In DASH the two add up, as the manifest's own delay and target do; HLS knows only the first.
      const delay = url.endsWith('.mpd') ? target / 3 : target;
      player.configure({
        manifest: { defaultPresentationDelay: delay, dash: { ignoreSuggestedPresentationDelay: true } },
        streaming: { liveSync: {
          enabled: url.endsWith('.mpd'), targetLatency: target - delay, targetLatencyTolerance: 0.1, maxPlaybackRate: 1.04,
        } },
      });
    }
    await player.attach(video);
    player.addEventListener('error', ({ detail }) => {
      // Shaka calls a failed request of a live stream critical and repeats it: no end of playback.
      const text = 'shaka ' + detail.code + ' ' + String(detail.data).slice(0, 200);
      (detail.category === 1 ? window.troubles : window.problems).push(text);
    });
    await player.load(url);
    window.libraryLatency = () => Date.now() - player.getPlayheadTimeAsDate().getTime();`,
  hls: `
    const player = new Hls({
      lowLatencyMode: true, ...(target === null ? {} : { liveSyncDuration: target, maxLiveSyncPlaybackRate: 1.04 }),
    });
    player.on(Hls.Events.ERROR, (_, info) => { if (info.fatal) window.problems.push('hls.js ' + info.details); });
    player.loadSource(url);
    player.attachMedia(video);
    window.libraryLatency = () => Date.now() - player.playingDate.getTime();`,
  dash: `
    const player = window.player = dashjs.MediaPlayer().create();
    player.on(dashjs.MediaPlayer.events.ERROR, (event) => window.problems.push('dash.js ' + (event.error?.message ?? event.error)));
    if (target !== null) {
      player.updateSettings({ streaming: {
        applyServiceDescription: false, delay: { liveDelay: target }, liveCatchup: { enabled: true },
      } });
    }
    player.initialize(video, url, true);
    window.libraryLatency = () => player.getCurrentLiveLatency() * 1000;`,
  native: `
    video.src = url;
    window.libraryLatency = () => 0;`,
};

function page(library) {
  const script = library === 'native' ? '' : `<script src="/lib/${library}.js"></script>`;
  return `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>${library}</title>
<video muted autoplay playsinline width="960"></video>${script}
<script>${kPageReader}
window.problems = []; // playback has ended for good
window.troubles = []; // and this the player itself tries again
window.stalls = 0;
const video = document.querySelector('video');
let started = false;
video.addEventListener('playing', () => { started = true; });
video.addEventListener('waiting', () => { if (started) window.stalls++; });
video.addEventListener('error', () => window.problems.push('video error ' + video.error?.code + ' ' + video.error?.message));
window.observe = () => {
  const quality = video.getVideoPlaybackQuality();
  let latency = null;
  try { latency = window.libraryLatency() / 1000; } catch {}
  return {
    number: window.readBarcode(video), seen_ms: Date.now(), time: video.currentTime,
    dropped: quality.droppedVideoFrames, frames: quality.totalVideoFrames, stalls: window.stalls,
    width: video.videoWidth, height: video.videoHeight, paused: video.paused, rate: video.playbackRate,
    library_latency: latency, problems: window.problems, troubles: window.troubles,
    buffer: video.buffered.length ? video.buffered.end(video.buffered.length - 1) - video.currentTime : 0,
  };
};
(async () => {
  const asked = new URLSearchParams(location.search);
  const url = asked.get('url');
  const target = asked.has('target') ? Number(asked.get('target')) : null; // seconds; else what the manifest says
  ${kStart[library]}
  // dash.js plays by itself; told to before its streams are there, it takes the video for paused and
  // never reads the manifest again.
  ${library === 'dash' ? '' : 'await video.play();'}
})().catch((error) => window.problems.push(String(error?.code ?? error)));
</script>`;
}

export async function startPageServer() {
  const port = await freePort();
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const library = /^\/play\/(\w+)$/.exec(pathname)?.[1];
    if (library !== undefined && library in kStart) {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page(library));
      return;
    }
    const file = kLibraries[pathname];
    if (file === undefined) {
      response.writeHead(404).end();
      return;
    }
    const path = join(kModules, file);
    response.writeHead(200, { 'content-type': 'text/javascript', 'content-length': (await stat(path)).size });
    createReadStream(path).pipe(response);
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    playUrl: (library, url, target_s = null) =>
      `http://127.0.0.1:${port}/play/${library}?url=${encodeURIComponent(url)}${target_s === null ? '' : `&target=${target_s}`}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections?.();
      }),
  };
}
