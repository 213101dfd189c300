import type { HostTensor, RunRequest, RunResult, TensorSource } from "@parfocal/engine";
import { KEPT_TILES, type Model, TILES } from "@parfocal/models";
import { type CapturedGraph, captureGraph, tf } from "@parfocal/tensor";
import { floatsFromHostTensor } from "../host-tensor.ts";
import type { BagMoments } from "./typicality.ts";

/** Tiles of a bag that are looked at: means of so many are as good as of all, and cost next to nothing. */
const MAX_ROWS = 2048;

/** The tensor of a bag that the head reads: the tiles that a re-embedder left, or the features themselves. */
function portOf(model: Model): "tiles" | "features" {
  return model.hasReembedder ? "tiles" : "features";
}

/**
 * The graph that measures what a model's head reads. Inputs: `tiles` `[N, D']` of a model with a re-embedder, else `features` `[N, D]`,
 * as they come; `rows` `[M]` i32, those that are looked at. Outputs: `mean` and `variance` over the rows.
 */
export function captureMoments(model: Model): CapturedGraph {
  const name = portOf(model);
  return captureGraph({
    name: "typicality",
    inputs: [
      { name, dtype: "f32", shape: [TILES, model.hasReembedder ? model.tileWidth : model.config.dIn] },
      { name: "rows", dtype: "i32", shape: [KEPT_TILES] },
    ],
    build(tensors) {
      const rows = tf.gather(tensors[name] as tf.Tensor2D, tensors.rows as tf.Tensor1D);
      const mean = tf.mean<tf.Tensor1D>(rows, 0);
      return { mean, variance: tf.mean(tf.square(tf.sub(rows, mean)), 0) };
    },
  });
}

/** The run that measures a bag of `n` rows, by the feeds of the run that scores it. */
export function momentsRun(
  model: Model,
  graph: CapturedGraph,
  n: number,
  feeds: Readonly<Record<string, TensorSource>>,
): RunRequest | undefined {
  const name = portOf(model);
  const source = feeds[name];
  if (source === undefined) return undefined;
  return {
    graph,
    feeds: { [name]: source, rows: { kind: "inline", tensor: spreadRows(n) } },
    fetches: { mean: { kind: "inline" }, variance: { kind: "inline" } },
  };
}

/** The moments of a bag from the outputs of {@link momentsRun}. */
export function momentsFrom(outputs: RunResult["outputs"]): BagMoments {
  return {
    mean: floatsFromHostTensor(outputs.mean, "mean"),
    variance: floatsFromHostTensor(outputs.variance, "variance"),
  };
}

/** At most 2 048 of `n` rows at even distances, so that every part of a slide is seen. */
function spreadRows(n: number): HostTensor {
  const count = Math.min(n, MAX_ROWS);
  const rows = Int32Array.from({ length: count }, (_, i) => Math.floor((i * n) / count));
  return { dtype: "i32", shape: [count], data: new Uint8Array(rows.buffer) };
}
