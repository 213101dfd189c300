import { DomainError } from "@parfocal/errors";
import { encode as encodeJpeg } from "jpeg-js";
import { PNG } from "pngjs";
import { describe, expect, it } from "vitest";
import { colourOf } from "./colormap.ts";
import { renderOverlay } from "./overlay.ts";
import { createPicture, decodePicture, encodePng } from "./picture.ts";

const MARGIN = 12;
const TISSUE = [200, 160, 180] as const;

function decode(bytes: Uint8Array): { width: number; height: number; at: (x: number, y: number) => number[] } {
  const { width, height, data } = PNG.sync.read(Buffer.from(bytes));
  return {
    width,
    height,
    at: (x, y) => [
      ...data.subarray(4 * ((y + MARGIN) * width + x + MARGIN), 4 * ((y + MARGIN) * width + x + MARGIN) + 3),
    ],
  };
}

/** Half of a colour of the map over the tissue. */
const over = (percentile: number, alpha = 0.5) =>
  colourOf(percentile, "viridis").map((value, i) => Math.round((TISSUE[i] ?? 0) + alpha * (value - (TISSUE[i] ?? 0))));

// A thumbnail of 400 x 200 pixels of a slide of 12800 x 6400: 32 level-0 pixels each.
const thumbnail = createPicture(400, 200, TISSUE);
const scale = { x: 32, y: 32 };
/** Tiles of 640 level-0 pixels are 20 of the thumbnail. */
const tilePx = 640;

describe("renderOverlay", () => {
  it("lays each tile at its level-0 place, to the pixel, and leaves the tissue around it", () => {
    const coords = Int32Array.of(3200, 1600, 9600, 4800);
    const picture = decode(renderOverlay({ coords, values: Float32Array.of(0.2, 0.8), tilePx, thumbnail, scale }));
    // (3200, 1600) / 32 = (100, 50), 20 pixels wide; inclusive corners, then one pixel beyond each.
    for (const [x, y] of [
      [100, 50],
      [119, 50],
      [100, 69],
      [119, 69],
    ] as const)
      expect(picture.at(x, y)).toEqual(over(0.25));
    for (const [x, y] of [
      [99, 50],
      [120, 50],
      [100, 49],
      [119, 70],
    ] as const)
      expect(picture.at(x, y)).toEqual([...TISSUE]);
    expect(picture.at(310, 160)).toEqual(over(0.75));
    expect([picture.width, picture.at(399, 199)]).toEqual([400 + 2 * MARGIN, [...TISSUE]]);
  });

  it("takes a scale of its own along each side, where a thumbnail was rounded", () => {
    const uneven = { x: 12_800 / 400, y: 6_410 / 200 };
    const coords = Int32Array.of(0, 5769, 640, 5769);
    const picture = decode(renderOverlay({ coords, values: Float32Array.of(1, 0), tilePx, thumbnail, scale: uneven }));
    // 5769 / 32.05 = 180: the last row of tiles ends with the picture.
    expect(picture.at(0, 180)).toEqual(over(0.75));
    expect(picture.at(0, 179)).toEqual([...TISSUE]);
    expect(picture.at(0, 199)).toEqual(over(0.75));
  });

  it("shows the higher of overlapping tiles once, whichever comes first", () => {
    const values = [Float32Array.of(0.9, 0.1), Float32Array.of(0.1, 0.9)];
    for (const each of values) {
      const coords = Int32Array.of(3200, 1600, 3200, 1600);
      const picture = decode(renderOverlay({ coords, values: each, tilePx, thumbnail, scale, alpha: 0.25 }));
      expect(picture.at(110, 60)).toEqual(over(0.75, 0.25));
    }
  });

  it("refuses a scale by which tiles lie beside the picture, with the numbers", () => {
    const coords = Int32Array.of(0, 0, 12_000, 6000);
    const draw = () =>
      renderOverlay({ coords, values: Float32Array.of(0, 1), tilePx, thumbnail, scale: { x: 16, y: 16 } });
    expect(draw).toThrow(
      "1 of 2 tiles lie outside the thumbnail, which shows 6400 by 3200 level-0 pixels: its size or scale is another one",
    );
    // A last tile may reach over the edge as long as most of it is on the slide.
    const edge = { coords: Int32Array.of(12_400, 6000), values: Float32Array.of(1), tilePx, thumbnail, scale };
    expect(() => renderOverlay(edge)).not.toThrow();
  });

  it.each([
    ["a scale of 0", { scale: { x: 0, y: 32 } }],
    ["alpha of 0", { alpha: 0 }],
    ["alpha above 1", { alpha: 1.5 }],
    ["coordinates of the encoded magnification", { coordUnit: "encoded_px" as const }],
  ])("refuses %s", (_, wrong) => {
    const input = { coords: Int32Array.of(0, 0), values: Float32Array.of(1), tilePx, thumbnail, scale };
    expect(() => renderOverlay({ ...input, ...wrong })).toThrow(DomainError);
  });
});

describe("thumbnails", () => {
  it("may be PNG or JPEG", () => {
    expect(decodePicture(encodePng(thumbnail))).toEqual(thumbnail);
    const jpeg = encodeJpeg({ width: 400, height: 200, data: thumbnail.data }, 95).data;
    const { width, height, data } = decodePicture(new Uint8Array(jpeg));
    expect([width, height]).toEqual([400, 200]);
    for (const i of [0, 1, 2]) expect(Math.abs((data[i] ?? 0) - (TISSUE[i] ?? 0))).toBeLessThanOrEqual(3);
  });

  it("that are transparent are white there", () => {
    const clear = { ...thumbnail, data: thumbnail.data.map((value, i) => (i % 4 === 3 ? 0 : value)) };
    const picture = decode(
      renderOverlay({ coords: Int32Array.of(0, 0), values: Float32Array.of(1), tilePx, thumbnail: clear, scale }),
    );
    expect(picture.at(200, 100)).toEqual([255, 255, 255]);
  });

  it("are refused when they are something else, broken or huge", () => {
    expect(() => decodePicture(new TextEncoder().encode("GIF89a"))).toThrow("neither a PNG nor a JPEG");
    expect(() => decodePicture(encodePng(thumbnail).slice(0, 60))).toThrow("cannot be decoded");
    expect(() => decodePicture(encodePng(thumbnail).slice(0, 10))).toThrow("has 10 bytes");
    const huge = encodePng(thumbnail).slice();
    new DataView(huge.buffer).setUint32(16, 60_000);
    new DataView(huge.buffer).setUint32(20, 60_000);
    expect(() => decodePicture(huge)).toThrow("3600.0 megapixels");
    expect(() => decodePicture(Uint8Array.of(0xff, 0xd8, 0xff, 0x00))).toThrow("cannot be decoded");
  });
});
