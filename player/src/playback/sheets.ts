// The sheets of thumbnails that the seek bar has shown: each is asked for once and kept, so that moving along the bar
// costs a request for each ten pictures. One that cannot be had is not asked for again for a while: the single
// thumbnails stand in for it.

/** A still picture of a moment, for the seek bar: all of an image, or one of several that it holds. */
export interface Thumbnail {
  url: string;
  x: number;
  y: number;
  width: number;
  height: number;
  imageWidth: number;
  imageHeight: number;
}

export const isTile = (picture: Thumbnail): boolean =>
  picture.imageWidth !== picture.width || picture.imageHeight !== picture.height;

export interface LoadedImage {
  naturalWidth: number;
  naturalHeight: number;
}

// A sheet is 100 kB, and some 2 MB when it is decoded, which browsers do for what they show alone.
const kKept = 32;
const kRetryAfter_ms = 10_000;

export async function loadImage(url: string): Promise<LoadedImage> {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

export class Sheets {
  private readonly known = new Map<string, { asked_ms: number; image: Promise<LoadedImage | null> }>();

  constructor(
    private readonly load: (url: string) => Promise<LoadedImage>,
    private readonly now_ms: () => number,
  ) {}

  /** Whether its sheet is there, and of the size that was told. */
  async has(picture: Thumbnail): Promise<boolean> {
    const { url, imageWidth, imageHeight } = picture;
    let entry = this.known.get(url);
    const failed = entry !== undefined && (await entry.image) === null;
    if (entry === undefined || (failed && this.now_ms() - entry.asked_ms > kRetryAfter_ms)) {
      entry = { asked_ms: this.now_ms(), image: this.load(url).catch(() => null) };
    }
    // Behind all others: the one that was shown longest ago goes first.
    this.known.delete(url);
    this.known.set(url, entry);
    for (const oldest of this.known.keys()) {
      if (this.known.size <= kKept) break;
      this.known.delete(oldest);
    }
    const image = await entry.image;
    return image !== null && image.naturalWidth === imageWidth && image.naturalHeight === imageHeight;
  }
}
