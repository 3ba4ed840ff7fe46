// A kapok-server of its own for a test: config in a temporary folder, ports that nobody else has, killed
// and started again with the same data when the test wants that.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, kRoot, Program, serverBinary, temporaryFolder, until } from './environment.mjs';

export const kKey = 'e2e-publish-key-0001';

// `own`: what the channel says instead of `key = ...`, its feeds included.
const tables = (id, own = `key = "${kKey}"`) => `
[[channel]]
id = "${id}"
title = "Channel ${id}"
${own}
[[work]]
id = "work-${id}"
title = "Work ${id}"
[[programme]]
id = "programme-${id}"
work = "work-${id}"
channel = "${id}"
enterprise = "e2e"
start = 2020-01-01T00:00:00+08:00
free = true
new = true
`;
const kEnterprise = `
[[enterprise]]
id = "e2e"
name = "End-to-end enterprise"
kind = "broadcaster"
`;

export class Server {
  /** channels: ids, or an object of id to what its table says (text, or a function of the ports). */
  static async start({ channels = ['demo'], config = '', set = {} } = {}) {
    const server = new Server();
    const described = Array.isArray(channels) ? channels.map((id) => [id]) : Object.entries(channels);
    server.folder = temporaryFolder('server');
    server.ports = {
      http: await freePort(), https: await freePort(), rtmp: await freePort(), rtmps: await freePort(),
      srt: await freePort(),
    };
    server.data = join(server.folder.path, 'data');
    mkdirSync(server.data);
    server.config = join(server.folder.path, 'kapok.toml');
    // Plain keys in the file need a file that only its owner reads.
    writeFileSync(server.config, `${config}\n${described.map(([id, own]) => tables(id, typeof own === 'function' ? own(server.ports) : own)).join('\n')}\n${kEnterprise}`, { mode: 0o600 });
    server.set = {
      'rtmp.port': server.ports.rtmp,
      'rtmps.port': server.ports.rtmps,
      'srt.port': server.ports.srt,
      'http.port': server.ports.http,
      'https.port': server.ports.https,
      'data.dir': server.data,
      'ledger.origin': 'e2e.kapok.local/hours',
      'window.bytes': '1GiB',
      'web.root': join(kRoot, 'player', 'dist'),
      ...set,
    };
    await server.launch();
    return server;
  }

  async launch() {
    const settings = Object.entries(this.set).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
    this.program = new Program(serverBinary(), ['--config', this.config, ...settings]);
    try {
      await until('/readyz', async () => {
        if (!this.program.alive) throw new Error('kapok-server ended');
        return (await fetch(`${this.url}/readyz`)).ok;
      });
    } catch (error) {
      throw new Error(`${error.message}\n--- kapok-server said:\n${this.program.output}`);
    }
  }

  get url() {
    return `http://127.0.0.1:${this.ports.http}`;
  }

  publishUrl(channel = 'demo') {
    return `rtmp://127.0.0.1:${this.ports.rtmp}/live/${channel}?key=${kKey}`;
  }

  get log() {
    return this.program.output;
  }

  async kill() {
    await this.program.stop('SIGKILL');
  }

  async stop() {
    const result = await this.program.stop('SIGTERM', 10_000);
    this.folder.remove();
    return result;
  }

  async get(path, init = {}) {
    const response = await fetch(`${this.url}${path}`, init);
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return response;
  }

  async text(path) {
    return (await this.get(path)).text();
  }

  async json(path) {
    return (await this.get(path)).json();
  }

  /** What only the administrator sees. */
  async adminJson(path) {
    const token = readFileSync(join(this.data, 'secrets', 'admin-token'), 'utf8').trim();
    return (await this.get(path, { headers: { authorization: `Bearer ${token}` } })).json();
  }

  async bytes(path) {
    return Buffer.from(await (await this.get(path)).arrayBuffer());
  }

  /** Waits until the channel can be played. */
  async playable(channel = 'demo', timeout_ms = 15_000) {
    await until(`${channel} to be playable`, async () => {
      const master = await this.text(`/live/${channel}/master.m3u8`);
      await this.text(`/live/${channel}/manifest.mpd`);
      return master.includes('#EXT-X-STREAM-INF');
    }, { timeout_ms });
  }

  async openSession(channel = 'demo') {
    const response = await this.get('/api/v1/sessions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ channel }),
    });
    return response.json();
  }
}
