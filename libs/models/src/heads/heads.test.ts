import { tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { buildModel, type Model } from "../build-model.ts";
import { captureAggregate } from "../capture-aggregate.ts";
import type { Weights } from "../parameter.ts";
import { countParameters } from "../parameter.ts";
import { filler, fillerWeights } from "../testing/filler.ts";
import { runModel } from "../testing/run-model.ts";

const BINARY = { kind: "binary", classes: ["no", "yes"] };
const LABELS = { kind: "multilabel", classes: ["a", "b", "c"] };

/** Every head in every shape it comes in. */
const HEADS: readonly (readonly [string, Record<string, unknown>, Record<string, unknown>])[] = [
  ["mean", { kind: "mean" }, BINARY],
  ["max of embeddings", { kind: "max" }, BINARY],
  ["max of instances, softmax of two", { kind: "max", level: "instance" }, BINARY],
  ["max of instances, sigmoid", { kind: "max", level: "instance" }, { ...BINARY, link: "sigmoid" }],
  [
    "max of instances, softmax of three",
    { kind: "max", level: "instance" },
    { kind: "multiclass", classes: ["a", "b", "c"] },
  ],
  ["abmil", { kind: "abmil" }, BINARY],
  ["gated abmil", { kind: "gated-abmil" }, BINARY],
  ["abmil with ReLU and no bias", { kind: "abmil", attentionActivation: "relu", attentionBias: false }, BINARY],
  [
    "gated abmil with GELU and no bias",
    { kind: "gated-abmil", attentionActivation: "gelu", attentionBias: false },
    BINARY,
  ],
  ["gated abmil without a trunk", { kind: "gated-abmil", hidden: [] }, BINARY],
  ["gated abmil, branches per class", { kind: "gated-abmil" }, LABELS],
  ["clam", { kind: "clam", attentionWidth: 3 }, BINARY],
  ["clam, branches per class", { kind: "clam", attentionWidth: 3 }, LABELS],
  ["dsmil", { kind: "dsmil", queryWidth: 3 }, BINARY],
  ["dsmil without a trunk, learned values", { kind: "dsmil", queryWidth: 3, hidden: [], value: "learned" }, LABELS],
  [
    "dsmil with a query of one layer and plain values",
    { kind: "dsmil", queryWidth: 3, query: "linear", value: "learned", valueActivation: "none" },
    LABELS,
  ],
  ["dsmil with one logit", { kind: "dsmil", queryWidth: 3 }, { ...BINARY, link: "sigmoid" }],
  ["class attention", { kind: "class-attention", attentionWidth: 6, heads: 3 }, LABELS],
  [
    "class attention of one token",
    { kind: "class-attention", attentionWidth: 6, heads: 2, branches: "single" },
    BINARY,
  ],
];

function tinyModel(head: Record<string, unknown>, task: Record<string, unknown>): Model {
  const attention = typeof head.kind === "string" && head.kind.endsWith("abmil") ? { attentionWidth: 3 } : {};
  return buildModel({ dIn: 5, head: { hidden: [6, 4], ...attention, ...head }, task });
}

/** Whether the head's maps are logits of tiles, which sum to nothing. */
const areScores = (head: Record<string, unknown>) => head.kind === "max";

describe.each(HEADS)("%s", (_name, head, task) => {
  const model = tinyModel(head, task);
  const weights = fillerWeights(model.parameters);

  it("gives finite logits and attention for a bag of one tile", () => {
    const { logits, attention } = runModel(model, weights, filler([1, 5], 7));
    expect(logits).toHaveLength(model.nLogits);
    expect(logits.every(Number.isFinite)).toBe(true);
    expect(attention).toEqual(areScores(head) && model.nBranches > 0 ? logits : new Array(model.nBranches).fill(1));
  });

  it("does not care for the order of the tiles", () => {
    const rows = [filler([5], 1), filler([5], 2), filler([5], 3), filler([5], 4)];
    const bag = (order: readonly number[]) => Float32Array.from(order.flatMap((i) => [...(rows[i] ?? [])]));
    const straight = runModel(model, weights, bag([0, 1, 2, 3])).logits;
    const mixed = runModel(model, weights, bag([2, 0, 3, 1])).logits;
    for (const [k, logit] of straight.entries()) expect(mixed[k]).toBeCloseTo(logit, 5);
  });

  it.skipIf(areScores(head))("gives attention that sums to one in every branch", () => {
    const { attention } = runModel(model, weights, filler([9, 5], 3, 4));
    for (let branch = 0; branch < model.nBranches; branch++) {
      const column = attention.filter((_, i) => i % model.nBranches === branch);
      expect(column.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 5);
    }
  });

  it("is captured with any number of tiles", () => {
    const graph = captureAggregate(model, weights);
    expect(graph.inputs[0]?.shape).toEqual(["N", 5]);
    const shapes = Object.fromEntries(graph.outputs.map((port) => [port.name, port.shape]));
    expect(shapes.logits).toEqual([model.nLogits]);
    expect(shapes.probabilities).toEqual([model.config.task.classes.length]);
    expect(shapes.attention).toEqual(model.nBranches > 0 ? ["N", model.nBranches] : undefined);
  });
});

describe("the numbers of F11", () => {
  const features = filler([4, 3], 11, 2);
  const shared = {
    "head.attention.v.weight": filler([2, 3], 12, 2),
    "head.attention.v.bias": filler([2], 13),
    "head.attention.w.weight": filler([1, 2], 16, 4),
  };

  it("come out of plain attention", () => {
    expectPooling({ kind: "abmil" }, shared, features, {
      attention: [0.24060813, 0.22529602, 0.2872342, 0.24686164],
      pooled: [0.60590048, -0.13621593, 0.31275331],
    });
  });

  it("come out of gated attention", () => {
    const gate = {
      "head.attention.u.weight": filler([2, 3], 14, 2),
      "head.attention.u.bias": filler([2], 15),
    };
    expectPooling({ kind: "gated-abmil" }, { ...shared, ...gate }, features, {
      attention: [0.25225394, 0.24031686, 0.26389669, 0.2435325],
      pooled: [0.59055713, -0.11357848, 0.32003826],
    });
  });

  it("come out of mean pooling", () => {
    expectPooling({ kind: "mean" }, {}, features, { attention: [], pooled: [0.58325074, -0.10555005, 0.32854311] });
  });

  it("come out of max pooling", () => {
    expectPooling({ kind: "max" }, {}, features, { attention: [], pooled: [0.90485629, 0.28245788, 0.61149653] });
  });
});

/** Reads the pooled embedding through a classifier that is the identity; 1e-6 is f32 rounding of values near 1. */
function expectPooling(
  head: Record<string, unknown>,
  weights: Weights,
  features: Float32Array,
  expected: { attention: readonly number[]; pooled: readonly number[] },
): void {
  const width = head.kind === "mean" || head.kind === "max" ? {} : { attentionWidth: 2 };
  const task = { kind: "multiclass", classes: ["x", "y", "z"] };
  const model = buildModel({ dIn: 3, head: { hidden: [], ...width, ...head }, task });
  const classifier = {
    "head.classifier.weight": Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1),
    "head.classifier.bias": new Float32Array(3),
  };
  const { logits, attention } = runModel(model, { ...weights, ...classifier }, features);
  for (const [i, value] of expected.pooled.entries()) expect(logits[i]).toBeCloseTo(value, 6);
  expect(attention).toHaveLength(expected.attention.length);
  for (const [i, value] of expected.attention.entries()) expect(attention[i]).toBeCloseTo(value, 6);
}

