import { flatLayout, flattenWeights } from "../flat-layout.ts";
import type { TrainedModel } from "../job.ts";

/** A model small enough for tests: two transformer blocks that need no coordinates, and a head, all with dropout. */
export const TINY_MODEL = {
  reembed: { kind: "roformer", width: 8, heads: 2, depth: 2, mlpRatio: 1, rotary: "none", dropout: 0.2 },
  head: { kind: "gated-abmil", hidden: [6], attentionWidth: 4 },
  task: { kind: "binary", classes: ["no", "yes"] },
} as const;

/** All weights as bytes, or those whose names begin with `prefix`: equal means bit-identical. */
export function weightBytes({ model, weights }: Pick<TrainedModel, "model" | "weights">, prefix = ""): Buffer {
  const { trainable, fixed } = flatLayout(model.parameters);
  const wanted = [...trainable, ...fixed].filter(({ name }) => name.startsWith(prefix));
  return Buffer.from(flattenWeights(wanted, weights).buffer);
}
