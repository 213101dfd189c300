import { existsSync, readFileSync } from "node:fs";
import { float32FromTensor, parseSafetensors } from "@parfocal/bags";
import { buildModel, modelInputFromPorts } from "@parfocal/models";
import {
  type CaptureOptions,
  type ConstantTensor,
  captureGraph,
  runEagerly,
  softmaxCrossEntropy,
  tf,
} from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { inDoublePrecision } from "../../libs/tensor/src/testing/double-precision.ts";
import { runGraph } from "../../libs/tensor/src/testing/run-graph.ts";

/**
 * Weights, input, results and gradients of the public program (DearCaat/RRT-MIL at 7ecbdfb), forward and backward in f64, stored
 * in f32: 300 tiles of 64 features, 8 x 8 regions, EPEG of 15 taps, 3 representatives, attention pooling with tanh.
 */
const GOLDEN = new URL("../../../shared/goldens/r2t_n300.safetensors", import.meta.url);
const hasGolden = existsSync(GOLDEN);
if (!hasGolden) console.warn("r2t-n300.test.ts is skipped: ../shared/goldens is not beside the repository");

/** Rounding in f32, relative to the largest element of each tensor. */
const TOLERANCE = 1e-5;

const ENCODER = "online_encoder";
/** The public program's names for ours. */
const NAMES: Readonly<Record<string, string>> = {
  "reembed.stem": "patch_to_emb.0",
  "reembed.regional.0.norm": `${ENCODER}.layers.0.norm`,
  "reembed.regional.0.qkv": `${ENCODER}.layers.0.attn.attn.qkv`,
  "reembed.regional.0.proj": `${ENCODER}.layers.0.attn.attn.proj`,
  "reembed.regional.0.epeg": `${ENCODER}.layers.0.attn.attn.pe`,
  "reembed.cross.norm": `${ENCODER}.cr_msa.norm`,
  "reembed.cross.qkv": `${ENCODER}.cr_msa.attn.attn.qkv`,
  "reembed.cross.proj": `${ENCODER}.cr_msa.attn.attn.proj`,
  "reembed.norm": `${ENCODER}.norm`,
  "head.attention.w": "pool_fn.attention.attention.2",
  "head.classifier": "predictor",
};
const SPECIAL: Readonly<Record<string, string>> = {
  "reembed.cross.phi.weight": `${ENCODER}.cr_msa.attn.phi`,
  "head.attention.v.weight": "pool_fn.attention.attention.0.weight",
};

function publicName(name: string): string {
  const [prefix, part] = [name.slice(0, name.lastIndexOf(".")), name.slice(name.lastIndexOf(".") + 1)];
  return SPECIAL[name] ?? `${NAMES[prefix] ?? "unknown"}.${part}`;
}

const model = buildModel({
  dIn: 64,
  reembed: { kind: "r2t" },
  head: { kind: "abmil", hidden: [], attentionWidth: 128 },
  task: { kind: "binary", classes: ["no", "yes"] },
});

function options(nTiles: number | "N", label: number): CaptureOptions {
  const names = model.parameters.map(({ name }) => name);
  return {
    name: "r2t-n300",
    inputs: [
      { name: "features", dtype: "f32", shape: [nTiles, 64] },
      ...model.parameters.map(({ name, shape }) => ({ name, dtype: "f32" as const, shape })),
    ],
    build(tensors) {
      const { features } = modelInputFromPorts(tensors);
      const tiles = model.stages.body({ tiles: model.stages.stem(features, tensors) }, tensors).tiles;
      const { logits } = model.stages.head(tiles, tensors);
      const target = tf.tensor2d([[1 - label, label]]);
      const lossOf = (...values: tf.Tensor[]): tf.Scalar => {
        const given = Object.fromEntries(values.map((value, i) => [names[i] ?? "", value]));
        const output = model.forward({ features }, { ...tensors, ...given });
        return tf.sum(softmaxCrossEntropy(tf.reshape(output.logits, [1, 2]), target));
      };
      const { value, grads } = tf.valueAndGrads(lossOf)(names.map((name) => tensors[name] as tf.Tensor));
      return {
        tiles,
        logits,
        loss: value,
        ...Object.fromEntries(names.map((name, i) => [`d.${name}`, grads[i] as tf.Tensor])),
      };
    },
  };
}

