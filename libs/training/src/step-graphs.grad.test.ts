import { buildModel, type Model } from "@parfocal/models";
import { type CaptureOptions, type ConstantTensor, runEagerly } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { flatLayout } from "./flat-layout.ts";
import type { Label } from "./label.ts";
import { gradStepBuild } from "./step-graphs.ts";
import { encodeTarget } from "./target.ts";
import { filler } from "./testing/filler.ts";

const D = 5;
const BINARY = { kind: "binary", classes: ["no", "yes"] };
const THREE = { kind: "multiclass", classes: ["a", "b", "c"] };
const LABELS = { kind: "multilabel", classes: ["a", "b", "c"] };

/** Smooth trunks: the kinks of ReLU have no central difference. Nor have ties of dropped tiles under a maximum. */
const CASES: readonly (readonly [string, Record<string, unknown>, Record<string, unknown>, Label])[] = [
  ["mean", { kind: "mean", activation: "tanh" }, BINARY, 1],
  ["max", { kind: "max", activation: "tanh", dropout: 0 }, BINARY, 0],
  ["max of instances", { kind: "max", activation: "tanh", level: "instance" }, BINARY, 1],
  ["max of instances of three classes", { kind: "max", activation: "tanh", level: "instance" }, THREE, 2],
  ["abmil", { kind: "abmil", activation: "tanh", attentionWidth: 3 }, THREE, 2],
  ["abmil with one logit", { kind: "abmil", activation: "tanh", attentionWidth: 3 }, { ...BINARY, link: "sigmoid" }, 1],
  ["gated abmil", { kind: "gated-abmil", activation: "gelu", attentionWidth: 3 }, BINARY, 1],
  ["abmil with GELU and no bias", { kind: "abmil", activation: "tanh", attentionWidth: 3, attentionActivation: "gelu", attentionBias: false }, BINARY, 1], // biome-ignore format: one line
  [
    "mean of ordered classes",
    { kind: "mean", activation: "tanh" },
    { kind: "ordinal", classes: ["a", "b", "c", "d"] },
    2,
  ],
  [
    "two opinions of numbers",
    { kind: "dsmil", activation: "tanh", queryWidth: 3 },
    { kind: "regression", classes: ["a", "b"], delta: 0.05 },
    [0.4, -0.3],
  ],
  [
    "gated abmil of hazards",
    { kind: "gated-abmil", activation: "tanh", attentionWidth: 3 },
    { kind: "survival", bins: 3 },
    { time: 1, isEvent: true },
  ],
  [
    "gated abmil of hazards by cross entropy",
    { kind: "gated-abmil", activation: "tanh", attentionWidth: 3 },
    { kind: "survival", edges: [0, 1, 2, 3], loss: "ce", alpha: 0.3 },
    { time: 1, isEvent: true },
  ],
  ["gated abmil per class", { kind: "gated-abmil", activation: "tanh", attentionWidth: 3 }, LABELS, [1, null, 0]],
];

describe.each(CASES)("the gradient of %s", (_name, head, task, label) => {
  const model = buildModel({ dIn: D, standardise: true, head: { hidden: [6, 4], dropout: 0.4, ...head }, task });
  const { nTrainable } = flatLayout(model.parameters);
  const weights = filler([nTrainable], 3, 1);
  const feeds = feedsOf(model, label, 7);

  it("agrees with central differences of every parameter, dropout included", () => {
    const gradients = evaluate(model, feeds, weights)["next.gradients"]?.data ?? [];
    const scale = Math.max(...Array.from(gradients, Math.abs));
    expect(scale).toBeGreaterThan(0);
    for (let i = 0; i < nTrainable; i++) {
      const numeric = richardson((shift) => lossAt(model, feeds, shifted(weights, i, shift)));
      // f32 losses near 1 resolve differences of 0.02 to about 1e-5; Richardson leaves no truncation of that size.
      expect(Math.abs((gradients[i] ?? Number.NaN) - numeric)).toBeLessThan(2e-4 * Math.max(1, scale));
    }
  });
});

/** Central differences with steps h and h/2, joined so that the error is of fourth order. */
function richardson(loss: (shift: number) => number): number {
  const h = 0.02;
  const central = (step: number) => (loss(step) - loss(-step)) / (2 * step);
  return (4 * central(h / 2) - central(h)) / 3;
}

function shifted(values: Float32Array<ArrayBuffer>, i: number, shift: number): Float32Array<ArrayBuffer> {
  const copy = values.slice();
  copy[i] = (copy[i] ?? 0) + shift;
  return copy;
}

function lossAt(model: Model, feeds: Record<string, ConstantTensor>, weights: Float32Array<ArrayBuffer>): number {
  return evaluate(model, feeds, weights).loss?.data[0] ?? Number.NaN;
}

function evaluate(model: Model, feeds: Record<string, ConstantTensor>, weights: Float32Array<ArrayBuffer>) {
  const options: CaptureOptions = gradStepBuild(model, false);
  return runEagerly(options, { ...feeds, weights: { dtype: "f32", shape: [weights.length], data: weights } });
}

function feedsOf(model: Model, label: Label, nTiles: number): Record<string, ConstantTensor> {
  const target = encodeTarget(model.config.task, label, { labelSmoothing: 0.1, classWeights: [1.5, 0.5, 2] });
  const words = model.dropoutSites.map((site, s): [string, ConstantTensor] => {
    const shape = site.shape.map((dim) => (typeof dim === "number" ? dim : nTiles));
    const data = Int32Array.from(filler(shape, 40 + s), (value) => Math.floor((value + 0.5) * 65_535));
    return [`random.${site.name}`, { dtype: "i32", shape, data }];
  });
  const fixed = Float32Array.of(...filler([D], 21), ...filler([D], 22).map((value) => 1 + value));
  return {
    features: { dtype: "f32", shape: [nTiles, D], data: filler([nTiles, D], 11, 2) },
    fixed: { dtype: "f32", shape: [2 * D], data: fixed },
    target: { dtype: "f32", shape: [2, model.nLogits], data: target },
    ...Object.fromEntries(words),
  };
}
