import { DomainError } from "@parfocal/errors";
import { midRanks } from "@parfocal/metrics";
import { PNG } from "pngjs";
import { drawTextInto, fillInto, GLYPH_HEIGHT, type Picture, textWidth } from "./bitmap-font.ts";
import { type ColormapName, colourOf, type Rgb } from "./colormap.ts";
import { assertTileValues, extentOf, inferStridePx, type TileValues } from "./tile-grid.ts";

const BACKGROUND: Rgb = [250, 250, 248];
const INK: Rgb = [70, 78, 92];
/** Longest side of the map unless told otherwise: a bound on memory (10 MB of pixels), whatever the slide's extent. */
const DEFAULT_MAX_SIDE_PX = 1600;
/** Largest tile in the picture, so that a slide of few tiles stays small. */
const MAX_TILE_SIDE_PX = 24;
const MARGIN = 12;
/** Maps at least this wide get larger letters: they are looked at smaller than they are. */
const WIDE_MAP_PX = 900;

/** What {@link renderHeatmap} draws. */
export interface HeatmapInput extends TileValues {
  /** Default "viridis". */
  readonly colormap?: ColormapName;
  /** Pixels of the longest side of the map, 64 to 8192, margins and legend not counted. Default 1600. */
  readonly maxSidePx?: number;
  /** Whether the legend gives the lowest and highest raw value too. Default true. */
  readonly hasRawRange?: boolean;
}

/** Percentile of each value within the slide, in (0, 1): `(mid-rank - 0.5) / N`. Equal values share one; N = 1 gives 0.5. */
export function percentilesOf(values: Float32Array): Float64Array {
  return midRanks(values).map((rank) => (rank - 0.5) / values.length);
}

/**
 * PNG of tiles at their places, coloured by the percentile of their value, with a legend. Needs no slide image. Where tiles
 * overlap or repeat, the higher value is on top. Tiles below one pixel are drawn as one. Deterministic; memory is bounded by
 * `maxSidePx`, not by the extent.
 *
 * @throws {DomainError} `EMPTY_BAG` for 0 tiles; `SHAPE_MISMATCH` unless `coords` is `[N, 2]`; `NON_FINITE` for a value that is
 * NaN or infinite; `INVALID_ARGUMENT` for a size out of range.
 */
export function renderHeatmap(input: HeatmapInput): Uint8Array {
  assertTileValues(input);
  const maxSidePx = input.maxSidePx ?? DEFAULT_MAX_SIDE_PX;
  if (!(maxSidePx >= 64 && maxSidePx <= 8192)) {
    throw new DomainError("INVALID_ARGUMENT", `the longest side is ${maxSidePx} px; it must lie in [64, 8192]`);
  }
  const layout = layoutOf(input, maxSidePx);
  const legend = legendOf(layout, input.hasRawRange ?? true);
  const width = Math.max(layout.width, legend.width) + 2 * MARGIN;
  const picture = createPicture(width, layout.height + legend.height + 3 * MARGIN);
  drawTilesInto(picture, input, layout);
  drawLegendInto(picture, input, legend);
  return encodePng(picture);
}

/** How level-0 coordinates map to the picture. */
interface Layout {
  readonly scale: number;
  readonly tilePx: number;
  readonly minX: number;
  readonly minY: number;
  /** Of the map alone, pixels. */
  readonly width: number;
  readonly height: number;
}

function layoutOf({ coords, tilePx: givenTilePx }: TileValues, maxSidePx: number): Layout {
  const tilePx = givenTilePx ?? inferStridePx(coords);
  const { minX, minY, width, height } = extentOf(coords);
  const fitting = Math.min(MAX_TILE_SIDE_PX, (maxSidePx * tilePx) / (Math.max(width, height) + tilePx));
  // Whole pixels per tile give even squares; below 2 they would waste up to half of the room.
  const tileSide = fitting >= 2 ? Math.floor(fitting) : fitting;
  const scale = tileSide / tilePx;
  const pixels = (extent: number): number => Math.max(1, Math.ceil((extent + tilePx) * scale - 1e-9));
  return { scale, tilePx, minX, minY, width: pixels(width), height: pixels(height) };
}

