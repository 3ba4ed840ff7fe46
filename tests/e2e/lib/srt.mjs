// SRT peers: Debian's ffmpeg, srt-live-transmit and GStreamer, FFmpeg 8.1 (node-av), and the relay that plays a
// bad network between them and the server.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Program, run, serverBinary, until } from './environment.mjs';
import { Push } from './push.mjs';
import { kKey } from './server.mjs';

/** The access-control syntax of libsrt's docs/features/access-control.md. */
export const streamId = ({ channel = 'demo', key = kKey, mode = 'publish' } = {}) =>
  `#!::r=${channel},m=${mode}${key === '' ? '' : `,u=${key}`}`;

/** An ffmpeg URL; its latency is in microseconds. */
export function ffmpegUrl(port, { id, latency_ms = 300, ...options } = {}) {
  const query = new URLSearchParams({ latency: latency_ms * 1000, pkt_size: 1316, ...options });
  // As it stands: Debian's ffmpeg does not undo %XX in a stream id.
  return `srt://127.0.0.1:${port}?${query}${id === undefined ? '' : `&streamid=${id}`}`;
}

const progress = ['-hide_banner', '-loglevel', 'warning', '-nostdin', '-stats_period', '0.1', '-progress', 'pipe:1'];

/** Debian's ffmpeg pushes a clip in a loop, in real time, as MPEG-TS. */
export class SrtPush extends Push {
  constructor(clip, url, { extra = [] } = {}) {
    super(clip, url, new Program('ffmpeg', [
      ...progress, '-re', '-stream_loop', '-1', '-i', clip.path, '-map', '0:v:0', '-map', '0:a?', '-c', 'copy', ...extra,
      '-f', 'mpegts', '-muxdelay', '0', '-muxpreload', '0', url,
    ]));
  }
}

/** Runs until it ends by itself or `seconds` are over; returns what it said. */
export async function attempt(command, args, seconds = 8) {
  const program = new Program(command, args);
  const timer = setTimeout(() => program.stop('SIGKILL'), seconds * 1000);
  const { code } = await program.exited;
  clearTimeout(timer);
  return { code, output: program.output };
}

export const relayBinary = () => join(dirname(serverBinary() ?? ''), 'kapok-relay');
export const sendBinary = () => join(dirname(serverBinary() ?? ''), 'kapok-send');
export const receiveBinary = () => join(dirname(serverBinary() ?? ''), 'kapok-srt-receive');
export const has = (path) => existsSync(path);

/** kapok-relay between a client and `to`; counts() ends it. */
export class Relay {
  static async start(port, to, options = {}) {
    const relay = new Relay();
    const named = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    relay.port = port;
    relay.program = new Program(relayBinary(), ['--listen', `127.0.0.1:${port}`, '--to', `127.0.0.1:${to}`, ...named]);
    await until('the relay', () => {
      if (!relay.program.alive) throw new Error(relay.program.output);
      return relay.program.output.includes('relaying');
    });
    return relay;
  }

  dark() {
    this.program.child.kill('SIGUSR1');
  }

  light() {
    this.program.child.kill('SIGUSR2');
  }

  async counts() {
    await this.program.stop('SIGTERM');
    const line = this.program.output.trim().split('\n').at(-1);
    return JSON.parse(line);
  }
}

/** Receives for `seconds` with Debian's ffmpeg into a file, as it comes. */
export async function receiveWithFfmpeg(url, path, seconds) {
  const { code, output } = await attempt('ffmpeg', [
    '-hide_banner', '-loglevel', 'warning', '-nostdin', '-y', '-i', url, '-t', String(seconds), '-map', '0', '-c', 'copy', path,
  ], seconds + 15);
  return { code, output };
}

/** What ffprobe sees in a file: codec names and whether decoding it says anything. */
export async function streamsOf(path) {
  const { stdout } = await run('ffprobe', ['-v', 'error', '-show_streams', '-of', 'json', path]);
  return JSON.parse(stdout).streams;
}

export const here = dirname(fileURLToPath(import.meta.url));