describe("the maps of instance-level max pooling", () => {
  const N = 5;
  const features = filler([N, 5], 3, 4);

  it.each([
    ["softmax of two", BINARY],
    ["sigmoid", { ...BINARY, link: "sigmoid" }],
    ["softmax of three", { kind: "multiclass", classes: ["a", "b", "c"] }],
    ["ordinal", { kind: "ordinal", classes: ["a", "b", "c"] }],
  ])("are the logits of each tile by itself: %s", (_, task) => {
    const model = tinyModel({ kind: "max", level: "instance" }, task);
    const weights = fillerWeights(model.parameters);
    const layer = (name: string, rows: number[][], isRelu: boolean) => {
      const [w = new Float32Array(), b = new Float32Array()] = [weights[`${name}.weight`], weights[`${name}.bias`]];
      const unit = (row: number[], k: number) =>
        row.reduce((sum, x, i) => sum + x * (w[k * row.length + i] ?? 0), b[k] ?? 0);
      return rows.map((row) => Array.from(b, (_value, k) => (isRelu ? Math.max(0, unit(row, k)) : unit(row, k))));
    };
    const tiles = Array.from({ length: N }, (_tile, i) => Array.from(features.slice(5 * i, 5 * i + 5)));
    const hidden = layer("head.trunk.1", layer("head.trunk.0", tiles, true), true);
    const expected = layer("head.classifier", hidden, false).flat();
    const { attention } = runModel(model, weights, features);
    expect(attention).toHaveLength(N * model.nBranches);
    expect(attention).toEqual(expected.map((value) => expect.closeTo(value, 5) as number));
  });

  it("are not there of embeddings", () => {
    const model = tinyModel({ kind: "max" }, BINARY);
    expect(model.nBranches).toBe(0);
    expect(runModel(model, fillerWeights(model.parameters), features).attention).toEqual([]);
  });

  it("are not computed in training", () => {
    const model = tinyModel({ kind: "max", level: "instance", dropout: 0 }, BINARY);
    const parameters = Object.fromEntries(
      model.parameters.map(({ name, shape }) => [
        name,
        tf.tensor(fillerWeights(model.parameters)[name] ?? [], [...shape]),
      ]),
    );
    const tiles = tf.tensor2d(features, [N, 5]);
    expect(model.forward({ features: tiles }, parameters, (_site, x) => x).attention).toBeUndefined();
    expect(model.forward({ features: tiles }, parameters).attention?.shape).toEqual([N, 2]);
  });
});

