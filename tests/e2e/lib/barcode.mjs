// The frame counter burnt into the test clips: 24 blocks in the top twelfth of the picture, block k is
// white when bit k of the frame's number is set. It survives scaling and low bit rates, and is read
// by a browser's canvas, from a decoded picture, or by eye. It makes latency and completeness
// measurable without trusting any player or server.

export const kBits = 24;

/** ffmpeg filters that burn it in. */
export function barcodeFilter() {
  const strip = ['drawbox=x=0:y=0:w=iw:h=ih/12:color=black:t=fill'];
  for (let k = 0; k < kBits; k++) {
    const enable = `gte(mod(floor(n/${2 ** k})\\,2)\\,1)`;
    strip.push(`drawbox=x=iw*${k}/${kBits}:y=0:w=iw/${kBits}:h=ih/12:color=white:t=fill:enable='${enable}'`);
  }
  return strip.join(',');
}

/** The number in a grey picture of `width` samples a row, cut to the barcode's strip. */
export function readBarcode(luma, width, height) {
  const row = Math.floor(height / 2) * width;
  let number = 0;
  for (let k = 0; k < kBits; k++) {
    const x = Math.floor(((k + 0.5) * width) / kBits);
    if (luma[row + x] > 127) number += 2 ** k;
  }
  return number;
}

/** For the page: defines window.readBarcode(video) -> number, or null before the first picture. */
export const kPageReader = `
window.readBarcode = (() => {
  const canvas = document.createElement('canvas');
  canvas.width = 480;
  canvas.height = 12;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  return (video) => {
    if (!video.videoWidth || video.readyState < 2) return null;
    context.drawImage(video, 0, 0, video.videoWidth, video.videoHeight / 12, 0, 0, 480, 12);
    const { data } = context.getImageData(0, 6, 480, 1);
    let number = 0;
    for (let k = 0; k < ${kBits}; k++) {
      if (data[4 * Math.floor((k + 0.5) * 480 / ${kBits})] > 127) number += 2 ** k;
    }
    return number;
  };
})();
`;
