import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { gatewayV1 } from "@parfocal/protocol";
import { isRegionBag } from "../cohort/region-bags.ts";
import { attentionGeoJson, renderHeatmap, sumByCell } from "../report/index.ts";
import { arrayValuesOf } from "./array-values.ts";

/** One attention map of a slide. */
export interface AttentionMap {
  /** The class it belongs to; empty when the one map is shared. */
  readonly label: string;
  /** `[N, 2]`, level-0 pixels. */
  readonly coords: Int32Array;
  /** `[N]`, sums to 1. */
  readonly values: Float32Array;
  /** Level-0 pixels between neighbouring tiles, when the bag knows. */
  readonly tilePx?: number;
}

/**
 * The attention maps of a slide; none when the bag has no coordinates. Where tiles of several magnifications are weighed, which lie
 * over each other, a map has a value for each coarse tile: the sum over all tiles within it.
 */
export async function attentionMapsOf(
  bag: gatewayV1.Bag,
  attention: gatewayV1.TileAttention | undefined,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<readonly AttentionMap[]> {
  if (attention?.weights === undefined || attention.coordinates === undefined) return [];
  const [weights, coordinates] = await Promise.all([
    arrayValuesOf(attention.weights, env, signal),
    arrayValuesOf(attention.coordinates, env, signal),
  ]);
  const [nTiles = 0, nMaps = 1] = weights.shape;
  const coords = Int32Array.from(coordinates.values);
  // Of a bag of several magnifications the stride is that of the coarsest tiles; what is weighed may be finer, or regions.
  const stride = bag.info?.levelCount === undefined ? bag.info?.level0StridePx : undefined;
  const coarsePx = isRegionBag(bag) && hasRepeats(coords) ? bag.info?.level0StridePx : undefined;
  return Array.from({ length: nMaps }, (_, map) => {
    const label = attention.mapLabels[map] ?? "";
    const values = Float32Array.from({ length: nTiles }, (__, tile) => weights.values[tile * nMaps + map] ?? 0);
    if (coarsePx !== undefined) return { label, ...sumByCell({ coords, values }, coarsePx) };
    return { label, coords, values, ...(stride === undefined ? {} : { tilePx: stride }) };
  });
}

/** Whether tiles share a corner: only those of several magnifications do. */
function hasRepeats(coords: Int32Array): boolean {
  const corners = new Set<string>();
  for (let at = 0; at < coords.length; at += 2) corners.add(`${coords[at]} ${coords[at + 1]}`);
  return corners.size < coords.length / 2;
}

/** Where the files of a slide's attention go; absent: nowhere. */
export interface AttentionFolders {
  readonly heatmaps?: string;
  readonly geojson?: string;
}

/** Writes maps as `<slide>[.<class>].png` and `.geojson`. */
export async function writeAttention(
  slide: string,
  maps: readonly AttentionMap[],
  { heatmaps, geojson }: AttentionFolders,
): Promise<void> {
  for (const map of maps) {
    if (heatmaps !== undefined) await writeHeatmap(slide, map.label, renderHeatmap(map), heatmaps);
    if (geojson !== undefined) await writeInto(geojson, `${stemFor(slide, map.label)}.geojson`, attentionGeoJson(map));
  }
}

/** Writes a drawn map as `<slide>[.<class>].png`. */
export async function writeHeatmap(slide: string, label: string, png: Uint8Array, folder: string): Promise<void> {
  await writeInto(folder, `${stemFor(slide, label)}.png`, png);
}

async function writeInto(folder: string, name: string, content: string | Uint8Array): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), content);
}

function stemFor(slide: string, label: string): string {
  return fileNameOf(label === "" ? slide : `${slide}.${label}`);
}

/** A name as a file name that every system takes. */
function fileNameOf(name: string): string {
  return (
    name
      .replace(/[^\p{L}\p{N}._-]+/gu, "_")
      .replace(/^\.+/, "_")
      .slice(0, 120) || "_"
  );
}
