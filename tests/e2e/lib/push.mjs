// Encoders. Debian's ffmpeg pushes a clip in a loop, in real time, as an OBS at a venue would.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Program, until } from './environment.mjs';

const legacyEncoder = (clip, url) =>
  new Program('ffmpeg', [
    '-hide_banner', '-loglevel', 'warning', '-nostdin', '-stats_period', '0.1', '-progress', 'pipe:1',
    '-re', '-stream_loop', '-1', '-i', clip.path, '-map', '0:v:0', '-map', '0:a:0', '-c', 'copy',
    '-f', 'flv', '-flvflags', 'no_duration_filesize', url,
  ]);

export class Push {
  /** clip: of clips.mjs; url: rtmp://127.0.0.1:1935/live/demo?key=... */
  constructor(clip, url, program = legacyEncoder(clip, url)) {
    this.clip = clip;
    this.startedAt = Infinity; // when frame 0 left the encoder, as near as its progress tells
    this.pushed_us = 0;
    this.program = program;
    let text = '';
    this.program.child.stdout.on('data', (chunk) => {
      text += chunk;
      for (;;) {
        const end = text.indexOf('\n');
        if (end < 0) break;
        const [name, value] = text.slice(0, end).split('=');
        text = text.slice(end + 1);
        if (name === 'out_time_us' && Number(value) > 0) {
          this.pushed_us = Number(value);
          this.startedAt = Math.min(this.startedAt, Date.now() - this.pushed_us / 1000);
        }
      }
    });
  }

  get alive() {
    return this.program.alive;
  }

  async running(timeout_ms = 10_000) {
    await until(
      'the encoder to push',
      () => {
        if (!this.program.alive) throw new Error(`ffmpeg ended: ${this.program.output}`);
        return this.pushed_us > 500_000;
      },
      { timeout_ms },
    );
    return this;
  }

  /** Seconds from the encoder's output to a screen that shows frame `number` at `seen_ms`. */
  latency(number, seen_ms) {
    const loop_ms = (this.clip.frames / this.clip.fps) * 1000;
    const age = (seen_ms - this.startedAt - (number / this.clip.fps) * 1000) % loop_ms;
    return (age < 0 ? age + loop_ms : age) / 1000;
  }

  stop() {
    return this.program.stop('SIGINT', 3_000);
  }
}

const kEnhanced = join(dirname(fileURLToPath(import.meta.url)), 'push_enhanced.mjs');

/** The same by FFmpeg 8.1 over Enhanced RTMP, for codecs that legacy RTMP does not have. */
export class EnhancedPush extends Push {
  constructor(clip, url) {
    super(clip, url, new Program(process.execPath, [kEnhanced, clip.path, url]));
    this.program.child.stdout.on('data', (chunk) => {
      const start = /^start (\d+)/m.exec(String(chunk));
      if (start !== null) this.startedAt = Number(start[1]);
    });
  }

  async running(timeout_ms = 15_000) {
    await until(
      'the enhanced encoder to push',
      () => {
        if (!this.program.alive) throw new Error(`node-av ended: ${this.program.output}`);
        return Date.now() - this.startedAt > 500;
      },
      { timeout_ms },
    );
    return this;
  }

  stop() {
    return this.program.stop('SIGKILL');
  }
}