function drawTilesInto(picture: Picture, input: HeatmapInput, layout: Layout): void {
  const percentiles = percentilesOf(input.values);
  const order = Uint32Array.from(percentiles, (_, i) => i).sort(
    (a, b) => (percentiles[a] ?? 0) - (percentiles[b] ?? 0) || a - b,
  );
  const place = (value: number, min: number): number => MARGIN + Math.round((value - min) * layout.scale);
  for (const i of order) {
    const [x, y] = [input.coords[2 * i] ?? 0, input.coords[2 * i + 1] ?? 0];
    const [left, top] = [place(x, layout.minX), place(y, layout.minY)];
    const width = Math.max(1, place(x + layout.tilePx, layout.minX) - left);
    const height = Math.max(1, place(y + layout.tilePx, layout.minY) - top);
    fillInto(picture, { left, top, width, height }, colourOf(percentiles[i] ?? 0, input.colormap ?? "viridis"));
  }
}

/** Where the legend lies, below the map at its left. */
interface Legend {
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly textScale: number;
  readonly barHeight: number;
  readonly lineHeight: number;
  readonly hasRawRange: boolean;
}

function legendOf(layout: Layout, hasRawRange: boolean): Legend {
  const textScale = layout.width >= WIDE_MAP_PX ? 3 : 2;
  const barHeight = 6 * textScale;
  const lineHeight = (GLYPH_HEIGHT + 3) * textScale;
  const height = barHeight + (hasRawRange ? 2 : 1) * lineHeight;
  return {
    top: layout.height + 2 * MARGIN,
    width: 150 * textScale,
    height,
    textScale,
    barHeight,
    lineHeight,
    hasRawRange,
  };
}

function drawLegendInto(picture: Picture, input: HeatmapInput, legend: Legend): void {
  for (let x = 0; x < legend.width; x += 1) {
    const colour = colourOf(x / (legend.width - 1), input.colormap ?? "viridis");
    fillInto(picture, { left: MARGIN + x, top: legend.top, width: 1, height: legend.barHeight }, colour);
  }
  drawRowInto(picture, ["0%", "percentile", "100%"], legend, 0);
  if (!legend.hasRawRange) return;
  const low = input.values.reduce((least, value) => Math.min(least, value), Infinity);
  const high = input.values.reduce((most, value) => Math.max(most, value), -Infinity);
  drawRowInto(picture, [compact(low), "raw", compact(high)], legend, 1);
}

/** Three texts under the legend bar: at its left end, middle and right end. */
function drawRowInto(picture: Picture, texts: readonly [string, string, string], legend: Legend, row: number): void {
  const top = legend.top + legend.barHeight + 3 * legend.textScale + row * legend.lineHeight;
  texts.forEach((text, i) => {
    const room = legend.width - textWidth(text, legend.textScale);
    drawTextInto(picture, text, {
      left: MARGIN + Math.round((room * i) / 2),
      top,
      scale: legend.textScale,
      colour: INK,
    });
  });
}

/** At most 8 characters, in the letters the bitmap font has. */
function compact(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e4 ? String(Number(value.toPrecision(3))) : value.toExponential(1);
}

function createPicture(width: number, height: number): Picture {
  const picture = { width, height, data: new Uint8Array(4 * width * height) };
  fillInto(picture, { left: 0, top: 0, width, height }, BACKGROUND);
  return picture;
}

function encodePng({ width, height, data }: Picture): Uint8Array {
  const png = new PNG({ width, height });
  png.data.set(data);
  return new Uint8Array(PNG.sync.write(png, { colorType: 2 }));
}
