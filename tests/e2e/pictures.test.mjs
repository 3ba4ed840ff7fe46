// What the transcoder makes of a real feed beside its rungs' packets: a poster, a thumbnail for each segment, and sheets of
// these, that players and our own page find, a logo and a clock in the rungs; and that all of it survives a kill -9.
// Runs busy: a rung is encoded while players play.
import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { complaints, launchChromium, noChromium } from './lib/browsers.mjs';
import { smallClip } from './lib/clips.mjs';
import { cuesOf, decodedNumbers, samples, tileOf } from './lib/decoded.mjs';
import { noServer, noTranscoder, run, temporaryFolder, until } from './lib/environment.mjs';
import { noPage, previewAt } from './lib/our_page.mjs';
import { startPageServer } from './lib/page_server.mjs';
import { frozen, numberOf, parseMediaPlaylist } from './lib/playlist.mjs';
import { Push } from './lib/push.mjs';
import { kKey, Server } from './lib/server.mjs';
import { untilMoving } from './lib/watching.mjs';

const kLadder = `
clock = true
[poster]
interval = "4s"
side = 640
[thumbnails]
side = 256
[overlay]
image = "logo.png"
corner = "bottom-right"
height_percent = 20
margin_percent = 10
opacity_percent = 100
[[video]]
name = "270p"
codec = "avc"
height = 270
bit_rate = 600_000
preset = "ultrafast"
`;
const kFramesASegment = 50;

