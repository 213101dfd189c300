import { runEagerly, tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { buildModel, type DropoutFunction, type Model } from "../build-model.ts";
import { bagPorts, constantsOf, modelInputFromPorts } from "../capture-aggregate.ts";
import type { DropoutSite } from "../model.ts";
import type { Weights } from "../parameter.ts";
import { filler, fillerWeights } from "../testing/filler.ts";
import { runModel } from "../testing/run-model.ts";
import { fixedKeys } from "./sub-bags.ts";

const BINARY = { kind: "binary", classes: ["no", "yes"] };
const LABELS = { kind: "multilabel", classes: ["a", "b", "c"] };

/** Every head that takes tiles in blocks. */
const HEADS: readonly (readonly [string, Record<string, unknown>, object])[] = [
  ["mean", { kind: "mean" }, BINARY],
  ["abmil", { kind: "abmil", attentionWidth: 3 }, BINARY],
  ["gated abmil, branches per class", { kind: "gated-abmil", attentionWidth: 3 }, LABELS],
  ["clam", { kind: "clam", attentionWidth: 3 }, BINARY],
  ["dsmil", { kind: "dsmil", queryWidth: 3, hidden: [] }, BINARY],
  ["dtfd", { kind: "dtfd", attentionWidth: 3, groups: 3, splits: 1 }, BINARY],
];

/** What drops nothing, and draws what inference has fixed, makes a model take its tiles at once, as it does in training. */
const keepAll = (n: number): DropoutFunction => {
  return <T extends tf.Tensor>(site: DropoutSite, x: T) =>
    site.isDraw === true ? (tf.reshape(fixedKeys(n, 1), [n, 1]) as unknown as T) : x;
};

function wholeBag(model: Model, weights: Weights, features: Float32Array<ArrayBuffer>, n: number) {
  const spec = {
    name: "whole",
    inputs: bagPorts(model),
    constants: constantsOf(model, weights),
    build(tensors: Parameters<Model["forward"]>[1]) {
      const { logits, attention } = model.forward(modelInputFromPorts(tensors), tensors, keepAll(n));
      return { logits, ...(attention && { attention }) };
    },
  };
  return runEagerly(spec, { features: { dtype: "f32", shape: [n, model.config.dIn], data: features } });
}

describe.each(HEADS)("%s", (_name, head, task) => {
  const model = buildModel({ dIn: 5, head: { hidden: [6], ...head }, task });
  const weights = fillerWeights(model.parameters, 2);

  // One tile; the last of one block and the first of two; a last block that is filled up.
  it.each([1, 2, 511, 512, 513, 1301])("answers for %i tiles in blocks as for the whole bag", (n) => {
    const features = filler([n, 5], 3, 4);
    const answered = runModel(model, weights, features);
    const whole = wholeBag(model, weights, features, n);
    for (const name of ["logits", "attention"] as const) {
      const [ours, expected] = [answered[name], whole[name]?.data ?? []];
      expect(ours).toHaveLength(expected.length);
      for (const [i, value] of expected.entries()) expect(ours[i]).toBeCloseTo(Number(value), 5);
    }
  });
});
