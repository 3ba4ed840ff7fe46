// The burnt-in frame numbers of what was delivered, read from decoded pictures.
import { readBarcode } from './barcode.mjs';
import { run } from './environment.mjs';

const kWidth = 480;
const kHeight = 12;

/** `path`: a playlist or a file that ffmpeg reads. */
export async function decodedNumbers(path) {
  const { stdout } = await run('ffmpeg', [
    '-hide_banner', '-loglevel', 'error', '-protocol_whitelist', 'file,http,tcp', '-i', path, '-map', '0:v:0',
    '-vf', `crop=iw:ih/12:0:0,scale=${kWidth}:${kHeight},format=gray`, '-fps_mode', 'passthrough', '-f', 'rawvideo', 'pipe:1',
  ]);
  const numbers = [];
  for (let at = 0; at + kWidth * kHeight <= stdout.length; at += kWidth * kHeight) {
    numbers.push(readBarcode(stdout.subarray(at, at + kWidth * kHeight), kWidth, kHeight));
  }
  return numbers;
}
