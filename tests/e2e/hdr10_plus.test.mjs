// A feed with HDR10+ metadata: the source has them in every frame and says so everywhere, a rung has not and does not.
// Runs busy: HEVC is encoded, and decoded by a browser.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launchFirefox, noFirefox } from './lib/browsers.mjs';
import { hdr10PlusClip } from './lib/clips.mjs';
import { noServer, noTranscoder, run, temporaryFolder, until } from './lib/environment.mjs';
import { startPageServer } from './lib/page_server.mjs';
import { frozen, parseMediaPlaylist } from './lib/playlist.mjs';
import { kKey, Server } from './lib/server.mjs';
import { ffmpegUrl, SrtPush, streamId } from './lib/srt.mjs';
import { untilMoving } from './lib/watching.mjs';

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

describe('HDR10+', { skip: noServer() || noTranscoder() }, () => {
  let server, push, folder, master;
  before(async () => {
    folder = temporaryFolder('hdr10-plus');
    const ladder = join(folder.path, 'hdr.toml');
    writeFileSync(ladder, kLadder);
    server = await Server.start({ channels: { demo: `key = "${kKey}"\nladder = "${ladder}"` } });
    push = await new SrtPush(await hdr10PlusClip(), ffmpegUrl(server.ports.srt, { id: streamId() })).running();
    await server.playable();
    master = await until('the rung', async () => {
      const text = await server.text('/live/demo/master.m3u8');
      return text.includes('180p/media.m3u8') ? text : false;
    }, { timeout_ms: 30_000, every_ms: 500 });
  });
  after(async () => {
    await push?.stop();
    await server?.stop();
    folder?.remove();
  });

  const variant = (uri) => master.split('\n').find((line, i, lines) => lines[i + 1] === `${uri}/media.m3u8`);
  const initOf = async (rendition) => {
    const [, name] = /#EXT-X-MAP:URI="([^"]+)"/.exec(await server.text(`/live/demo/${rendition}/media.m3u8`));
    return server.bytes(`/live/demo/${rendition}/${name}`);
  };
  const kinds = async (rendition) => {
    const playlist = await until('two segments', async () => {
      const found = parseMediaPlaylist(await server.text(`/live/demo/${rendition}/media.m3u8`));
      return found.segments.filter(({ gap }) => !gap).length >= 3 ? found : false;
    }, { timeout_ms: 30_000, every_ms: 500 });
    const path = join(folder.path, `${rendition}.m3u8`);
    const whole = playlist.segments.filter(({ gap }) => !gap).slice(-2, -1);
    writeFileSync(path, frozen(playlist, `${server.url}/live/demo/${rendition}/media.m3u8`, whole));
    const { stdout } = await run('ffprobe', ['-v', 'error', '-protocol_whitelist', 'file,http,tcp', '-select_streams', 'v',
      '-show_frames', '-of', 'json', path]);
    return JSON.parse(stdout).frames.map(({ side_data_list = [] }) => side_data_list.map(({ side_data_type }) => side_data_type));
  };

  test('the API and the playlists tell it of the source alone', async () => {
    const { feeds: [{ tracks }] } = await server.json('/api/v1/channels/demo');
    const { video } = tracks.find(({ kind }) => kind === 'video');
    assert.deepEqual([video.range, video.hdr10_plus, video.hdr_vivid], ['PQ', true, false]);
    const [, codec, supplemental] = /CODECS="(hvc1[^",]*)[^"]*",SUPPLEMENTAL-CODECS="([^"]*)"/.exec(variant('source'));
    assert.equal(supplemental, `${codec}/cdm4`);
    assert.match(variant('source'), /VIDEO-RANGE=PQ/);
    assert.match(variant('180p'), /VIDEO-RANGE=PQ/);
    assert.doesNotMatch(variant('180p'), /SUPPLEMENTAL-CODECS/);
    const representation = async (id) => new RegExp(`<Representation id="${id}".*?</Representation>`, 's').exec(await server.text('/live/demo/manifest.mpd'))[0];
    assert.match(await representation('source'), /SupplementalProperty schemeIdUri="urn:dvb:dash:hdr-dmi" value="ST2094-40"/);
    assert.doesNotMatch(await representation('180p'), /2094/);
    const brands = (init) => init.subarray(8, init.readUInt32BE(0)).toString('latin1');
    assert.match(brands(await initOf('source')), /chd1cdm4$/);
    assert.doesNotMatch(brands(await initOf('180p')), /cdm4/);
  });

  test('FFmpeg reads it from every frame of the source, and from none of the rung', async () => {
    const dynamic = (types) => types.some((type) => type.includes('2094-40'));
    const source = await kinds('source');
    assert.ok(source.length >= 40 && source.every(dynamic), JSON.stringify(source[0]));
    const rung = await kinds('180p');
    assert.ok(rung.length >= 40 && !rung.some(dynamic), JSON.stringify(rung[0]));
  });

  test('players take it for what it is without them', { skip: noFirefox() }, async () => {
    const pages = await startPageServer();
    const browser = await launchFirefox();
    try {
      for (const [library, manifest] of [['shaka', 'manifest.mpd'], ['shaka', 'master.m3u8'], ['hls', 'master.m3u8'], ['dash', 'manifest.mpd']]) {
        const page = await browser.newPage();
        await page.goto(pages.playUrl(library, `${server.url}/live/demo/${manifest}`));
        await untilMoving(page, 30_000).catch((error) => { throw new Error(`${library} ${manifest}: ${error.message}`); });
        await page.close();
      }
    } finally {
      await browser.close();
      await pages.stop();
    }
  });
});
