import type { RunRequest } from "@parfocal/engine";
import { KEPT_TILES, TILES } from "@parfocal/models";
import { type CapturedGraph, captureGraph, tf } from "@parfocal/tensor";
import type { BagInput } from "./bag-inputs.ts";

/**
 * The feeds of a bag with the rows of its features that the model takes, and the runs that leave these in the engine under `name`, as f32,
 * which come right before them in one message. Nothing is done to a bag of which it takes all.
 */
export function pickRows(
  { feeds, picked }: Pick<BagInput, "feeds" | "picked">,
  name: string,
): { readonly feeds: BagInput["feeds"]; readonly before: readonly RunRequest[] } {
  const { features } = feeds;
  if (picked === undefined || features?.kind !== "object") return { feeds, before: [] };
  const rows = { dtype: "i32", shape: [picked.length], data: new Uint8Array(picked.buffer) } as const;
  const pick: RunRequest = {
    graph: pickGraph(features.shape[1] ?? 0),
    feeds: { features, rows: { kind: "inline", tensor: rows } },
    fetches: { picked: { kind: "resident", name } },
  };
  return { feeds: { ...feeds, features: { kind: "resident", name } }, before: [pick] };
}

/** `features` `[N, width]`, `rows` `[M]` i32 -> `picked` `[M, width]`. */
function pickGraph(width: number): CapturedGraph {
  return captureGraph({
    name: "pick",
    inputs: [
      { name: "features", dtype: "f32", shape: [TILES, width] },
      { name: "rows", dtype: "i32", shape: [KEPT_TILES] },
    ],
    build: ({ features, rows }) => ({ picked: tf.gather(features as tf.Tensor2D, rows as tf.Tensor1D) }),
  });
}
