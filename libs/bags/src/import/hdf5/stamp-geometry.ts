import { DomainError } from "@parfocal/errors";
import type { SafetensorsTensor } from "../../safetensors/parse-safetensors.ts";
import type { SourceBag } from "../source-bag.ts";
import { float64FromTensor } from "../tensor-values.ts";

/** Tiles of STAMP before it wrote units: 224 px that show 256 um, with coordinates in those pixels. */
const HISTORIC_TILE_PX = 224;
const HISTORIC_TILE_UM = 256;

/** Attributes of a STAMP file, as far as it has them. */
export interface StampAttributes {
  readonly unit: string | undefined;
  readonly tileUm: number | undefined;
  readonly tilePx: number | undefined;
}

/**
 * Unit and geometry of a STAMP file. Three generations: both tile sizes and unit; one tile size (um) and unit; neither,
 * when a distance of 224 between tiles tells pixels at 256/224 um.
 *
 * @throws {DomainError} GEOMETRY_MISMATCH when the unit is unknown or cannot be told from the distance between tiles.
 */
export function stampGeometry(
  { unit, tileUm, tilePx }: StampAttributes,
  coords: SafetensorsTensor | undefined,
): Pick<SourceBag, "coordUnit" | "claims" | "notes"> {
  const sizes = {
    ...(tilePx !== undefined && { tilePx }),
    ...(tileUm !== undefined && tilePx !== undefined && { mpp: tileUm / tilePx }),
  };
  if (coords === undefined) return { coordUnit: "none", claims: sizes, notes: [] };
  if (unit === "um") return { coordUnit: "um", claims: { ...sizes, ...(tileUm && { stride: tileUm }) }, notes: [] };
  if (unit !== undefined)
    throw new DomainError("GEOMETRY_MISMATCH", `coordinates have the unit ${JSON.stringify(unit)}, um was expected`);
  const stride = smallestDistance(float64FromTensor(coords));
  if (Math.round(stride) !== HISTORIC_TILE_PX) {
    const found = `the file names no unit and its tiles lie ${stride} apart`;
    throw new DomainError(
      "GEOMETRY_MISMATCH",
      `${found}; ${HISTORIC_TILE_PX} would mean pixels of ${HISTORIC_TILE_UM} um tiles`,
    );
  }
  const claims = { tilePx: HISTORIC_TILE_PX, mpp: HISTORIC_TILE_UM / HISTORIC_TILE_PX, stride: HISTORIC_TILE_PX };
  const note = `no unit in the file: a distance of ${HISTORIC_TILE_PX} between tiles is read as pixels of tiles of ${HISTORIC_TILE_UM} um`;
  return { coordUnit: "encoded_px", claims, notes: [note] };
}

/** Smallest distance above zero between the values of one axis; Infinity when there is none. */
function smallestDistance(coords: Float64Array): number {
  const gaps = [0, 1].map((axis) => {
    const sorted = coords.filter((_, index) => index % 2 === axis).sort();
    return sorted.reduce((least, value, index) => {
      const gap = value - (sorted[index - 1] ?? value);
      return gap > 0 ? Math.min(least, gap) : least;
    }, Number.POSITIVE_INFINITY);
  });
  return Math.min(...gaps);
}
