import { DomainError } from "@parfocal/errors";
import type { ColormapName, Rgb } from "./colormap.ts";
import { assertLevel0Pixels } from "./coord-unit.ts";
import { drawLegendInto, legendFor } from "./heatmap-legend.ts";
import { blendInto, copyInto, createPicture, encodePng, type Picture } from "./picture.ts";
import { assertTileValues, inferStridePx, type TileValues } from "./tile-grid.ts";
import { drawTilesInto, type TileLayout } from "./tile-layout.ts";

const BACKGROUND: Rgb = [255, 255, 255];
const MARGIN = 12;

/** Level-0 pixels per pixel of a thumbnail, along each side. */
export interface ThumbnailScale {
  readonly x: number;
  readonly y: number;
}

/** What {@link renderOverlay} draws. */
export interface OverlayInput extends TileValues {
  readonly thumbnail: Picture;
  readonly scale: ThumbnailScale;
  /** How much of a tile's colour there is over the tissue, in (0, 1]. Default 0.5. */
  readonly alpha?: number;
  /** Default "viridis". */
  readonly colormap?: ColormapName;
}

/**
 * PNG of a slide's thumbnail with its tiles over it in the colours of their percentiles, and a legend below. Tissue without tiles is
 * left as it is. Where tiles overlap, the higher value alone is seen. Deterministic.
 *
 * @throws {DomainError} `EMPTY_BAG`, `SHAPE_MISMATCH` or `NON_FINITE` for bad tiles; `INVALID_ARGUMENT` for a scale or alpha out of
 * range; `GEOMETRY_MISMATCH` for coordinates of another unit, and when tiles lie outside the thumbnail: its scale is another one.
 */
export function renderOverlay(input: OverlayInput): Uint8Array {
  assertTileValues(input);
  assertLevel0Pixels(input.coordUnit, "an overlay");
  const { thumbnail, values, alpha = 0.5, colormap = "viridis" } = input;
  if (!(alpha > 0 && alpha <= 1)) throw new DomainError("INVALID_ARGUMENT", `alpha is ${alpha}; it must lie in (0, 1]`);
  const layout = layoutOn(input);
  assertWithin(input, layout);
  const legend = legendFor(thumbnail.width, true);
  const width = Math.max(thumbnail.width, legend.width) + 2 * MARGIN;
  const picture = createPicture(width, thumbnail.height + legend.height + 3 * MARGIN, BACKGROUND);
  copyInto(picture, thumbnail, MARGIN, MARGIN);
  // Tiles are drawn by themselves first: where they overlap, colours must not add up.
  const tiles = { width: thumbnail.width, height: thumbnail.height, data: new Uint8Array(thumbnail.data.length) };
  drawTilesInto(tiles, input, layout, { margin: 0, colormap });
  blendInto(picture, tiles, { left: MARGIN, top: MARGIN, alpha });
  drawLegendInto(picture, legend, { left: MARGIN, top: thumbnail.height + 2 * MARGIN, values, colormap });
  return encodePng(picture);
}

function layoutOn({ coords, tilePx, thumbnail, scale }: OverlayInput): TileLayout {
  if (!(scale.x > 0 && scale.y > 0 && Number.isFinite(scale.x) && Number.isFinite(scale.y))) {
    throw new DomainError(
      "INVALID_ARGUMENT",
      `the thumbnail's scale is ${scale.x} by ${scale.y}; both must be above 0`,
    );
  }
  return {
    ...{ scaleX: 1 / scale.x, scaleY: 1 / scale.y, originX: 0, originY: 0 },
    tilePx: tilePx ?? inferStridePx(coords),
    ...{ width: thumbnail.width, height: thumbnail.height },
  };
}

/** Slides have a tile or two that reach over the edge; their middles do not. */
function assertWithin({ coords, scale, thumbnail }: OverlayInput, { tilePx }: TileLayout): void {
  const [width, height] = [thumbnail.width * scale.x, thumbnail.height * scale.y];
  let nOutside = 0;
  for (let at = 0; at < coords.length; at += 2) {
    const [x, y] = [(coords[at] ?? 0) + tilePx / 2, (coords[at + 1] ?? 0) + tilePx / 2];
    if (x < 0 || y < 0 || x > width || y > height) nOutside += 1;
  }
  if (nOutside === 0) return;
  throw new DomainError(
    "GEOMETRY_MISMATCH",
    `${nOutside} of ${coords.length / 2} tiles lie outside the thumbnail, which shows ${Math.round(width)} by ${Math.round(height)} level-0 pixels: its size or scale is another one`,
  );
}
