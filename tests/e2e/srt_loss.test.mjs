// SRT through a bad network: whatever the link loses, the picture is complete.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { smallClip } from './lib/clips.mjs';
import { decodedNumbers } from './lib/decoded.mjs';
import { freePort, noServer, sleep, temporaryFolder } from './lib/environment.mjs';
import { frozen, parseMediaPlaylist } from './lib/playlist.mjs';
import { Server } from './lib/server.mjs';
import { ffmpegUrl, Relay, SrtPush, streamId } from './lib/srt.mjs';

const kNetworks = {
  '5 % loss, 20 +- 10 ms': { loss: '5%', delay: '20ms', jitter: '10ms' },
  'bursts, reordering, duplicates': { loss: '3%', burst: '5', delay: '15ms', jitter: '10ms', reorder: '2%', duplicate: '2%' },
};

// At the same time, each with a server of its own: they only wait.
describe('SRT through a bad network', { skip: noServer(), concurrency: 4 }, () => {
  const folder = temporaryFolder('srt-loss');
  after(() => folder.remove());

  for (const [what, network] of Object.entries(kNetworks)) {
    for (const passphrase of [undefined, 'a-long-enough-secret']) {
      test(`${what}${passphrase ? ', encrypted' : ''}: every frame once`, async (t) => {
        const clip = await smallClip();
        const own = passphrase === undefined ? undefined : `key = "e2e-publish-key-0001"\nsrt_passphrase = "${passphrase}"`;
        const server = await Server.start({ channels: { demo: own } });
        let relay, push;
        try {
          relay = await Relay.start(await freePort(), server.ports.srt, network);
          const secret = passphrase === undefined ? {} : { passphrase, pbkeylen: 32 };
          push = await new SrtPush(clip, ffmpegUrl(relay.port, { id: streamId(), latency_ms: 500, ...secret })).running();
          await server.playable();
          await sleep(9_000);
          const playlist = parseMediaPlaylist(await server.text('/live/demo/source/media.m3u8'));
          const path = join(folder.path, `${server.ports.http}.m3u8`);
          writeFileSync(path, frozen(playlist, `${server.url}/live/demo/source/media.m3u8`));
          const numbers = await decodedNumbers(path);
          assert.ok(numbers.length >= 6 * clip.fps, `${numbers.length} frames`);
          assert.equal(playlist.segments.filter((segment) => segment.discontinuity).length, 0);
          assert.deepEqual(numbers, numbers.map((_, i) => (numbers[0] + i) % clip.frames));
          const feed = (await server.adminJson('/api/v1/channels/demo/feeds')).feeds[0];
          const counts = await relay.counts();
          const lost = counts.up.lost;
          assert.ok(lost > 0, 'the relay lost something');
          t.diagnostic(`${numbers.length} frames, each once; relay lost ${lost} of ${counts.up.received}; feed: ${JSON.stringify(feed.srt)}`);
        } finally {
          await push?.stop();
          await relay?.program.stop();
          await server.stop();
        }
      });
    }
  }
});
