import { type ColormapName, colourOf } from "./colormap.ts";
import { percentilesIn } from "./percentiles.ts";
import { fillInto, type Picture } from "./picture.ts";
import { extentOf, inferStridePx, type TileValues } from "./tile-grid.ts";

/** How level-0 coordinates map to a picture: the pixel of `x` is `round((x - originX) * scaleX)`, of `y` likewise. */
export interface TileLayout {
  readonly scaleX: number;
  readonly scaleY: number;
  readonly originX: number;
  readonly originY: number;
  /** Level-0 pixels of a tile's side. */
  readonly tilePx: number;
  /** Of the map alone, pixels. */
  readonly width: number;
  readonly height: number;
}

/** Largest tile in the picture, so that a slide of few tiles stays small. */
const MAX_TILE_SIDE_PX = 24;

/** The tiles by themselves, within `maxSidePx`. */
export function fitTiles({ coords, tilePx: givenTilePx }: TileValues, maxSidePx: number): TileLayout {
  const tilePx = givenTilePx ?? inferStridePx(coords);
  const { minX, minY, width, height } = extentOf(coords);
  const fitting = Math.min(MAX_TILE_SIDE_PX, (maxSidePx * tilePx) / (Math.max(width, height) + tilePx));
  // Whole pixels per tile give even squares; below 2 they would waste up to half of the room.
  const tileSide = fitting >= 2 ? Math.floor(fitting) : fitting;
  const scale = tileSide / tilePx;
  const pixels = (extent: number): number => Math.max(1, Math.ceil((extent + tilePx) * scale - 1e-9));
  return {
    ...{ scaleX: scale, scaleY: scale, originX: minX, originY: minY, tilePx },
    ...{ width: pixels(width), height: pixels(height) },
  };
}

/**
 * Draws tiles in the colours of their percentiles, with the layout's own place (0, 0) at (margin, margin) of `picture`. Where tiles
 * overlap or repeat, the higher value is on top; one below a pixel is drawn as one.
 */
export function drawTilesInto(
  picture: Picture,
  tiles: TileValues,
  layout: TileLayout,
  { margin, colormap }: { readonly margin: number; readonly colormap: ColormapName },
): void {
  const { coords } = tiles;
  const percentiles = percentilesIn(tiles);
  const order = Uint32Array.from(percentiles, (_, i) => i).sort(
    (a, b) => (percentiles[a] ?? 0) - (percentiles[b] ?? 0) || a - b,
  );
  const columnOf = (x: number): number => margin + Math.round((x - layout.originX) * layout.scaleX);
  const rowOf = (y: number): number => margin + Math.round((y - layout.originY) * layout.scaleY);
  for (const i of order) {
    const [x, y] = [coords[2 * i] ?? 0, coords[2 * i + 1] ?? 0];
    const [left, top] = [columnOf(x), rowOf(y)];
    const width = Math.max(1, columnOf(x + layout.tilePx) - left);
    const height = Math.max(1, rowOf(y + layout.tilePx) - top);
    fillInto(picture, { left, top, width, height }, colourOf(percentiles[i] ?? 0, colormap));
  }
}