describe("the critical tile of instance-level max pooling", () => {
  const classifier = (nOut: number) => ({
    "head.classifier.weight": Float32Array.from({ length: nOut * nOut }, (_, i) => Number(i % (nOut + 1) === 0)),
    "head.classifier.bias": new Float32Array(nOut),
  });

  it("is the most positive one of two classes", () => {
    const model = buildModel({ dIn: 2, head: { kind: "max", level: "instance", hidden: [] }, task: BINARY });
    const tiles = Float32Array.of(9, 0, 1, 2, 3, 3.5, 1, 2);
    expect(runModel(model, classifier(2), tiles).logits).toEqual([1, 2]);
  });

  it("is the most certain one of three classes", () => {
    const task = { kind: "multiclass", classes: ["a", "b", "c"] };
    const model = buildModel({ dIn: 3, head: { kind: "max", level: "instance", hidden: [] }, task });
    const tiles = Float32Array.of(2, 2, 2, 0, 0, 4, 5, 4, 4);
    expect(runModel(model, classifier(3), tiles).logits).toEqual([0, 0, 4]);
  });
});

describe("parameter counts", () => {
  it("are those of the public attention pooling of 1024 features, but for a bias of the scores that does nothing", () => {
    const model = buildModel({ dIn: 1024, head: { kind: "abmil", attentionWidth: 128 }, task: BINARY });
    expect(countParameters(model.parameters)).toBe(591_619 - 1);
  });

  it("are those of a gated attention model of 1024 features", () => {
    const model = buildModel({ dIn: 1024, head: { kind: "gated-abmil" }, task: BINARY });
    // 1024*512+512, two of 512*256+256, 256 scores without a bias, 512*2+2.
    expect(countParameters(model.parameters)).toBe(524_800 + 2 * 131_328 + 256 + 1026);
  });
});
