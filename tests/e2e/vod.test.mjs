// A film made into a ladder by the real programs: its worker killed on the way, then the server; what comes of it
// is whole, to the frame, and plays and seeks.
// Runs busy: a film is encoded.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launchChromium, noChromium } from './lib/browsers.mjs';
import { bilingualClip } from './lib/clips.mjs';
import { cuesOf, decodedNumbers, samples, tileOf } from './lib/decoded.mjs';
import { noServer, run, serverBinary, temporaryFolder, until } from './lib/environment.mjs';
import { startPageServer } from './lib/page_server.mjs';
import { parseMediaPlaylist } from './lib/playlist.mjs';
import { onOurPage } from './lib/film_page.mjs';
import { Server } from './lib/server.mjs';
import { untilMoving } from './lib/watching.mjs';

const kLadder = `
[[video]]
name = "270p"
codec = "avc"
height = 270
bit_rate = 400_000
preset = "medium"

[[video]]
name = "1080p"
codec = "avc"
height = 1080
bit_rate = 4_000_000

[[audio]]
name = "stereo"
codec = "aac"
channels = 2
bit_rate = 96_000
`;
const kSeconds = 60;
// Of the ladder's one sound a rung for each of the film's.
const kRenditions = ['source', '270p', 'audio-zh', 'audio-en', 'stereo', 'stereo-en'];
const kFrames = kSeconds * 25;
// Of each two seconds: the number of the sheet, and where in it.
const kTiles = Array.from({ length: kSeconds / 2 }, (_, i) => [1 + Math.floor(i / 10), 0, 176 * (i % 10), 312, 176]);

const noTranscoder = () => {
  const server = serverBinary();
  const program = server === null ? null : join(dirname(server), 'kapok-transcoder');
  return program !== null && existsSync(program) ? false : 'kapok-transcoder is not built';
};

