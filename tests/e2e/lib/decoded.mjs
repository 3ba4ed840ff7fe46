// The burnt-in frame numbers of what was delivered, read from decoded pictures.
import { readBarcode } from './barcode.mjs';
import { run } from './environment.mjs';

const kWidth = 480;
const kHeight = 12;

/** The samples of a part of a picture, as a decoder has them. */
export async function samples(path, [x, y, width, height]) {
  const { stdout } = await run('ffmpeg', ['-v', 'error', '-i', path, '-vf', `crop=${width}:${height}:${x}:${y}`, '-f', 'rawvideo', '-pix_fmt', 'yuvj420p', 'pipe:1']);
  return stdout;
}

/** The cues of WebVTT, { start, end, text }, in s. */
export const cuesOf = (vtt) =>
  [...vtt.matchAll(/(\d+):(\d\d):(\d\d\.\d{3}) --> (\d+):(\d\d):(\d\d\.\d{3})\n(\S+)/g)].map(([, h, m, s, eh, em, es, text]) => ({
    start: h * 3600 + m * 60 + Number(s), end: eh * 3600 + em * 60 + Number(es), text,
  }));

/** Of a cue of sheets: { file, place }. */
export const tileOf = (text) => {
  const [, file, place] = /^(.*)#xywh=([\d,]+)$/.exec(text);
  return { file, place: place.split(',').map(Number) };
};

/** `path`: a playlist or a file that ffmpeg reads; `place`: of each picture only [x, y, width, height]. */
export async function decodedNumbers(path, place) {
  const part = place === undefined ? '' : `crop=${[...place.slice(2), ...place.slice(0, 2)].join(':')},`;
  const { stdout } = await run('ffmpeg', [
    '-hide_banner', '-loglevel', 'error', '-protocol_whitelist', 'file,http,tcp', '-i', path, '-map', '0:v:0',
    '-vf', `${part}crop=iw:ih/12:0:0,scale=${kWidth}:${kHeight},format=gray`, '-fps_mode', 'passthrough', '-f', 'rawvideo', 'pipe:1',
  ]);
  const numbers = [];
  for (let at = 0; at + kWidth * kHeight <= stdout.length; at += kWidth * kHeight) {
    numbers.push(readBarcode(stdout.subarray(at, at + kWidth * kHeight), kWidth, kHeight));
  }
  return numbers;
}
