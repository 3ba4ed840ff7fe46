// Test clips, made once by Debian's ffmpeg into the cache: moving picture, burnt-in frame counter, a
// tone. The length is a whole number of GOPs and of AAC frames.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { barcodeFilter } from './barcode.mjs';
import { withDolbyVision } from './dolby_vision.mjs';
import { kCache, run } from './environment.mjs';
import { withHdr10Plus } from './hdr10_plus.mjs';

// Raise it when what is made changes: old files stay unused.
const kEdition = 2;

const pathOf = (name) => join(kCache, `${name}-v${kEdition}.mp4`);

async function make(name, args) {
  mkdirSync(kCache, { recursive: true });
  const path = pathOf(name);
  if (existsSync(path)) return path;
  const partial = `${path}.${process.pid}.mp4`;
  await run('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-y', ...args, '-movflags', '+faststart', partial]);
  renameSync(partial, path);
  return path;
}

const kSmall = { name: 'small-h264', size: '640x360', fps: 25, seconds: 96, bitrate: '700k', tone: 440, rate: 48000 };
export const kChineseHz = kSmall.tone;
export const kEnglishHz = 1320;

function source({ size, fps, seconds, tone, rate }) {
  return [
    '-f', 'lavfi', '-i', `testsrc2=s=${size}:r=${fps}:d=${seconds}`,
    '-f', 'lavfi', '-i', `sine=frequency=${tone}:sample_rate=${rate}:d=${seconds},volume=0.2`,
    '-vf', `${barcodeFilter()},format=yuv420p`,
  ];
}

const x264 = ({ fps, bitrate, preset = 'veryfast' }) => [
  '-c:v', 'libx264', '-preset', preset, '-profile:v', 'high', '-b:v', bitrate, '-maxrate', bitrate,
  '-bufsize', bitrate, '-g', `${fps * 2}`, '-keyint_min', `${fps * 2}`, '-sc_threshold', '0', '-bf', '2',
];
const aac = ['-c:a', 'aac', '-b:a', '96k', '-ac', '2'];

async function h264(spec) {
  return {
    path: await make(spec.name, [...source(spec), ...x264(spec), ...aac]),
    fps: spec.fps,
    frames: spec.fps * spec.seconds,
  };
}

/** 640x360 at 25 frames/s, H.264 High with B-frames, AAC, GOP 2 s. */
export const smallClip = () => h264(kSmall);

/** The same picture with two sounds: Chinese at 440 Hz, which is the main one, English at 1320 Hz. */
export async function bilingualClip() {
  const { fps, seconds, rate } = kSmall;
  const small = await smallClip();
  const path = await make('small-bilingual', [
    '-i', small.path, '-f', 'lavfi', '-i', `sine=frequency=${kEnglishHz}:sample_rate=${rate}:d=${seconds},volume=0.2`,
    '-map', '0:v', '-map', '0:a', '-map', '1:a', '-c:v', 'copy', ...aac,
    '-metadata:s:a:0', 'language=zho', '-metadata:s:a:1', 'language=eng',
  ]);
  return { path, fps, frames: fps * seconds };
}

/** Other parameters, as after an encoder's restart with another preset: 480x270 at 30 frames/s. */
export const otherClip = () =>
  h264({ ...kSmall, name: 'other-h264', size: '480x270', fps: 30, seconds: 48, bitrate: '500k', tone: 660 });

/** 3840x2160 at 25 frames/s and 25 Mb/s. */
export const uhdClip = () =>
  h264({ ...kSmall, name: 'uhd-h264', size: '3840x2160', seconds: 16, bitrate: '25M', preset: 'superfast' });

/** A picture that becomes black, bars, a frozen picture, and itself again, with silence over the first two. */
export async function eventsClip() {
  const { size } = kSmall;
  const drawn = (source, seconds) => ({ input: `${source}s=${size}:r=25:d=${seconds}`, filter: 'null' });
  const still = { input: `mandelbrot=s=${size}:r=25`, filter: 'trim=end_frame=1,loop=-1:1:0,trim=end_frame=150,setpts=N/25/TB' };
  const pieces = [drawn('testsrc2=', 4), drawn('color=black:', 3), drawn('smptehdbars=', 4), still, drawn('testsrc2=', 13)];
  const graph = pieces.map(({ filter }, i) => `[${i}:v]${filter},format=yuv420p,setsar=1[v${i}]`);
  const path = await make('events-h264', [
    ...pieces.flatMap(({ input }) => ['-f', 'lavfi', '-i', input]),
    '-f', 'lavfi', '-i', "aevalsrc='0.1*sin(2*PI*440*t)*(lt(t,5)+gte(t,10))':s=48000:d=30",
    '-filter_complex', `${graph.join(';')};${pieces.map((_, i) => `[v${i}]`).join('')}concat=n=${pieces.length}[v]`,
    '-map', '[v]', '-map', `${pieces.length}:a`, ...x264({ fps: 25, bitrate: '1500k', preset: 'ultrafast' }), ...aac,
  ]);
  return {
    path,
    fps: 25,
    frames: 750,
    events: [
      { kind: 'black', from_s: 4, to_s: 7 },
      { kind: 'silence', from_s: 5, to_s: 10 },
      { kind: 'bars', from_s: 7, to_s: 11 },
      { kind: 'frozen', from_s: 11, to_s: 17 },
    ],
  };
}

