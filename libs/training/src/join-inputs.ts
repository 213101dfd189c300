/**
 * The slides of a patient as one bag. Legend: N tiles of a slide, M of all of them, D features.
 */
import type { RunRequest, TensorSink, TensorSource } from "@parfocal/engine";
import { DomainError } from "@parfocal/errors";
import { TILES } from "@parfocal/models";
import { type CapturedGraph, captureGraph, tf } from "@parfocal/tensor";
import type { BagInput } from "./bag-inputs.ts";

/** Most slides of one bag: enough for any patient. */
const MAX_JOINED = 64;

/**
 * Bags as one without a place on any slide: their tiles `[M, D]`, one slide after the other. They are copied together in the engine, under
 * `name`, each time before they are used, so that a patient's tiles lie there once and only while they are looked at.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for more than 64 bags.
 */
export function joinInputs(members: readonly BagInput[], width: number, name: string): BagInput {
  const [first] = members;
  if (first === undefined) throw new DomainError("INTERNAL", "a patient without slides");
  if (members.length === 1) return first;
  if (members.length > MAX_JOINED)
    throw new DomainError("INVALID_ARGUMENT", `a group has ${members.length} bags; joined are at most ${MAX_JOINED}`);
  const graph = copyGraph(width);
  const total = members.reduce((sum, { n }) => sum + n, 0);
  const before = copyRuns(
    members.map(({ n, feeds }) => ({ n, source: feeds.features })),
    { graph, total, name },
  );
  const sizes = { N: total, M: total, R: total };
  return {
    ...first,
    n: total,
    sizes,
    rows: { n: total },
    feeds: { features: { kind: "resident", name } },
    before,
    members,
  };
}

/** Runs that copy tiles end to end. */
function copyRuns(
  parts: readonly { readonly n: number; readonly source: TensorSource | undefined }[],
  { graph, total, name }: { readonly graph: CapturedGraph; readonly total: number; readonly name: string },
): RunRequest[] {
  let first = 0;
  return parts.map(({ n, source }): RunRequest => {
    const sink: TensorSink = { kind: "resident", name, rows: { first, count: n, total } };
    first += n;
    return { graph, feeds: source === undefined ? {} : { tiles: source }, fetches: { copy: sink } };
  });
}

/** Tiles as they are, in f32. */
function copyGraph(width: number): CapturedGraph {
  return captureGraph({
    name: "copy",
    inputs: [{ name: "tiles", dtype: "f32", shape: [TILES, width] }],
    build: ({ tiles }) => ({ copy: tf.clone(tiles as tf.Tensor) }),
  });
}
