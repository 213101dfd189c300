import type { RunRequest } from "@parfocal/engine";
import { captureReembed, type Weights } from "@parfocal/models";
import type { TrainPlan } from "../plan.ts";
import { type ChunkOptions, runGroupsInChunks } from "../run-in-chunks.ts";
import { tileRuns } from "../serving-runs.ts";
import { type BagMoments, fitTypicality, MIN_TYPICAL_BAGS, type Typicality } from "./typicality.ts";
import { captureMoments, momentsFrom, momentsRun } from "./typicality-runs.ts";

/** Training bags that are looked at: enough for percentiles to a tenth, few enough for memory. */
const MAX_BAGS = 2000;

/**
 * What the training part's bags are like as the head reads them, after the trained re-embedder where there is one. Null where
 * the specification does not want it or too few bags train. Validation and test part are not looked at.
 *
 * @throws {DomainError} What the engine throws.
 */
export async function fitTypicalityOf(
  plan: TrainPlan,
  weights: Weights,
  options: ChunkOptions,
): Promise<Typicality | null> {
  const rows = spread(plan.split.train, MAX_BAGS);
  if (plan.spec.outliers.action === "none" || rows.length < MIN_TYPICAL_BAGS) return null;
  const bags: BagMoments[] = [];
  for await (const { results } of runGroupsInChunks(runsOf(plan, weights, rows), options)) {
    for (const { outputs } of results) bags.push(momentsFrom(outputs));
  }
  return fitTypicality(bags);
}

function* runsOf(
  { model, inputs, scratchName }: TrainPlan,
  weights: Weights,
  rows: readonly number[],
): Generator<readonly RunRequest[], void, undefined> {
  const graph = captureMoments(model);
  const reembed = model.hasReembedder ? captureReembed(model, weights).whole : undefined;
  const tiles = { kind: "resident", name: scratchName } as const;
  for (const row of rows) {
    const input = inputs[row];
    if (input === undefined) continue;
    const before = reembed ? tileRuns(reembed, input, scratchName) : (input.before ?? []);
    const measure = momentsRun(model, graph, input.rows.n, reembed ? { tiles } : input.feeds);
    if (measure !== undefined) yield [...before, measure];
  }
}

/** At most `count` of the rows, at even distances. */
function spread(rows: readonly number[], count: number): readonly number[] {
  if (rows.length <= count) return rows;
  return Array.from({ length: count }, (_, i) => rows[Math.floor((i * rows.length) / count)] ?? -1);
}
