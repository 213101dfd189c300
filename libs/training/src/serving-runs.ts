import type { RunRequest, TensorSink } from "@parfocal/engine";
import { DomainError } from "@parfocal/errors";
import type { CapturedGraph } from "@parfocal/tensor";
import type { BagInput } from "./bag-inputs.ts";
import { copyRun, endToEnd, type RowsRun } from "./join-inputs.ts";
import { pickRows } from "./pick-rows.ts";

/** What scores a bag: the head's graph, and the whole re-embedder's in front of it where the model has one. */
export interface ScoringGraphs {
  readonly aggregate: CapturedGraph;
  /** Not needed for bags whose slides are all re-embedded. */
  readonly reembed?: CapturedGraph;
}

/** A bag as runs look at it. */
type RunInput = Pick<BagInput, "feeds" | "picked" | "before" | "members" | "isJoinedBehind">;

/**
 * The runs that score one bag. With a re-embedder they are several, which must travel in one message: the tiles between them
 * stay in the engine under `name`, until the next bag replaces them or `dropResident(name)` frees them.
 */
export function scoringRuns(
  { aggregate, reembed }: ScoringGraphs,
  input: RunInput,
  fetches: Readonly<Record<string, TensorSink>>,
  name: string,
): readonly RunRequest[] {
  const { feeds, before = [], isJoinedBehind = false } = input;
  if (reembed === undefined && !isJoinedBehind) return [...before, { graph: aggregate, feeds, fetches }];
  const tiles = { kind: "resident", name } as const;
  return [...tileRuns(reembed, input, name), { graph: aggregate, feeds: { tiles }, fetches }];
}

/**
 * The runs that leave the re-embedded rows of a bag in the engine under `name`. Slides that are joined behind the re-embedder go through it
 * one by one, so that none sees another; those that it has been over already are copied.
 */
export function tileRuns(reembed: CapturedGraph | undefined, input: RunInput, name: string): readonly RunRequest[] {
  const runOf = (of: BagInput["feeds"]): RowsRun => {
    const { tiles } = of;
    if (tiles?.kind === "object") return copyRun(tiles.shape[1] ?? 0, tiles);
    if (reembed === undefined)
      throw new DomainError("INTERNAL", "a slide has to be re-embedded without a graph for it");
    return { graph: reembed, feeds: of };
  };
  const { before = [], members = [], isJoinedBehind = false } = input;
  if (isJoinedBehind) {
    // One after the other: the rows of a slide are picked where those of the one before were.
    const slides = members.map((slide) => pickRows(slide, `${name}picked`));
    const runs = endToEnd(members, name, (_, place) => runOf(slides[place]?.feeds ?? {}));
    return runs.flatMap((run, place) => [...(slides[place]?.before ?? []), run]);
  }
  const picked = pickRows(input, `${name}picked`);
  const run = { ...runOf(picked.feeds), fetches: { tiles: { kind: "resident", name } } } as const;
  return [...before, ...picked.before, run];
}
