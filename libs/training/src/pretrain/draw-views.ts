import { createViewTable, DIHEDRAL_ELEMENTS, type RegionShape, tokensOfLevels } from "@parfocal/geometry";
import type { Rng } from "@parfocal/metrics";
import { type PretrainModelConfig, splitTokens, type TokenSplit, tokenLevels } from "@parfocal/models";

// Legend: S tokens of a source, N of a view; both in level order, a view of the magnifications that are looked at alone.

/** A region as the network sees it: cropped out of a source, turned, masked. */
export interface View {
  /** `[N]`: the token of the source that each token reads. */
  readonly reads: Int32Array;
  /** `[N]`, 0 where the tile is missing; absent when none is. */
  readonly isPresent?: Uint8Array;
  readonly split: TokenSplit;
  /** What the branches of the network are multiplied by, see `PretrainInput.paths`; absent where none is ever left out. */
  readonly paths?: readonly number[];
}

/** What views are drawn by. */
export interface ViewRule {
  readonly config: Pick<PretrainModelConfig, "mixer" | "masked" | "contrastive">;
  /** Share of its tiles that every magnification of a crop must have. */
  readonly minPresence: number;
  readonly augment: boolean;
  /** How often each branch of the network is left out; absent or empty: never. */
  readonly paths?: readonly { readonly probability: number }[];
}

/** Coarse tiles along the side of a source: s of the contrastive objective, else those of a region. */
export function sourceTilesOf({ mixer, contrastive }: ViewRule["config"]): number {
  return contrastive?.sourceTiles ?? mixer.regionTiles;
}

/** Views of one source: two with a contrastive objective, else one. */
export function viewsPerSource({ contrastive }: ViewRule["config"]): number {
  return contrastive === undefined ? 1 : 2;
}

/** Draws the views of a source, whose tiles are there where `runs` `[S]` is not negative, from a stream of its own. */
export type ViewDrawer = (runs: Int16Array, stream: Rng) => View[];

/**
 * Makes what draws views: for each the crop, uniform among those whose magnifications all have enough tiles (the fullest one when
 * none has), the turn, uniform over the eight, the mask, and the branches that are left out, each view independent of the other.
 *
 * Source: Zimmermann et al. 2026, CMEM. Differs: the paper has full grids, so that every crop may be drawn.
 */
export function createViewDrawer({ config, minPresence, augment, paths = [] }: ViewRule): ViewDrawer {
  const { mixer, masked } = config;
  const shape: RegionShape = mixer;
  const table = createViewTable(sourceTilesOf(config), shape);
  const wanted = mixer.levels.length === mixer.levelCount ? undefined : tokensOfLevels(shape, mixer.levels);
  const readsOf = (crop: number, turn: number): Int32Array => {
    const whole = table.indices(crop, turn);
    return wanted?.map((token) => whole[token] ?? 0) ?? whole;
  };
  const levels = tokenLevels(mixer);
  const crops = Array.from({ length: table.cropCount }, (_, crop) => crop);
  const cropsOf = (runs: Int16Array): readonly number[] => {
    if (crops.length === 1 || runs.every((run) => run >= 0)) return crops;
    return enoughOrFullest(
      leastPresences(crops.map((crop) => presenceShares(levels, readsOf(crop, 0), runs))),
      minPresence,
    );
  };
  return (runs, stream) => {
    const allowed = cropsOf(runs);
    return Array.from({ length: viewsPerSource(config) }, (_, view): View => {
      const own = stream.fork(`view ${view}`);
      const crop = allowed[own.nextInt(allowed.length)] ?? 0;
      const reads = readsOf(crop, augment ? own.nextInt(DIHEDRAL_ELEMENTS.length) : 0);
      const isPresent = presenceOf(reads, runs);
      const uniforms = Float64Array.from(reads, () => own.nextFloat());
      const split = splitTokens(uniforms, masked.removalRatio, isPresent);
      const factors = paths.length > 0 && drawPaths(paths, own.fork("paths"));
      return { reads, ...(isPresent && { isPresent }), split, ...(factors && { paths: factors }) };
    });
  };
}

/** 0 for each branch that is left out, 1 / (1 - probability) for the others, so that the mean is 1. */
function drawPaths(paths: NonNullable<ViewRule["paths"]>, stream: Rng): number[] {
  return paths.map(({ probability }) => (stream.nextFloat() < probability ? 0 : 1 / (1 - probability)));
}

function presenceOf(reads: Int32Array, runs: Int16Array): Uint8Array | undefined {
  const present = Uint8Array.from(reads, (token) => Number((runs[token] ?? -1) >= 0));
  return present.includes(0) ? present : undefined;
}

/** Share of its tiles that every magnification has, in the order in which they first stand in `levels`. */
function presenceShares(levels: readonly number[], reads: Int32Array, runs: Int16Array): number[] {
  const found = new Map<number, number>();
  const all = new Map<number, number>();
  levels.forEach((level, token) => {
    const isThere = (runs[reads[token] ?? 0] ?? -1) >= 0;
    found.set(level, (found.get(level) ?? 0) + Number(isThere));
    all.set(level, (all.get(level) ?? 0) + 1);
  });
  return [...all].map(([level, count]) => (found.get(level) ?? 0) / count);
}

/**
 * The least share of each crop. A magnification that no crop of the source has does not count, as slides may lack it; a crop
 * without any tile is below every bound.
 */
function leastPresences(shares: readonly (readonly number[])[]): number[] {
  const isInSource = (at: number) => shares.some((own) => (own[at] ?? 0) > 0);
  return shares.map((own) =>
    own.some((share) => share > 0) ? Math.min(...own.filter((_, at) => isInSource(at))) : -1,
  );
}

/** Crops whose shares are enough; the one with the largest share when none is. */
function enoughOrFullest(shares: readonly number[], least: number): readonly number[] {
  const enough = [...shares.keys()].filter((crop) => (shares[crop] ?? 0) >= least);
  return enough.length > 0 ? enough : [shares.indexOf(Math.max(...shares))];
}