describe('still pictures, a logo and a clock', { skip: noServer() || noTranscoder() }, () => {
  let server, push, folder;
  const listed = async () =>
    [...(await server.text('/live/demo/thumbnails/media.m3u8')).matchAll(/(#EXT-X-GAP\n)?#EXTINF:([\d.]+),\n(\d+)\.jpg/g)]
      .map(([, gap, duration, number]) => ({ gap: gap !== undefined, duration_s: Number(duration), number: Number(number) }));
  const media = async (rendition) => parseMediaPlaylist(await server.text(`/live/demo/${rendition}/media.m3u8`));
  let files = 0;
  const save = async (path) => {
    const file = join(folder.path, `picture-${files++}.jpg`);
    writeFileSync(file, await server.bytes(path));
    return file;
  };
  const probe = async (file) => {
    const { stdout } = await run('ffprobe', ['-v', 'error', '-show_streams', '-of', 'json', file]);
    return JSON.parse(stdout).streams[0];
  };
  /** The tiles of the sheets that are listed, { start, end, file, place }, in channel time. */
  const tiles = async () => {
    const response = await fetch(`${server.url}/live/demo/thumbnails/sheets.vtt`);
    return response.status === 404 ? [] : cuesOf(await response.text()).map((cue) => ({ ...cue, ...tileOf(cue.text) }));
  };
  const aSheet = () => until('a sheet', async () => (await tiles()).length >= 10, { timeout_ms: 60_000, every_ms: 500 });
  const frameIn = async (path) => (await decodedNumbers(await save(path)))[0];

  before(async () => {
    folder = temporaryFolder('pictures');
    await run('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'color=white:s=200x100,format=rgba', '-frames:v', '1', join(folder.path, 'logo.png')]);
    const file = join(folder.path, 'pictures.toml');
    writeFileSync(file, kLadder);
    server = await Server.start({ channels: { demo: `key = "${kKey}"\nladder = "${file}"` } });
    assert.equal((await fetch(`${server.url}/live/demo/poster.jpg`)).status, 404);
    push = await new Push(await smallClip(), server.publishUrl()).running();
    await server.playable();
    await until('six thumbnails and a rung', async () => (await listed()).length >= 6 && (await media('270p')).segments.length >= 3, { timeout_ms: 60_000, every_ms: 500 })
      .catch((error) => { throw new Error(`${error.message}\n${server.log}`); });
  });
  after(async () => {
    await push?.stop();
    await server?.stop();
    folder?.remove();
  });

  test('the poster is a JPEG of the feed, and the API names it', async () => {
    const response = await server.get('/live/demo/poster.jpg');
    assert.equal(response.headers.get('content-type'), 'image/jpeg');
    assert.equal(response.headers.get('cache-control'), 'public, max-age=5');
    const again = await fetch(`${server.url}/live/demo/poster.jpg`, { headers: { 'if-none-match': response.headers.get('etag') } });
    assert.ok(again.status === 304 || again.headers.get('etag') !== response.headers.get('etag'), 'it may just have changed');
    const stream = await probe(await save('/live/demo/poster.jpg'));
    assert.deepEqual([stream.codec_name, stream.width, stream.height], ['mjpeg', 640, 360]);
    const { channels: [channel] } = await server.json('/api/v1/channels');
    assert.match(channel.poster, /^\/live\/demo\/poster\.jpg\?t=\d{10}$/);
    assert.equal(await frameIn(channel.poster) % kFramesASegment, 0, 'the first frame of a segment');
    const { token } = await server.openSession();
    const within = await server.get(`/s/${token}/live/demo/poster.jpg`);
    assert.equal(within.headers.get('cache-control'), 'private, max-age=5');
  });

  test('each segment has a thumbnail of its first frame', async () => {
    const source = await media('source');
    const whole = source.segments.filter((segment) => !segment.gap).slice(-4, -1);
    const path = join(folder.path, 'source.m3u8');
    writeFileSync(path, frozen(source, `${server.url}/live/demo/source/media.m3u8`, whole));
    const frames = await decodedNumbers(path);
    for (const [i, segment] of whole.entries()) {
      const file = await save(`/live/demo/thumbnails/${numberOf(segment)}.jpg`);
      const stream = await probe(file);
      assert.deepEqual([stream.codec_name, stream.width, stream.height], ['mjpeg', 256, 144]);
      assert.deepEqual(await decodedNumbers(file), [frames[i * kFramesASegment]]);
    }
    const thumbnails = await listed();
    thumbnails.forEach(({ number, gap }, i) => {
      assert.equal(number, thumbnails[0].number + i);
      assert.equal(gap, false, `${number}`);
    });
    assert.equal(thumbnails[0].number, source.sequence);
    const response = await server.get(`/live/demo/thumbnails/${thumbnails[0].number}.jpg`);
    assert.equal(response.headers.get('cache-control'), 'public, max-age=31536000, immutable');
    const vtt = await server.text('/live/demo/thumbnails/media.vtt');
    assert.match(vtt, new RegExp(`^WEBVTT\\n\\n\\d+:\\d\\d:\\d\\d\\.\\d{3} --> \\d+:\\d\\d:\\d\\d\\.\\d{3}\\n${thumbnails[0].number}\\.jpg\\n`));
  });

  test('ten thumbnails are a sheet, each row as it is alone', async (t) => {
    await aSheet();
    const listed_tiles = await tiles();
    const shown = cuesOf(await server.text('/live/demo/thumbnails/media.vtt'));
    const { file } = listed_tiles[0];
    const path = `/live/demo/thumbnails/${file}`;
    const sheet = await save(path);
    const stream = await probe(sheet);
    assert.deepEqual([stream.codec_name, stream.width, stream.height], ['mjpeg', 256, 1440]);
    const of = listed_tiles.filter((tile) => tile.file === file);
    assert.equal(of.length, 10);
    let bytes = 0;
    for (const [i, { start, end, place }] of of.entries()) {
      assert.deepEqual(place, [0, 144 * i, 256, 144]);
      assert.ok(Math.abs(end - start - 2) < 0.002, `${end - start} s`);
      const middle = (start + end) / 2;
      const alone = await save(`/live/demo/thumbnails/${shown.find((cue) => cue.start <= middle && middle < cue.end).text}`);
      bytes += statSync(alone).size;
      assert.ok((await samples(sheet, place)).equals(await samples(alone, [0, 0, 256, 144])), `row ${i}`);
    }
    t.diagnostic(`a sheet of ${statSync(sheet).size} bytes, its ten thumbnails of ${bytes}`);
    assert.ok(statSync(sheet).size < bytes);
    const response = await server.get(path);
    assert.equal(response.headers.get('cache-control'), 'public, max-age=31536000, immutable');
    const again = await fetch(`${server.url}${path}`, { headers: { 'if-none-match': response.headers.get('etag') } });
    assert.equal(again.status, 304);
    const list = await server.text('/live/demo/thumbnails/sheets.m3u8');
    assert.ok(list.includes(`#EXT-X-TILES:RESOLUTION=256x144,LAYOUT=1x10,DURATION=2.00000\n#EXTINF:20.00000,\n${file}\n`), list);
    const next = file.replace(/\d+\.jpg$/, `${1 + Number(/(\d+)\.jpg$/.exec(listed_tiles.at(-1).file)[1])}.jpg`);
    assert.equal((await fetch(`${server.url}/live/demo/thumbnails/${next}`)).status, 404, 'not complete');
  });

  test('the logo and the clock are in the rung, and not in the source', async () => {
    const luma = async (rendition, filters) => {
      const playlist = await media(rendition);
      const path = join(folder.path, `${rendition}.m3u8`);
      writeFileSync(path, frozen(playlist, `${server.url}/live/demo/${rendition}/media.m3u8`, playlist.segments.filter(({ gap }) => !gap).slice(-2, -1)));
      const { stdout } = await run('ffmpeg', ['-v', 'error', '-protocol_whitelist', 'file,http,tcp', '-i', path, '-map', '0:v:0',
        '-vf', filters, '-frames:v', '2', '-f', 'rawvideo', '-pix_fmt', 'gray', 'pipe:1']);
      return stdout;
    };
    // 54 lines of 270, 27 from the edges, twice as wide as high: well inside of it.
    const inside = 'crop=96:42:480-27-102:270-27-48,format=gray';
    const logo = await luma('270p', inside);
    assert.ok(Math.min(...logo) > 225, `the logo is as dark as ${Math.min(...logo)}`);
    const source = await luma('source', `scale=480:270,${inside}`);
    assert.ok(Math.min(...source) < 200, 'the source is what it was');
    // The milliseconds of two frames: black cells with white dots, and others in each frame.
    const clock = await luma('270p', 'crop=48:16:12*20:270-32,format=gray');
    assert.ok(Math.min(...clock) < 50 && Math.max(...clock) > 200, 'dots');
    const size = clock.length / 2;
    const differ = clock.subarray(0, size).filter((value, i) => Math.abs(value - clock[size + i]) > 80).length;
    assert.ok(differ >= 8, `${differ} samples differ between frames`);
  });

  describe('in browsers', { skip: noChromium() }, () => {
    let pages, browser;
    before(async () => {
      pages = await startPageServer();
      browser = await launchChromium();
    });
    after(async () => {
      await browser?.close();
      await pages?.stop();
    });

    // What the server lists now; players that look later have to find all of it.
    const inChannelTime = async () =>
      [...(await server.text('/live/demo/thumbnails/media.vtt')).matchAll(/(\d+):(\d\d):(\d\d\.\d{3}) --> \S+\n(\d+)\.jpg/g)]
        .map(([, hours, minutes, seconds, number]) => ({ start: hours * 3600 + minutes * 60 + Number(seconds), number: Number(number) }));
    const isThere = async (number) => {
      assert.equal(await frameIn(`/live/demo/thumbnails/${number}.jpg`) % kFramesASegment, 0);
    };

    for (const [protocol, name] of [['DASH', 'manifest.mpd'], ['HLS', 'master.m3u8']]) {
      test(`Shaka finds all of them in ${protocol}`, async () => {
        const page = await browser.newPage();
        await page.goto(pages.playUrl('shaka', `${server.url}/live/demo/${name}`));
        await untilMoving(page);
        const wanted = await inChannelTime();
        // It reads the list again once a segment.
        await until('the newest one', () => page.evaluate(async (count) => {
          const [track] = window.player.getImageTracks();
          return track !== undefined && (await window.player.getAllThumbnails(track.id)).length >= count;
        }, wanted.length), { timeout_ms: 15_000, every_ms: 250 });
        const found = await page.evaluate(async () => {
          const tracks = window.player.getImageTracks();
          const brief = ({ uris, startTime, duration, width, height }) =>
            ({ number: Number(/(\d+)\.jpg$/.exec(uris[0])[1]), start: startTime, duration, size: [width, height] });
          const all = (await window.player.getAllThumbnails(tracks[0].id)).map(brief);
          const each = []; // one after the other: docs/players.md
          for (const { start, duration } of all) {
            const one = await window.player.getThumbnails(tracks[0].id, start + duration / 2);
            each.push(one === null ? null : brief(one));
          }
          return { all, each };
        });
        assert.deepEqual(found.each, found.all);
        for (const [i, { start, number }] of wanted.entries()) {
          assert.equal(found.all[i].number, number);
          assert.deepEqual(found.all[i].size, [256, 144]);
          // A manifest counts from 1970 as the list does; a playlist from its first segment.
          const origin = protocol === 'DASH' ? 0 : wanted[0].start - found.all[0].start;
          assert.ok(Math.abs(found.all[i].start + origin - start) < 0.01, JSON.stringify({ wanted, found }));
        }
        for (const i of [0, wanted.length >> 1, wanted.length - 1]) await isThere(wanted[i].number);
        const wanted_tiles = await tiles();
        const found_sheets = await page.evaluate(async (starts) => {
          const [, { id }] = window.player.getImageTracks();
          await window.player.getThumbnails(id, 0);
          await new Promise((resolve) => setTimeout(resolve, 500));
          const each = [];
          for (const start of starts) {
            const one = await window.player.getThumbnails(id, start);
            each.push(one && { file: /[^/]+$/.exec(one.uris[0])[0], place: [one.positionX, one.positionY, one.width, one.height] });
          }
          // In HLS it has the layout once it has been asked.
          return { tracks: window.player.getImageTracks().map(({ width, height, tilesLayout }) => [width, height, tilesLayout]), each };
        }, wanted_tiles.map(({ start }) => start + 1 - (protocol === 'DASH' ? 0 : wanted[0].start - found.all[0].start)));
        assert.deepEqual(found_sheets.each, wanted_tiles.map(({ file, place }) => ({ file, place })));
        assert.deepEqual(found_sheets.tracks, [[256, 144, '1x1'], [256, 144, '1x10']]);
        await page.close();
      });
    }

    test('dash.js finds all of them', async () => {
      const page = await browser.newPage();
      await page.goto(pages.playUrl('dash', `${server.url}/live/demo/manifest.mpd`));
      await untilMoving(page);
      const wanted = await inChannelTime();
      const found = await page.evaluate(async (starts) => {
        const { start: origin } = window.player.getDvrWindow();
        const ask = (time) => new Promise((resolve) => window.player.provideThumbnail(time - origin, resolve));
        const all = [];
        for (const start of starts) {
          const { url, x, y, width, height } = (await ask(start + 1)) ?? {};
          all.push({ number: Number(/(\d+)\.jpg$/.exec(url)?.[1]), place: [x, y, width, height] });
        }
        return all;
      }, wanted.map(({ start }) => start));
      assert.deepEqual(found, wanted.map(({ number }) => ({ number, place: [0, 0, 256, 144] })), 'by itself it takes the single ones');
      await isThere(wanted.at(-1).number);
      // Of a sheet it has the file, but in live not the row: docs/players.md.
      const wanted_tiles = await tiles();
      const files = await page.evaluate(async (times) => {
        window.player.setRepresentationForTypeById('image', 'sheets');
        const { start: origin } = window.player.getDvrWindow();
        const ask = (time) => new Promise((resolve) => window.player.provideThumbnail(time - origin, resolve));
        const all = [];
        for (const time of times) all.push(/[^/]+$/.exec((await ask(time)).url)[0]);
        return all;
      }, wanted_tiles.map(({ start }) => start + 1));
      assert.deepEqual(files, wanted_tiles.map(({ file }) => file));
      await page.close();
    });

    test('our page shows the poster in the list and thumbnails over the seek bar', { skip: noPage() }, async () => {
      const page = await browser.newPage({ viewport: { width: 1000, height: 800 } });
      const problems = complaints(page);
      await page.goto(`${server.url}/`);
      await page.waitForFunction(() => document.querySelector('.card-poster')?.naturalWidth === 640, null, { timeout: 10_000 });
      await page.click('[data-channel="demo"]');
      await until('a seek bar', async () => (await page.$('.seek')) !== null, { timeout_ms: 30_000 });
      // A sheet where it is complete, and what is newer by itself.
      const old = await previewAt(page, 0.2);
      assert.match(old.src, /^\/s\/[^/]+\/live\/demo\/thumbnails\/sheet-\d+-2000000-\d+\.jpg$/);
      assert.deepEqual(old.place.slice(2), [256, 144]);
      const newest = await previewAt(page, 0.98);
      assert.match(newest.src, /^\/s\/[^/]+\/live\/demo\/thumbnails\/\d+\.jpg$/);
      assert.deepEqual(newest.place, [0, 0, 256, 144]);
      for (const { src, place } of [old, newest]) {
        const [frame] = await decodedNumbers(await save(src), place);
        assert.equal(frame % kFramesASegment, 0);
      }
      await page.mouse.move(500, 100);
      await page.waitForFunction(() => document.querySelector('.seek-preview') === null, null, { timeout: 5_000 });
      assert.deepEqual(problems, []);
      await page.close();
    });
  });

  test('after a kill -9 the poster and the thumbnails are still there', async () => {
    await push.stop();
    const before = await listed();
    const [{ file }] = await tiles();
    const sheet = await server.bytes(`/live/demo/thumbnails/${file}`);
    await server.kill();
    await server.launch();
    const poster = await server.get('/live/demo/poster.jpg');
    assert.equal((await probe(await save('/live/demo/poster.jpg'))).width, 640);
    assert.notEqual(poster.headers.get('etag'), null);
    assert.equal((await server.json('/api/v1/channels')).channels[0].live, false);
    const now = await listed();
    const last = before.at(-2);
    assert.ok(now.some(({ number, gap }) => number === last.number && !gap), JSON.stringify({ before, now }));
    assert.equal(await frameIn(`/live/demo/thumbnails/${last.number}.jpg`) % kFramesASegment, 0);
    assert.ok(sheet.equals(await server.bytes(`/live/demo/thumbnails/${file}`)), 'the same bytes');
  });
});