/** HEVC Main 10, for Enhanced RTMP and Firefox. */
export async function hevcClip() {
  const spec = { ...kSmall, name: 'small-hevc', seconds: 48, bitrate: '600k' };
  const path = await make(spec.name, [
    ...source(spec), '-pix_fmt', 'yuv420p10le', '-c:v', 'libx265', '-preset', 'ultrafast', '-tag:v', 'hvc1',
    '-b:v', spec.bitrate, '-x265-params', 'keyint=50:min-keyint=50:scenecut=0:open-gop=0:log-level=error', ...aac,
  ]);
  return { path, fps: spec.fps, frames: spec.fps * spec.seconds };
}

/** HDR10 with what `add` puts into its byte stream, in MPEG-TS's terms; no B-frames, for raw HEVC has no timestamps. */
async function hdr10Clip(name, add) {
  const spec = { ...kSmall, name, seconds: 16, bitrate: '600k' };
  const clip = { path: pathOf(spec.name), fps: spec.fps, frames: spec.fps * spec.seconds };
  if (existsSync(clip.path)) return clip;
  mkdirSync(kCache, { recursive: true });
  const raw = join(kCache, `${spec.name}.${process.pid}.hevc`);
  const x265 = 'keyint=50:min-keyint=50:scenecut=0:open-gop=0:bframes=0:log-level=error:hdr10=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:'
    + 'master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400';
  await run('ffmpeg', ['-v', 'error', '-y', ...source(spec).slice(0, 4), ...source(spec).slice(-2), '-pix_fmt', 'yuv420p10le', '-c:v', 'libx265',
    '-preset', 'ultrafast', '-b:v', spec.bitrate, '-x265-params', x265, '-f', 'hevc', raw]);
  writeFileSync(raw, add(readFileSync(raw)));
  await make(spec.name, ['-framerate', `${spec.fps}`, '-i', raw, ...source(spec).slice(4, 8), '-map', '0:v', '-map', '1:a', '-c:v', 'copy', '-tag:v', 'hvc1', ...aac]);
  rmSync(raw);
  return clip;
}

/** With dynamic metadata of HDR10+. */
export const hdr10PlusClip = () => hdr10Clip('small-hdr10-plus', withHdr10Plus);

/** With those and RPUs of Dolby Vision profile 8 (8.1, for the base layer is HDR10), or with RPUs of profile 5. */
export const dolbyVisionClip = () => hdr10Clip('small-dolby-vision-8', (stream) => withDolbyVision(withHdr10Plus(stream), 8));
export const dolbyVision5Clip = () => hdr10Clip('small-dolby-vision-5', (stream) => withDolbyVision(stream, 5));

/** AV1 and Opus, which legacy RTMP does not have. */
export async function av1Clip() {
  const spec = { ...kSmall, name: 'small-av1', seconds: 32, bitrate: '500k' };
  const path = await make(spec.name, [
    ...source(spec), '-c:v', 'libsvtav1', '-preset', '12', '-b:v', spec.bitrate, '-g', '50', '-svtav1-params', 'rc=1:pred-struct=1',
    '-c:a', 'libopus', '-b:a', '96k', '-ac', '2',
  ]);
  return { path, fps: spec.fps, frames: spec.fps * spec.seconds };
}

/** Two pictures of one counter, H.264 and HEVC, and two sounds, AAC and AC-3. */
export async function multitrackClip() {
  const spec = { ...kSmall, name: 'small-multitrack', seconds: 32, bitrate: '500k' };
  const x265 = 'keyint=50:min-keyint=50:scenecut=0:open-gop=0:bframes=0:log-level=error';
  const path = await make(spec.name, [
    ...source(spec).slice(0, -2), '-f', 'lavfi', '-i', `sine=frequency=660:sample_rate=${spec.rate}:d=${spec.seconds},volume=0.2`,
    '-filter_complex', `[0:v]${barcodeFilter()},format=yuv420p,split[large][b];[b]scale=320:180[small]`,
    '-map', '[large]', '-map', '[small]', '-map', '1:a', '-map', '2:a', ...x264(spec), '-c:v:1', 'libx265', '-preset:v:1', 'ultrafast',
    '-profile:v:1', 'main', '-x265-params:v:1', x265, '-tag:v:1', 'hvc1', '-c:a:0', 'aac', '-c:a:1', 'ac3', '-b:a', '96k', '-ac', '2',
  ]);
  return { path, fps: spec.fps, frames: spec.fps * spec.seconds };
}
