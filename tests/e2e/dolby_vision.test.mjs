// Feeds with Dolby Vision: over HDR10 (8.1) it is told of the source and plays everywhere without; profile 5 is offered to its decoders alone.
// Runs busy: HEVC is encoded, and decoded by a browser.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launchFirefox, noFirefox } from './lib/browsers.mjs';
import { dolbyVision5Clip, dolbyVisionClip } from './lib/clips.mjs';
import { noServer, noTranscoder, run, temporaryFolder, until } from './lib/environment.mjs';
import { startPageServer } from './lib/page_server.mjs';
import { frozen, parseMediaPlaylist } from './lib/playlist.mjs';
import { kKey, Server } from './lib/server.mjs';
import { ffmpegUrl, SrtPush, streamId } from './lib/srt.mjs';
import { untilMoving } from './lib/watching.mjs';

// How players say that they decode none of the pictures; dash.js plays the sound.
const kUnsupported = { shaka: /Error: 4032$/, hls: /manifestIncompatibleCodecsError/, dash: /"number":null.*"frames":0,.*"width":0/ };

const kLadder = `
[[video]]
name = "180p"
codec = "hevc"
height = 180
bit_depth = 10
range = "keep"
bit_rate = 300_000
preset = "ultrafast"
`;

describe('Dolby Vision', { skip: noServer() || noTranscoder() }, () => {
  let server, pushes, folder, films, master;
  before(async () => {
    folder = temporaryFolder('dolby-vision');
    const ladder = join(folder.path, 'hdr.toml');
    writeFileSync(ladder, kLadder);
    films = join(folder.path, 'films');
    mkdirSync(films);
    const channel = `key = "${kKey}"\nladder = "${ladder}"`;
    server = await Server.start({ channels: { demo: channel, five: channel }, set: { 'vod.import': films, 'transcoder.ladders': folder.path } });
    pushes = [];
    for (const [id, clip] of [['demo', dolbyVisionClip], ['five', dolbyVision5Clip]])
      pushes.push(await new SrtPush(await clip(), ffmpegUrl(server.ports.srt, { id: streamId({ channel: id }) })).running());
    for (const id of ['demo', 'five']) await server.playable(id);
    master = await until('the rung', async () => {
      const text = await server.text('/live/demo/master.m3u8');
      return text.includes('180p/media.m3u8') ? text : false;
    }, { timeout_ms: 30_000, every_ms: 500 });
  });
  after(async () => {
    for (const push of pushes ?? []) await push.stop();
    await server?.stop();
    folder?.remove();
  });

  const variant = (text, uri) => text.split('\n').find((line, i, lines) => lines[i + 1] === `${uri}/media.m3u8`);
  const videoOf = async (channel) => {
    const { feeds: [{ tracks }] } = await server.json(`/api/v1/channels/${channel}`);
    return tracks.find(({ kind }) => kind === 'video');
  };
  const initOf = async (channel, rendition) => {
    const [, name] = /#EXT-X-MAP:URI="([^"]+)"/.exec(await server.text(`/live/${channel}/${rendition}/media.m3u8`));
    return server.bytes(`/live/${channel}/${rendition}/${name}`);
  };
  const brands = (init) => init.subarray(8, init.readUInt32BE(0)).toString('latin1');
  const probe = async (channel, rendition) => {
    const playlist = await until('two segments', async () => {
      const found = parseMediaPlaylist(await server.text(`/live/${channel}/${rendition}/media.m3u8`));
      return found.segments.filter(({ gap }) => !gap).length >= 3 ? found : false;
    }, { timeout_ms: 30_000, every_ms: 500 });
    const path = join(folder.path, `${channel}-${rendition}.m3u8`);
    const whole = playlist.segments.filter(({ gap }) => !gap).slice(-2, -1);
    writeFileSync(path, frozen(playlist, `${server.url}/live/${channel}/${rendition}/media.m3u8`, whole));
    const { stdout } = await run('ffprobe', ['-v', 'error', '-protocol_whitelist', 'file,http,tcp', '-select_streams', 'v',
      '-show_streams', '-show_frames', '-of', 'json', path]);
    const { streams: [stream], frames } = JSON.parse(stdout);
    const ofFrame = ({ side_data_list = [] }) => side_data_list.map(({ side_data_type }) => side_data_type);
    return { stream, record: stream.side_data_list?.find(({ side_data_type }) => side_data_type === 'DOVI configuration record'), frames: frames.map(ofFrame) };
  };
  const hasRpu = (types) => types.some((type) => type.startsWith('Dolby Vision'));

  test('the API and the playlists tell it of the source alone', async () => {
    const { video, codec_string } = await videoOf('demo');
    assert.deepEqual([video.range, video.dolby_vision, video.dolby_vision_level, video.hdr10_plus], ['PQ', '8.1', 1, true]);
    const source = variant(master, 'source');
    assert.match(source, new RegExp(`CODECS="${codec_string.replaceAll('.', '\\.')}[^"]*",SUPPLEMENTAL-CODECS="dvh1\\.08\\.01/db1p,${codec_string}/cdm4",`));
    assert.match(source, /VIDEO-RANGE=PQ/);
    assert.doesNotMatch(variant(master, '180p'), /SUPPLEMENTAL-CODECS/);
    const mpd = await server.text('/live/demo/manifest.mpd');
    assert.match(mpd, /<MPD [^>]*xmlns:scte214="urn:scte:dash:scte214-extensions"/);
    const representation = (id) => new RegExp(`<Representation id="${id}".*?</Representation>`, 's').exec(mpd)[0];
    assert.match(representation('source'), /scte214:supplementalCodecs="dvh1\.08\.01" scte214:supplementalProfiles="db1p"/);
    assert.doesNotMatch(representation('180p'), /supplemental/);
    assert.match(brands(await initOf('demo', 'source')), /chd1db1pcdm4$/);
    const rung = await initOf('demo', '180p');
    assert.doesNotMatch(brands(rung), /db1p|cdm4/);
    assert.equal(rung.indexOf('dvvC'), -1);
  });

  test('FFmpeg reads the record, and an RPU with every frame of the source, and none of the rung', async () => {
    const source = await probe('demo', 'source');
    const { dv_version_major, dv_profile, dv_level, rpu_present_flag, el_present_flag, bl_present_flag, dv_bl_signal_compatibility_id } = source.record;
    assert.deepEqual([dv_version_major, dv_profile, dv_level, rpu_present_flag, el_present_flag, bl_present_flag, dv_bl_signal_compatibility_id], [1, 8, 1, 1, 0, 1, 1]);
    assert.equal(source.stream.codec_tag_string, 'hvc1');
    assert.ok(source.frames.length >= 40 && source.frames.every(hasRpu), JSON.stringify(source.frames[0]));
    const rung = await probe('demo', '180p');
    assert.equal(rung.record, undefined);
    assert.ok(rung.frames.length >= 40 && !rung.frames.some(hasRpu), JSON.stringify(rung.frames[0]));
  });

  test('profile 5 is named as what it is, and no rung is made of its colours', async () => {
    const { video, codec_string } = await videoOf('five');
    assert.deepEqual([video.range, video.dolby_vision, codec_string], ['PQ', '5', 'dvh1.05.01']);
    const text = await server.text('/live/five/master.m3u8');
    assert.match(variant(text, 'source'), /CODECS="dvh1\.05\.01,mp4a\.40\.2",RESOLUTION=640x360,.*VIDEO-RANGE=PQ/);
    assert.doesNotMatch(text, /180p|SUPPLEMENTAL/);
    assert.match(await server.text('/live/five/manifest.mpd'), /<Representation id="source" [^>]*codecs="dvh1\.05\.01"/);
    const { stream, record, frames } = await probe('five', 'source');
    assert.equal(stream.codec_tag_string, 'dvh1');
    assert.deepEqual([record.dv_profile, record.dv_level, record.dv_bl_signal_compatibility_id], [5, 1, 0]);
    assert.ok(frames.length >= 40 && frames.every(hasRpu), JSON.stringify(frames[0]));
    assert.match(server.log, /event=feed\.needs_dolby_vision\b.* profile=5\b/);
    assert.match(server.log, /event=ladder\.rung_left_out\b.* rung=180p why="the colours of Dolby Vision profile 5/);
  });

  test('players take 8.1 for HDR10, and profile 5 for nothing', { skip: noFirefox() }, async () => {
    const pages = await startPageServer();
    const browser = await launchFirefox();
    try {
      for (const [library, manifest] of [['shaka', 'manifest.mpd'], ['shaka', 'master.m3u8'], ['hls', 'master.m3u8'], ['dash', 'manifest.mpd']]) {
        const page = await browser.newPage();
        await page.goto(pages.playUrl(library, `${server.url}/live/demo/${manifest}`));
        await untilMoving(page, 30_000).catch((error) => { throw new Error(`${library} ${manifest}: ${error.message}`); });
        await page.goto(pages.playUrl(library, `${server.url}/live/five/${manifest}`));
        await assert.rejects(untilMoving(page, 6_000), kUnsupported[library], `${library} ${manifest}`);
        await page.close();
      }
    } finally {
      await browser.close();
      await pages.stop();
    }
  });

  test('a film is told of likewise, and both after a restart', async () => {
    copyFileSync((await dolbyVisionClip()).path, join(films, 'film.mp4'));
    const admin = { authorization: `Bearer ${readFileSync(join(server.data, 'secrets', 'admin-token'), 'utf8').trim()}` };
    const added = await fetch(`${server.url}/api/v1/vod`, {
      method: 'POST', headers: admin, body: JSON.stringify({ id: 'film', title: 'A film', file: 'film.mp4', ladder: 'hdr' }),
    });
    assert.equal(added.status, 201, await added.clone().text());
    await until('the film to be done', async () => {
      const { state, error } = await (await fetch(`${server.url}/api/v1/vod/film`, { headers: admin })).json();
      if (state === 'failed') throw new Error(error);
      return state === 'done';
    }, { timeout_ms: 60_000, every_ms: 500 });
    const told = async () => {
      const text = await server.text('/vod/film/master.m3u8');
      assert.match(variant(text, 'source'), /SUPPLEMENTAL-CODECS="dvh1\.08\.01\/db1p,hvc1[^"]*\/cdm4"/);
      assert.doesNotMatch(variant(text, '180p'), /SUPPLEMENTAL/);
      assert.match(await server.text('/vod/film/manifest.mpd'), /scte214:supplementalCodecs="dvh1\.08\.01"/);
    };
    await told();
    await server.kill();
    await server.launch();
    await told();
    // So is the window of the channel, whose encoder has not come back.
    const live = await until('the window', () => server.text('/live/demo/master.m3u8'));
    assert.match(variant(live, 'source'), /SUPPLEMENTAL-CODECS="dvh1\.08\.01\/db1p,/);
    assert.match(variant(await server.text('/live/five/master.m3u8'), 'source'), /CODECS="dvh1\.05\.01,.*VIDEO-RANGE=PQ/);
  });
});
