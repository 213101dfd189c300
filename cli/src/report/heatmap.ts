import { DomainError } from "@parfocal/errors";
import type { ColormapName, Rgb } from "./colormap.ts";
import { drawLegendInto, legendFor } from "./heatmap-legend.ts";
import { createPicture, encodePng } from "./picture.ts";
import { assertTileValues, type TileValues } from "./tile-grid.ts";
import { drawTilesInto, fitTiles } from "./tile-layout.ts";

const BACKGROUND: Rgb = [250, 250, 248];
/** Longest side of the map unless told otherwise: a bound on memory (10 MB of pixels), whatever the slide's extent. */
const DEFAULT_MAX_SIDE_PX = 1600;
const MARGIN = 12;

/** What {@link renderHeatmap} draws. */
export interface HeatmapInput extends TileValues {
  /** Default "viridis". */
  readonly colormap?: ColormapName;
  /** Pixels of the longest side of the map, 64 to 8192, margins and legend not counted. Default 1600. */
  readonly maxSidePx?: number;
  /** Whether the legend gives the lowest and highest raw value too. Default true. */
  readonly hasRawRange?: boolean;
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
  const { values, colormap = "viridis", maxSidePx = DEFAULT_MAX_SIDE_PX, hasRawRange = true } = input;
  if (!(maxSidePx >= 64 && maxSidePx <= 8192)) {
    throw new DomainError("INVALID_ARGUMENT", `the longest side is ${maxSidePx} px; it must lie in [64, 8192]`);
  }
  const layout = fitTiles(input, maxSidePx);
  const legend = legendFor(layout.width, hasRawRange);
  const width = Math.max(layout.width, legend.width) + 2 * MARGIN;
  const picture = createPicture(width, layout.height + legend.height + 3 * MARGIN, BACKGROUND);
  drawTilesInto(picture, input, layout, { margin: MARGIN, colormap });
  drawLegendInto(picture, legend, { left: MARGIN, top: layout.height + 2 * MARGIN, values, colormap });
  return encodePng(picture);
}
