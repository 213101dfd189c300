import { DomainError } from "@parfocal/errors";
import { levelSide } from "@parfocal/geometry";
import type { Model, RegionRule, Weights } from "@parfocal/models";

/** The one parameter of a region mixer whose rows belong to places, `[T, W]`, those of the coarsest magnification first. */
const POSITIONS = "reembed.positions";

/**
 * @throws {DomainError} `PRECONDITION_FAILED` naming both sets when `model` looks at a magnification that `found`, which it starts
 * from, has not learned.
 */
export function assertLevelsWithin(found: Pick<Model, "regions">, model: Pick<Model, "regions">): void {
  const [theirs, ours] = [found.regions?.levels ?? [], model.regions?.levels ?? []];
  if (ours.every((level) => theirs.includes(level))) return;
  const message = `reembed.levels is [${ours.join(", ")}]; the model to start from knows [${theirs.join(", ")}], and levels may be some of these`;
  throw new DomainError("PRECONDITION_FAILED", message, { details: { field: "reembed.levels" } });
}

/**
 * The weights of `found` for a mixer that looks at some of its magnifications: the table of positions without the places of the
 * others. What belongs to single magnifications otherwise is named after them and is left out by name.
 *
 * Full attention sees what is there: a mixer with these weights gives what `found` gives where the others' tiles are missing.
 */
export function weightsOfLevels(
  found: Pick<Model, "regions">,
  model: Pick<Model, "regions">,
  weights: Weights,
): Weights {
  const positions = weights[POSITIONS];
  if (found.regions === undefined || model.regions === undefined || positions === undefined) return weights;
  return { ...weights, [POSITIONS]: rowsOfLevels(positions, found.regions, model.regions.levels) };
}

/** Of a table with a row for every place of `levels` those of the `wanted` ones. */
function rowsOfLevels(
  table: Float32Array<ArrayBuffer>,
  { levels, regionTiles }: RegionRule,
  wanted: readonly number[],
): Float32Array<ArrayBuffer> {
  const isWanted = levels.flatMap((level) => {
    return new Array<boolean>(levelSide(level, regionTiles) ** 2).fill(wanted.includes(level));
  });
  const width = table.length / isWanted.length;
  return table.filter((_value, i) => isWanted[Math.floor(i / width)]);
}
