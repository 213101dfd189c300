import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type commonV1, gatewayV1 } from "@parfocal/protocol";
import { encodeCsv, encodeParquet } from "@parfocal/tables";
import { isRegionBag } from "../cohort/region-bags.ts";
import { writeFiles } from "../output/write-files.ts";
import {
  assertLevel0Pixels,
  attentionGeoJson,
  extremeTilesTable,
  isPlaced,
  largestByCell,
  type PlacedMap,
  renderHeatmap,
  renderOverlay,
  type ScoreMap,
  sumByCell,
  tileScoresTable,
} from "../report/index.ts";
import { type ArrayValues, arrayValuesOf } from "./array-values.ts";
import { areClassScores, attentionMeaning } from "./attention-meaning.ts";
import { coordUnitOf } from "./coord-unit.ts";
import { slideFileName } from "./slide-file-name.ts";
import type { Thumbnail } from "./thumbnails.ts";

/**
 * The attention maps of a slide, without places when the bag has no coordinates; none where tiles are not weighed. Where tiles of several magnifications are weighed, which lie
 * over each other, a map has a value for each coarse tile: the sum of the weights of all tiles within it, or the largest of their scores.
 */
export async function attentionMapsOf(
  bag: gatewayV1.Bag,
  attention: gatewayV1.TileAttention | undefined,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<readonly ScoreMap[]> {
  if (attention?.weights === undefined) return [];
  const [weights, coordinates, percentiles] = await Promise.all([
    arrayValuesOf(attention.weights, env, signal),
    attention.coordinates && arrayValuesOf(attention.coordinates, env, signal),
    attention.percentiles && arrayValuesOf(attention.percentiles, env, signal),
  ]);
  const [, nMaps = 1] = weights.shape;
  const coords = coordinates && Int32Array.from(coordinates.values);
  const side = coords && tileSideOf(bag, coords);
  const coarsePx =
    isRegionBag(bag) && coords !== undefined && hasRepeats(coords) ? bag.info?.level0StridePx : undefined;
  const coordUnit = coordUnitOf(bag);
  return Array.from({ length: nMaps }, (_, map) => {
    const values = columnOf(weights, map);
    const isScored = areClassScores(attention.meanings[map]);
    const named = { label: attention.mapLabels[map] ?? "", ...(isScored && { areClassScores: true }) };
    const places = percentiles && { percentiles: columnOf(percentiles, map) };
    if (coords === undefined) return { ...named, values, ...places };
    const facts = { ...named, coordUnit };
    // A coarse tile stands somewhere else among coarse tiles.
    if (coarsePx !== undefined)
      return { ...facts, ...(isScored ? largestByCell : sumByCell)({ coords, values }, coarsePx), areCells: true };
    return { ...facts, coords, values, ...places, ...(side === undefined ? {} : { tilePx: side }) };
  });
}

/**
 * The side that tiles are drawn with, in the pixels of their coordinates: the stride, and where neither the bag nor two tiles tell it, what a
 * tile spans. Of a bag of several magnifications the stride is that of the coarsest tiles; what is weighed may be finer, or regions.
 */
function tileSideOf({ info }: gatewayV1.Bag, coords: Int32Array): number | undefined {
  if (info === undefined || info.levelCount !== undefined) return undefined;
  const { level0StridePx, tilePx, mpp, level0Mpp, coordinateUnit } = info;
  const isOnePlace = coords.every((value, at) => value === coords[at % 2]);
  if (level0StridePx !== undefined || tilePx === undefined || !isOnePlace) return level0StridePx;
  if (coordinateUnit === gatewayV1.BagInfo_CoordinateUnit.COORDINATE_UNIT_ENCODED_PX) return tilePx;
  return mpp === undefined || level0Mpp === undefined ? undefined : (tilePx * mpp) / level0Mpp;
}

function columnOf({ shape, values }: ArrayValues, map: number): Float32Array {
  const [nTiles = 0, nMaps = 1] = shape;
  return Float32Array.from({ length: nTiles }, (_, tile) => values[tile * nMaps + map] ?? 0);
}

/** Whether tiles share a corner: only those of several magnifications do. */
function hasRepeats(coords: Int32Array): boolean {
  const corners = new Set<string>();
  for (let at = 0; at < coords.length; at += 2) corners.add(`${coords[at]} ${coords[at + 1]}`);
  return corners.size < coords.length / 2;
}

/** Where the files of a slide's attention go, and how; absent folders: nowhere. */
export interface AttentionWish {
  readonly heatmaps?: string;
  readonly geojson?: string;
  /** Below the tiles of a second picture. */
  readonly thumbnail?: Thumbnail;
  /** Of the tiles over it, in (0, 1]. */
  readonly alpha?: number;
  /** Tiles listed at each end. */
  readonly topTiles?: number;
}

/** Tiles listed at each end unless told otherwise. */
const DEFAULT_TOP_TILES = 10;

/**
 * Writes the maps of a slide: `<slide>[.<class>].png`, over its thumbnail `.overlay.png`, all scores as `<slide>.tiles.parquet`, those at
 * both ends as `<slide>.top-tiles.csv`; and `<slide>[.<class>].geojson`. Of maps without places the tables alone.
 *
 * @throws {DomainError} `GEOMETRY_MISMATCH` for tiles in another unit than level-0 pixels where GeoJSON or an overlay is wished, before
 * anything is written; for a thumbnail that does not show the tiles, when what can be drawn without it is there.
 */
export async function writeAttention(slide: string, maps: readonly ScoreMap[], wish: AttentionWish): Promise<void> {
  const { heatmaps, geojson, thumbnail, alpha, topTiles = DEFAULT_TOP_TILES } = wish;
  assertPlaceable(maps, wish);
  const placed = maps.filter(isPlaced);
  for (const map of placed) {
    if (geojson !== undefined) await writeInto(geojson, `${stemFor(slide, map.label)}.geojson`, geoJsonOf(map));
    if (heatmaps !== undefined) await writeHeatmap(slide, map.label, renderHeatmap(map), heatmaps);
  }
  if (heatmaps === undefined || maps.length === 0) return;
  const stem = stemFor(slide, "");
  await writeInto(heatmaps, `${stem}.tiles.parquet`, encodeParquet(tileScoresTable(maps)));
  await writeInto(heatmaps, `${stem}.top-tiles.csv`, encodeCsv(extremeTilesTable(maps, topTiles)));
  for (const map of thumbnail === undefined ? [] : placed) {
    const { picture, scale } = thumbnail as Thumbnail;
    const drawn = renderOverlay({ ...map, thumbnail: picture, scale, ...(alpha === undefined ? {} : { alpha }) });
    await writeInto(heatmaps, `${stemFor(slide, map.label)}.overlay.png`, drawn);
  }
}

/** Half a slide's files would look like all of them: what needs level-0 pixels is refused before the first is written. */
function assertPlaceable(maps: readonly ScoreMap[], { heatmaps, geojson, thumbnail }: AttentionWish): void {
  for (const { coordUnit } of maps) {
    if (geojson !== undefined) assertLevel0Pixels(coordUnit, "GeoJSON");
    if (heatmaps !== undefined && thumbnail !== undefined) assertLevel0Pixels(coordUnit, "an overlay");
  }
}

function geoJsonOf(map: PlacedMap): string {
  return attentionGeoJson(map.areClassScores === true ? { ...map, measurement: "class score" } : map);
}

/** Writes what the files of a folder of maps mean, by what came with the maps, as `about.txt`. */
export async function writeMeaning(
  model: gatewayV1.Model,
  meanings: readonly commonV1.MapMeaning[],
  folder: string,
): Promise<void> {
  await writeInto(folder, "about.txt", attentionMeaning(model, meanings));
}

/** Writes a drawn map as `<slide>[.<class>].png`. */
export async function writeHeatmap(slide: string, label: string, png: Uint8Array, folder: string): Promise<void> {
  await writeInto(folder, `${stemFor(slide, label)}.png`, png);
}

async function writeInto(folder: string, name: string, content: string | Uint8Array): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFiles([{ path: join(folder, name), content }]);
}

function stemFor(slide: string, label: string): string {
  return slideFileName(label === "" ? slide : `${slide}.${label}`);
}
