import type { RunRequest, TensorSink } from "@parfocal/engine";
import type { CapturedGraph } from "@parfocal/tensor";
import type { BagInput } from "./bag-inputs.ts";

/** What scores a bag: the head's graph, and the whole re-embedder's in front of it where the model has one. */
export interface ScoringGraphs {
  readonly aggregate: CapturedGraph;
  readonly reembed?: CapturedGraph;
}

/**
 * The runs that score one bag. With a re-embedder they are two, which must travel in one message: the tiles between them
 * stay in the engine under `name`, until the next bag replaces them or `dropResident(name)` frees them.
 */
export function scoringRuns(
  { aggregate, reembed }: ScoringGraphs,
  { feeds, before = [] }: Pick<BagInput, "feeds" | "before">,
  fetches: Readonly<Record<string, TensorSink>>,
  name: string,
): readonly RunRequest[] {
  if (reembed === undefined) return [...before, { graph: aggregate, feeds, fetches }];
  const tiles = { kind: "resident", name } as const;
  return [...before, { graph: reembed, feeds, fetches: { tiles } }, { graph: aggregate, feeds: { tiles }, fetches }];
}
