import { type ColormapName, colourOf } from "./colormap.ts";
import { assertLevel0Pixels } from "./coord-unit.ts";
import { percentilesIn } from "./percentiles.ts";
import { assertTileValues, inferStridePx, type TileValues } from "./tile-grid.ts";

/** What {@link attentionGeoJson} writes. */
export interface AttentionGeoJsonInput extends TileValues {
  /** Name of the measurement. Default "attention". */
  readonly measurement?: string;
  /** Default "viridis". */
  readonly colormap?: ColormapName;
}

/**
 * Tiles as a GeoJSON FeatureCollection that QuPath imports (File > Import objects): squares in level-0 pixels, object type
 * "tile", with the raw value and its percentile (0 to 100) as measurements and the heatmap's colour. One feature per line.
 * About 350 bytes a tile.
 *
 * @throws {DomainError} `EMPTY_BAG`, `SHAPE_MISMATCH`, `NON_FINITE` or `INVALID_ARGUMENT` for bad input; `GEOMETRY_MISMATCH` for coordinates of
 * another unit.
 * Source: QuPath 0.4 and later, GeoJSON of path objects (`objectType`, `measurements` as an object, `color` as RGB).
 */
export function attentionGeoJson(input: AttentionGeoJsonInput): string {
  assertTileValues(input);
  assertLevel0Pixels(input.coordUnit, "GeoJSON");
  const tilePx = input.tilePx ?? inferStridePx(input.coords);
  const percentiles = percentilesIn(input);
  const name = input.measurement ?? "attention";
  const features = Array.from(input.values, (value, i) => {
    const [x, y] = [input.coords[2 * i] ?? 0, input.coords[2 * i + 1] ?? 0];
    const [right, bottom] = [x + tilePx, y + tilePx];
    const percentile = percentiles[i] ?? 0;
    return JSON.stringify({
      type: "Feature",
      geometry: {
        type: "Polygon",
        coordinates: [
          [
            [x, y],
            [right, y],
            [right, bottom],
            [x, bottom],
            [x, y],
          ],
        ],
      },
      properties: {
        objectType: "tile",
        color: colourOf(percentile, input.colormap ?? "viridis"),
        measurements: { [name]: value, [`${name} percentile`]: Number((100 * percentile).toFixed(3)) },
      },
    });
  });
  return `{"type":"FeatureCollection","features":[\n${features.join(",\n")}\n]}\n`;
}
