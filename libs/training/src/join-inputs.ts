/**
 * The slides of a patient as one bag. Legend: N tiles of a slide, D features.
 */
import type { RunRequest, TensorSource } from "@parfocal/engine";
import { DomainError } from "@parfocal/errors";
import { type Model, TILES } from "@parfocal/models";
import { type CapturedGraph, captureGraph, tf } from "@parfocal/tensor";
import type { BagInput } from "./bag-inputs.ts";

/** Most slides of one bag: enough for any patient. */
const MAX_JOINED = 64;

/**
 * Bags as one without a place on any slide: their rows, one slide after the other. Tiles are copied together in the engine, under `name`,
 * each time before they are used, so that a patient's tiles lie there once and only while they are looked at. Of a model with a re-embedder
 * each slide goes through that by itself, and what is joined are the rows that it gives: see `tileRuns`.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for more than 64 bags.
 */
export function joinInputs(members: readonly BagInput[], model: Model, name: string): BagInput {
  const [first] = members;
  if (first === undefined) throw new DomainError("INTERNAL", "a patient without slides");
  if (members.length === 1) return first;
  if (members.length > MAX_JOINED)
    throw new DomainError("INVALID_ARGUMENT", `a group has ${members.length} bags; joined are at most ${MAX_JOINED}`);
  const total = members.reduce((sum, { rows }) => sum + rows.n, 0);
  const joined: BagInput = {
    n: members.reduce((sum, { n }) => sum + n, 0),
    sizes: { N: total, M: total, R: total },
    rows: { n: total },
    feeds: {},
    metadata: first.metadata,
    members,
  };
  if (model.hasReembedder) return { ...joined, isJoinedBehind: true };
  const copy = (slide: BagInput) => copyRun(model.config.dIn, slide.feeds.features);
  const before = endToEnd(members, name, copy);
  return { ...joined, feeds: { features: { kind: "resident", name } }, before };
}

/** A run whose output `tiles` is the rows of a slide. */
export type RowsRun = Pick<RunRequest, "graph" | "feeds">;

/** The runs that leave the rows of slides as one tensor under `name`, one slide after the other. */
export function endToEnd<S extends BagInput>(
  slides: readonly S[],
  name: string,
  runOf: (slide: S, place: number) => RowsRun,
): RunRequest[] {
  const total = slides.reduce((sum, { rows }) => sum + rows.n, 0);
  const starts = startsOf(slides);
  return slides.map((slide, place): RunRequest => {
    const rows = { first: starts[place] ?? 0, count: slide.rows.n, total };
    return { ...runOf(slide, place), fetches: { tiles: { kind: "resident", name, rows } } };
  });
}

/** Where the rows of each slide begin among those of all. */
export function startsOf(slides: readonly Pick<BagInput, "rows">[]): number[] {
  let next = 0;
  return slides.map(({ rows }) => {
    const start = next;
    next += rows.n;
    return start;
  });
}

/** The run that takes rows `[N, D]` as they are, in f32. */
export function copyRun(width: number, source: TensorSource | undefined): RowsRun {
  return { graph: copyGraph(width), feeds: source === undefined ? {} : { rows: source } };
}

function copyGraph(width: number): CapturedGraph {
  return captureGraph({
    name: "copy",
    inputs: [{ name: "rows", dtype: "f32", shape: [TILES, width] }],
    build: ({ rows }) => ({ tiles: tf.clone(rows as tf.Tensor) }),
  });
}
