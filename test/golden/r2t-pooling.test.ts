import { buildModel, sizeOfShape } from "@parfocal/models";
import { type ConstantTensor, captureGraph, type tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { runGraph } from "../../libs/tensor/src/testing/run-graph.ts";
import { fixtureInput, fixtureTensor, WIDTH } from "./r2t-fixture.ts";

const N_TILES = 7;
const HIDDEN = 128;

/** The fixture's numbering of the pooling's weights. */
const ORDER = {
  abmil: ["head.attention.v.weight", "head.attention.w.weight"],
  "gated-abmil": ["head.attention.v.weight", "head.attention.u.weight", "head.attention.w.weight"],
} as const;

async function pool(
  kind: keyof typeof ORDER,
  attentionActivation: string,
): Promise<{ weights: number[]; pooled: number[] }> {
  const model = buildModel({
    dIn: WIDTH,
    head: { kind, hidden: [], attentionWidth: HIDDEN, attentionBias: false, attentionActivation },
    task: { kind: "multiclass", classes: ["a", "b", "c", "d"] },
  });
  const valuesOf = (name: string, shape: readonly number[]): number[] => {
    const t = (ORDER[kind] as readonly string[]).indexOf(name);
    if (t >= 0) return fixtureTensor(sizeOfShape(shape), t);
    // The classifier reads the first four features.
    const isClassifier = name === "head.classifier.weight";
    return Array.from({ length: sizeOfShape(shape) }, (_, i) => Number(isClassifier && i % (WIDTH + 1) === 0));
  };
  const f32 = (shape: readonly number[], data: readonly number[]): ConstantTensor => {
    return { dtype: "f32", shape, data: Float32Array.from(data) };
  };
  const constants = model.parameters.map(({ name, shape }) => [name, f32(shape, valuesOf(name, shape))] as const);
  const graph = captureGraph({
    name: kind,
    inputs: [{ name: "tiles", dtype: "f32", shape: ["N", WIDTH] }],
    constants: Object.fromEntries(constants),
    build(tensors) {
      const { logits, attention } = model.stages.head(tensors.tiles as tf.Tensor2D, tensors);
      return { logits, attention: attention as tf.Tensor2D };
    },
  });
  const { logits, attention } = await runGraph(graph, { tiles: f32([N_TILES, WIDTH], fixtureInput(N_TILES)) });
  return { weights: Array.from(attention?.data ?? []), pooled: Array.from(logits?.data ?? []) };
}

function expectEach(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  // f32 sums over 128 hidden units ahead of a softmax.
  expected.forEach((value, i) => void expect(actual[i]).toBeCloseTo(value, 5));
}

describe("attention pooling gives the numbers of the public program (G19)", () => {
  it("with tanh", async () => {
    const { weights, pooled } = await pool("abmil", "tanh");
    expectEach(weights, [0.76339396, 0.21059642, 0.02455214, 0.00140228, 0.00005314, 0.00000197, 0.0000001]);
    expectEach(pooled, [0.03417316, 0.66972048, 0.9885973, 0.8403037]);
  });

  it("with ReLU", async () => {
    const { weights } = await pool("abmil", "relu");
    expectEach(weights, [0.72478318, 0.21520237, 0.04846555, 0.00936552, 0.00174438, 0.00035317, 0.00008584]);
  });

  it("with tanh and a gate", async () => {
    const { weights } = await pool("gated-abmil", "tanh");
    expectEach(weights, [0.00535604, 0.01725232, 0.0494053, 0.11664909, 0.21292864, 0.29217125, 0.30623737]);
  });
});