type Golden = ReadonlyMap<string, Float32Array>;

function readGolden(): { golden: Golden; gradientSum: number } {
  const { tensors, metadata } = parseSafetensors(readFileSync(GOLDEN));
  const golden = new Map([...tensors].map(([name, tensor]) => [name, float32FromTensor(tensor)]));
  return { golden, gradientSum: Number(metadata.grad_l1_total) };
}

function feeds(golden: Golden): Record<string, ConstantTensor> {
  const f32 = (shape: readonly number[], data: Float32Array | undefined): ConstantTensor => {
    const size = shape.reduce((product, dim) => product * dim, 1);
    return { dtype: "f32", shape, data: Float32Array.from(data ?? new Array<number>(size).fill(0)) };
  };
  return {
    features: f32([300, 64], golden.get("input")),
    // The public program has no bias before the tanh: it stays zero.
    ...Object.fromEntries(
      model.parameters.map(({ name, shape }) => [name, f32(shape, golden.get(`weights.${publicName(name)}`))]),
    ),
  };
}

/** The largest difference, relative to the largest expected magnitude. */
function relativeDistance(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  const scale = Array.from(expected).reduce((largest, x) => Math.max(largest, Math.abs(x)), 0);
  return (
    Array.from(expected).reduce((worst, x, i) => Math.max(worst, Math.abs((actual[i] ?? Number.NaN) - x)), 0) / scale
  );
}

function expectGolden(
  results: Readonly<Record<string, { data: ArrayLike<number> }>>,
  golden: Golden,
  gradientSum: number,
): void {
  const tiles = Array.from(results.tiles?.data ?? []);
  const distances: Record<string, number> = {
    logits: relativeDistance(results.logits?.data ?? [], golden.get("logits") ?? [1]),
    loss: relativeDistance(results.loss?.data ?? [], golden.get("loss") ?? [1]),
    first: relativeDistance(tiles.slice(0, 8 * 512), golden.get("reembedded_first8") ?? [1]),
    last: relativeDistance(tiles.slice(-8 * 512), golden.get("reembedded_last8") ?? [1]),
  };
  let sum = 0;
  for (const { name } of model.parameters) {
    const gradient = Array.from(results[`d.${name}`]?.data ?? []);
    const expected = golden.get(`grad.${publicName(name)}`);
    if (expected !== undefined) distances[name] = relativeDistance(gradient, expected);
    if (name !== "head.attention.v.bias") sum += gradient.reduce((total, x) => total + Math.abs(x), 0);
  }
  distances["sum of all gradients"] = Math.abs(sum / gradientSum - 1);
  expect(Object.keys(distances)).toHaveLength(10);
  expect(Object.entries(distances).filter(([, distance]) => !(distance <= TOLERANCE))).toEqual([]);
}

describe.skipIf(!hasGolden)("R2T gives what the public program gives on 300 tiles", () => {
  const { golden, gradientSum } = hasGolden
    ? readGolden()
    : { golden: new Map<string, Float32Array>(), gradientSum: 0 };
  const [no = 0, yes = 0] = golden.get("logits") ?? [];
  // The file names no label; of the two losses that the logits allow it holds one.
  const loss = golden.get("loss")?.[0] ?? 0;
  const label = Math.abs(Math.log1p(Math.exp(no - yes)) - loss) < 1e-4 ? 1 : 0;

  it("has weights for every parameter but the bias that is zero", () => {
    const missing = model.parameters
      .map(({ name }) => name)
      .filter((name) => !golden.has(`weights.${publicName(name)}`));
    expect(missing).toEqual(["head.attention.v.bias"]);
    expect([...golden.keys()].filter((name) => name.startsWith("weights."))).toHaveLength(model.parameters.length - 1);
  });

  it("through the captured graph and its gradients, N free", async () => {
    expectGolden(await runGraph(captureGraph(options("N", label)), feeds(golden)), golden, gradientSum);
  });

  it("through the captured graph and its gradients, N fixed", async () => {
    expectGolden(await runGraph(captureGraph(options(300, label)), feeds(golden)), golden, gradientSum);
  });

  it("eagerly in f64", () => {
    const results = inDoublePrecision(() => runEagerly(options(300, label), feeds(golden)));
    expectGolden(results, golden, gradientSum);
  });
});
