import { DomainError } from "@parfocal/errors";
import { decode as decodeJpeg } from "jpeg-js";
import { PNG } from "pngjs";
import type { Rgb } from "./colormap.ts";

/** An RGBA picture, row-major, 4 bytes a pixel. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** A rectangle of a picture, pixels. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Most pixels of a thumbnail: 160 MB in memory, far more than anybody looks at. */
const MAX_MEGAPIXELS = 40;

/** A picture of one opaque colour. */
export function createPicture(width: number, height: number, colour: Rgb): Picture {
  const picture = { width, height, data: new Uint8Array(4 * width * height) };
  fillInto(picture, { left: 0, top: 0, width, height }, colour);
  return picture;
}

/** Fills a rectangle of `picture`, cut to its bounds, with an opaque colour. */
export function fillInto(picture: Picture, { left, top, width, height }: Box, [red, green, blue]: Rgb): void {
  const right = Math.min(picture.width, left + width);
  const bottom = Math.min(picture.height, top + height);
  for (let y = Math.max(0, top); y < bottom; y += 1) {
    for (let x = Math.max(0, left); x < right; x += 1) {
      const at = 4 * (y * picture.width + x);
      picture.data[at] = red;
      picture.data[at + 1] = green;
      picture.data[at + 2] = blue;
      picture.data[at + 3] = 255;
    }
  }
}

/** Lays what `layer` covers over `picture` with its top left at (left, top), by `alpha` in [0, 1], within the picture's bounds. */
export function blendInto(
  picture: Picture,
  layer: Picture,
  { left, top, alpha }: { readonly left: number; readonly top: number; readonly alpha: number },
): void {
  for (let y = 0; y < layer.height; y += 1) {
    for (let x = 0; x < layer.width; x += 1) {
      const from = 4 * (y * layer.width + x);
      if (layer.data[from + 3] === 0) continue;
      const to = 4 * ((top + y) * picture.width + left + x);
      for (let channel = 0; channel < 3; channel += 1) {
        const before = picture.data[to + channel] ?? 0;
        picture.data[to + channel] = Math.round(before + alpha * ((layer.data[from + channel] ?? 0) - before));
      }
    }
  }
}

/** Copies `source` into `picture` with its top left at (left, top), cut to its bounds; what is transparent there is white. */
export function copyInto(picture: Picture, source: Picture, left: number, top: number): void {
  const width = Math.min(source.width, picture.width - left);
  const height = Math.min(source.height, picture.height - top);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const from = 4 * (y * source.width + x);
      const to = 4 * ((top + y) * picture.width + left + x);
      const opacity = (source.data[from + 3] ?? 255) / 255;
      for (let channel = 0; channel < 3; channel += 1) {
        picture.data[to + channel] = Math.round(255 + opacity * ((source.data[from + channel] ?? 0) - 255));
      }
      picture.data[to + 3] = 255;
    }
  }
}

/** PNG of an opaque picture, without its alpha. Deterministic. */
export function encodePng({ width, height, data }: Picture): Uint8Array {
  const png = new PNG({ width, height });
  png.data.set(data);
  return new Uint8Array(PNG.sync.write(png, { colorType: 2 }));
}

/**
 * A PNG or a JPEG, told apart by their first bytes.
 *
 * @throws {DomainError} `UNSUPPORTED_FORMAT` for other bytes, `CORRUPT` for what cannot be decoded, `RESOURCE_EXHAUSTED` beyond 40 megapixels.
 */
export function decodePicture(bytes: Uint8Array): Picture {
  const isPng = bytes[0] === 0x89 && bytes[1] === 0x50 && bytes[2] === 0x4e && bytes[3] === 0x47;
  const isJpeg = bytes[0] === 0xff && bytes[1] === 0xd8;
  if (!isPng && !isJpeg) throw new DomainError("UNSUPPORTED_FORMAT", "the thumbnail is neither a PNG nor a JPEG");
  if (isPng) assertSize(pngSize(bytes));
  try {
    const { width, height, data } = isPng ? PNG.sync.read(Buffer.from(bytes)) : readJpeg(bytes);
    return { width, height, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    if (/maxResolutionInMP|maxMemoryUsageInMB/.test(message)) throw tooLarge(message);
    throw new DomainError("CORRUPT", `the thumbnail cannot be decoded: ${message}`, { cause });
  }
}

function readJpeg(bytes: Uint8Array): Picture {
  return decodeJpeg(bytes, { useTArray: true, maxResolutionInMP: MAX_MEGAPIXELS, maxMemoryUsageInMB: 1024 });
}

/** Width times height of the header, which stands before everything else. */
function pngSize(bytes: Uint8Array): number {
  if (bytes.length < 24) throw new DomainError("CORRUPT", `the thumbnail has ${bytes.length} bytes; a PNG has more`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(16) * view.getUint32(20);
}

function assertSize(nPixels: number): void {
  if (nPixels <= MAX_MEGAPIXELS * 1e6) return;
  throw tooLarge(`${(nPixels / 1e6).toFixed(1)} megapixels`);
}

function tooLarge(what: string): DomainError {
  return new DomainError(
    "RESOURCE_EXHAUSTED",
    `the thumbnail is too large (${what}); it may have ${MAX_MEGAPIXELS} megapixels`,
  );
}