describe('a film', { skip: noServer() || noTranscoder() }, () => {
  let server, folder, admin;
  before(async () => {
    folder = temporaryFolder('vod');
    const films = join(folder.path, 'films');
    const ladders = join(folder.path, 'ladders');
    mkdirSync(films);
    mkdirSync(ladders);
    writeFileSync(join(ladders, 'small.toml'), kLadder);
    writeFileSync(join(films, 'text.mp4'), 'This is no film, whatever its name says.\n');
    const clip = await bilingualClip();
    await run('ffmpeg', [
      '-hide_banner', '-loglevel', 'error', '-y', '-i', clip.path, '-t', `${kSeconds - 0.1}`, '-map', '0', '-c', 'copy', join(films, 'film.mp4'),
    ]);
    server = await Server.start({
      set: { 'vod.import': films, 'transcoder.ladders': ladders, 'vod.segment_target': '2s' },
    });
    admin = { authorization: `Bearer ${readFileSync(join(server.data, 'secrets', 'admin-token'), 'utf8').trim()}` };
  });
  after(async () => {
    await server?.stop();
    folder?.remove();
  });

  const ask = (method, path, body) =>
    fetch(`${server.url}/api/v1/vod${path}`, { method, headers: admin, body: body === undefined ? undefined : JSON.stringify(body) });
  const job = async (id = 'film') => (await ask('GET', `/${id}`)).json();
  const segments = (count) =>
    until(`${count} segments`, async () => {
      const { state, segments: made, error } = await job();
      if (state === 'failed') throw new Error(error);
      return made >= count;
    }, { timeout_ms: 90_000, every_ms: 50 }).catch((error) => {
      throw new Error(`${error.message}\n${server.log}`);
    });
  const workerPid = () => Number([...server.log.matchAll(/event=vod\.started\b[^\n]*\bpid=(\d+)/g)].at(-1)[1]);
  const onDisk = (rendition, number) => readFileSync(join(server.data, 'vod', 'film', rendition, `${number}.m4s`));

  test('goes on where it was when its worker or the server is killed', async (t) => {
    const added = await ask('POST', '', { id: 'film', title: 'A film', file: 'film.mp4', ladder: 'small' });
    assert.equal(added.status, 201, await added.clone().text());
    await segments(3);
    const before = kRenditions.map((id) => onDisk(id, 2));
    process.kill(workerPid(), 'SIGKILL');
    await segments(8);
    assert.ok((await job()).restarts >= 1, 'another worker took over');
    await server.kill();
    await server.launch();
    const resumed = await job();
    assert.ok(resumed.segments >= 5, `${resumed.segments} segments are kept over the restart`);
    await segments(kSeconds / 2);
    const done = await until('the film to be done', async () => {
      const now = await job();
      return now.state === 'done' && now;
    });
    assert.equal(done.percent, 100);
    assert.deepEqual(done.left_out.map(({ rung }) => rung), ['1080p']);
    assert.deepEqual([...done.renditions].sort(), [...kRenditions].sort());
    const after = kRenditions.map((id) => onDisk(id, 2));
    after.forEach((bytes, i) => assert.ok(bytes.equals(before[i]), 'what was made before is as it was'));
    const told = [...server.log.matchAll(/event=vod\.progress\b/g)].length;
    t.diagnostic(`${done.segments} segments, ${told} lines of progress`);
  });

  test('is whole: every frame once, cut alike in all renditions', async () => {
    const lists = {};
    for (const id of kRenditions) {
      const list = parseMediaPlaylist(await server.text(`/vod/film/${id}/media.m3u8`));
      assert.equal(list.type, 'VOD');
      assert.ok(list.ended);
      assert.equal(list.segments.length, kSeconds / 2, id);
      assert.ok(list.segments.every(({ gap }) => !gap), id);
      lists[id] = list;
    }
    assert.deepEqual(lists['270p'].segments.map(({ duration_s }) => duration_s), lists.source.segments.map(({ duration_s }) => duration_s));
    const sum = (id) => lists[id].segments.reduce((total, { duration_s }) => total + duration_s, 0);
    for (const id of ['stereo', 'stereo-en', 'audio-en']) {
      assert.ok(Math.abs(sum(id) - sum('audio-zh')) < 0.05, `${sum(id)} s of ${id}, ${sum('audio-zh')} s of sound`);
    }
    const wanted = await decodedNumbers(join(folder.path, 'films', 'film.mp4'));
    assert.ok(Math.abs(wanted.length - kFrames) < 5, `${wanted.length} frames`);
    for (const id of ['source', '270p']) {
      assert.deepEqual(await decodedNumbers(`${server.url}/vod/film/${id}/media.m3u8`), wanted, id);
    }
  });

  test('has its sounds in their languages', async () => {
    const master = await server.text('/vod/film/master.m3u8');
    const media = [...master.matchAll(/^#EXT-X-MEDIA:TYPE=AUDIO,.*LANGUAGE="(\w+)".*URI="([\w-]+)\/media\.m3u8"$/gm)];
    const languages = Object.fromEntries(media.map(([, language, id]) => [id, language]));
    assert.deepEqual(languages, { 'audio-zh': 'zh', 'audio-en': 'en', stereo: 'zh', 'stereo-en': 'en' });
    const chosen = [...master.matchAll(/^#EXT-X-MEDIA:TYPE=AUDIO,.*LANGUAGE="(\w+)",DEFAULT=YES/gm)].map(([, language]) => language);
    assert.deepEqual([...new Set(chosen)], ['zh'], 'the first sound of the file');
    const manifest = await server.text('/vod/film/manifest.mpd');
    const sets = [...manifest.matchAll(/<AdaptationSet [^>]*contentType="audio"[^>]*lang="(\w+)"[\s\S]*?<\/AdaptationSet>/g)];
    const ids = sets.flatMap(([set, language]) => [...set.matchAll(/<Representation id="([\w-]+)"/g)].map(([, id]) => [id, language]));
    assert.deepEqual(Object.fromEntries(ids), languages);
  });

  test('has a poster, and a thumbnail of each segment over all kills', async () => {
    const [item] = (await server.json('/api/v1/vod')).items;
    assert.equal(item.poster, '/vod/film/poster.jpg');
    const jpeg = async (path) => {
      const response = await server.get(path);
      assert.equal(response.status, 200, path);
      assert.equal(response.headers.get('content-type'), 'image/jpeg');
      const file = join(folder.path, 'picture.jpg');
      writeFileSync(file, Buffer.from(await response.arrayBuffer()));
      const { stdout } = await run('ffprobe', ['-v', 'error', '-show_entries', 'stream=codec_name,width,height', '-of', 'csv=p=0', file]);
      return String(stdout).trim();
    };
    assert.equal(await jpeg(item.poster), 'mjpeg,640,360');
    const list = (await server.text('/vod/film/thumbnails/media.m3u8')).split('\n').filter((line) => line.endsWith('.jpg'));
    assert.equal(list.length, kSeconds / 2);
    for (const at of [0, 7, list.length - 1]) assert.equal(await jpeg(`/vod/film/thumbnails/${list[at]}`), 'mjpeg,312,176');
    const names = readdirSync(join(server.data, 'vod', 'film', 'thumbnails'));
    assert.ok(names.length >= kSeconds / 2 - 2, `${names.length} thumbnails: a kill may cost one`);
    const times = await server.text('/vod/film/thumbnails/media.vtt');
    assert.match(times, /^WEBVTT\n\n00:00:00\.000 --> 00:00:02\.000\n/);
    assert.match(await server.text('/vod/film/master.m3u8'), /^#EXT-X-IMAGE-STREAM-INF:.*URI="thumbnails\/media\.m3u8"$/m);
  });

  test('has sheets of ten thumbnails, each as it is alone', async (t) => {
    const shown = cuesOf(await server.text('/vod/film/thumbnails/media.vtt'));
    const tiles = cuesOf(await server.text('/vod/film/thumbnails/sheets.vtt')).map((cue) => ({ ...cue, ...tileOf(cue.text) }));
    assert.equal(tiles.length, kSeconds / 2);
    const save = async (name) => {
      const path = join(folder.path, name);
      writeFileSync(path, await server.bytes(`/vod/film/thumbnails/${name}`));
      return path;
    };
    const sizes = { sheets: 0, files: 0 };
    for (const file of new Set(tiles.map((tile) => tile.file))) sizes.sheets += statSync(await save(file)).size;
    for (const { start, file, place } of tiles) {
      const alone = await save(shown.find((cue) => cue.start <= start + 1 && start + 1 < cue.end).text);
      sizes.files += statSync(alone).size;
      assert.ok((await samples(join(folder.path, file), place)).equals(await samples(alone, [0, 0, 312, 176])), `${file} at ${place}`);
    }
    t.diagnostic(`3 sheets of ${sizes.sheets} bytes, their 30 thumbnails of ${sizes.files}`);
    assert.ok(sizes.sheets < sizes.files);
    const { stdout } = await run('ffprobe', ['-v', 'error', '-show_entries', 'stream=codec_name,width,height', '-of', 'csv=p=0', join(folder.path, tiles[0].file)]);
    assert.equal(String(stdout).trim(), 'mjpeg,312,1760');
    const sheet = await server.get(`/vod/film/thumbnails/${tiles[0].file}`);
    assert.equal(sheet.headers.get('cache-control'), 'public, max-age=31536000, immutable');
    assert.match(await server.text('/vod/film/thumbnails/sheets.m3u8'), /LAYOUT=1x10,DURATION=2\.00000\n#EXTINF:20\.00000,\n.*\n#EXT-X-TILES/);
  });

  test('is read by ffprobe over HLS and DASH', async () => {
    for (const name of ['master.m3u8', 'manifest.mpd']) {
      const { stdout } = await run('ffprobe', ['-v', 'error', '-show_entries', 'stream=codec_name,height', '-show_entries', 'format=duration', '-of', 'json', `${server.url}/vod/film/${name}`]);
      const { streams, format } = JSON.parse(stdout);
      assert.deepEqual([...new Set(streams.map(({ height }) => height).filter(Boolean))].sort(), [270, 360], name);
      assert.ok(Math.abs(Number(format.duration) - kSeconds) < 0.5, `${name}: ${format.duration} s`);
    }
  });

  test('is cached for ever, its playlists for a minute', async () => {
    const list = parseMediaPlaylist(await server.text('/vod/film/270p/media.m3u8'));
    const segment = await server.get(`/vod/film/270p/${list.segments[0].uri}`);
    assert.equal(segment.headers.get('cache-control'), 'public, max-age=31536000, immutable');
    assert.equal((await server.get('/vod/film/master.m3u8')).headers.get('cache-control'), 'public, max-age=60');
  });

  test('plays and seeks', { skip: noChromium() }, async (t) => {
    const pages = await startPageServer();
    const browser = await launchChromium();
    try {
      for (const [library, manifest] of [['shaka', 'manifest.mpd'], ['shaka', 'master.m3u8'], ['hls', 'master.m3u8'], ['dash', 'manifest.mpd']]) {
        const page = await browser.newPage();
        await page.goto(pages.playUrl(library, `${server.url}/vod/film/${manifest}`));
        await untilMoving(page, 40_000);
        if (library === 'shaka') {
          const found = await page.evaluate(async () => ({
            languages: [...new Set(window.player.getAudioTracks().map(({ language }) => language))].sort(),
            thumbnails: (await window.player.getAllThumbnails(window.player.getImageTracks()[0].id)).map(({ startTime }) => Math.round(startTime)),
          }));
          assert.deepEqual(found.languages, ['en', 'zh'], manifest);
          assert.deepEqual(found.thumbnails, Array.from({ length: kSeconds / 2 }, (_, i) => 2 * i), manifest);
          const tiles = await page.evaluate(async (length) => {
            const [, sheets] = window.player.getImageTracks();
            const each = []; // one after the other: docs/players.md
            for (let i = 0; i < length; i++) {
              const { uris, positionX, positionY, width, height } = await window.player.getThumbnails(sheets.id, 2 * i + 1);
              each.push([Number(/-(\d)\.jpg$/.exec(uris[0])[1]), positionX, positionY, width, height]);
            }
            return each;
          }, kSeconds / 2);
          assert.deepEqual(tiles, kTiles, manifest);
        }
        if (library === 'dash') {
          const tiles = await page.evaluate(async (length) => {
            const ask = (time) => new Promise((resolve) => window.player.provideThumbnail(time, resolve));
            const first = await ask(1);
            window.player.setRepresentationForTypeById('image', 'sheets');
            const each = [];
            for (let i = 0; i < length; i++) {
              const { url, x, y, width, height } = await ask(2 * i + 1);
              each.push([Number(/-(\d)\.jpg$/.exec(url)[1]), x, y, width, height]);
            }
            return { first: new URL(first.url).pathname, each };
          }, kSeconds / 2);
          assert.match(tiles.first, /^\/vod\/film\/thumbnails\/\d+-1\.jpg$/, 'by itself it takes the single ones');
          assert.deepEqual(tiles.each, kTiles);
        }
        for (const to of [40, 5]) {
          await page.evaluate(`document.querySelector('video').currentTime = ${to}`);
          const seen = await until(`${library} at ${to} s`, async () => {
            const now = await page.evaluate('window.observe()');
            if (now.problems.length > 0) throw new Error(now.problems.join('; '));
            return now.time > to + 0.2 && now.number !== null && Math.abs(now.number - now.time * 25) < 10 && now;
          }, { timeout_ms: 20_000, every_ms: 100 });
          t.diagnostic(`${library} ${manifest}: frame ${seen.number} at ${seen.time.toFixed(2)} s, ${seen.height} lines`);
        }
        await page.close();
      }
    } finally {
      await browser.close();
      await pages.stop();
    }
  });

  onOurPage(() => server);

  test('that is none is said to be none, and what is asked twice is refused', async () => {
    assert.equal((await ask('POST', '', { id: 'film', file: 'text.mp4', ladder: 'small' })).status, 409);
    assert.equal((await ask('POST', '', { id: 'other', file: '../kapok.toml', ladder: 'small' })).status, 400);
    assert.equal((await ask('POST', '', { id: 'other', file: 'none.mp4', ladder: 'small' })).status, 404);
    assert.equal((await ask('POST', '', { id: 'other', file: 'text.mp4', ladder: 'none' })).status, 404);
    assert.equal((await ask('POST', '', { id: 'text', file: 'text.mp4', ladder: 'small' })).status, 201);
    const failed = await until('it to fail', async () => {
      const now = await job('text');
      return now.state === 'failed' && now;
    }, { timeout_ms: 30_000 });
    assert.match(failed.error, /no MP4, MOV, MXF/);
    assert.equal((await ask('DELETE', '/text')).status, 204);
    const { items } = await server.json('/api/v1/vod');
    assert.deepEqual(items.map(({ id }) => id), ['film']);
  });

  test('that is removed is gone', async () => {
    assert.equal((await ask('DELETE', '/film')).status, 204);
    assert.equal((await fetch(`${server.url}/vod/film/master.m3u8`)).status, 404);
    assert.ok(!existsSync(join(server.data, 'vod', 'film')));
  });
});
