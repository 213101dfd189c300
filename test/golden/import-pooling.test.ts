import { modelInputFromPorts } from "@parfocal/models";
import { runEagerly, type tf } from "@parfocal/tensor";
import { importCheckpoint } from "@parfocal/training";
import { describe, expect, it } from "vitest";
import { encodeTorchFile, type TorchEntry } from "../lib/torch-file.ts";

// Legend: N tiles, D features, C width of the encoder, L width of the attention.
const [N, D, C, L] = [9, 6, 16, 8];

function entry(shape: readonly number[], seed: number): TorchEntry {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return { shape, values: Float32Array.from({ length: size }, (_, k) => 0.6 * Math.sin(1.7 * k + seed)) };
}

/** Shapes of a small R2T checkpoint without its pooling, in the public program's names. */
const ENCODER: Readonly<Record<string, readonly number[]>> = {
  "patch_to_emb.0.weight": [C, D],
  "patch_to_emb.0.bias": [C],
  "online_encoder.layers.0.norm.weight": [C],
  "online_encoder.layers.0.norm.bias": [C],
  "online_encoder.layers.0.attn.attn.qkv.weight": [3 * C, C],
  "online_encoder.layers.0.attn.attn.qkv.bias": [3 * C],
  "online_encoder.layers.0.attn.attn.proj.weight": [C, C],
  "online_encoder.layers.0.attn.attn.proj.bias": [C],
  "online_encoder.layers.0.attn.attn.pe.weight": [2, 1, 3, 1],
  "online_encoder.layers.0.attn.attn.pe.bias": [2],
  "online_encoder.cr_msa.norm.weight": [C],
  "online_encoder.cr_msa.norm.bias": [C],
  "online_encoder.cr_msa.attn.phi": [C, 2],
  "online_encoder.cr_msa.attn.attn.qkv.weight": [3 * C, C],
  "online_encoder.cr_msa.attn.attn.qkv.bias": [3 * C],
  "online_encoder.cr_msa.attn.attn.proj.weight": [C, C],
  "online_encoder.cr_msa.attn.attn.proj.bias": [C],
  "online_encoder.norm.weight": [C],
  "online_encoder.norm.bias": [C],
  "predictor.weight": [3, C],
  "predictor.bias": [3],
};

interface Pooling {
  /** Names of the hidden layer, the gate's (if any) and the scores', below `pool_fn.attention`. */
  readonly names: readonly [hidden: string, gate: string | undefined, scores: string];
  readonly hasBias: boolean;
  readonly activation: "tanh" | "relu" | "gelu";
}

const PLAIN = ["attention.0", undefined, "attention.2"] as const;
/** With dropout between them. */
const DROPPED = ["attention.0", undefined, "attention.3"] as const;
const GATED = ["attention_a.0", "attention_b.0", "attention_c"] as const;

const POOLINGS: readonly Pooling[] = [
  { names: PLAIN, hasBias: false, activation: "tanh" },
  { names: PLAIN, hasBias: false, activation: "relu" },
  { names: PLAIN, hasBias: true, activation: "gelu" },
  { names: DROPPED, hasBias: true, activation: "relu" },
  { names: GATED, hasBias: false, activation: "relu" },
  { names: GATED, hasBias: true, activation: "tanh" },
];

function checkpointOf({ names: [hidden, gate, scores], hasBias }: Pooling): Map<string, TorchEntry> {
  const layers: [string, number, number][] = [[hidden, L, C], ...(gate ? [[gate, L, C] as [string, number, number]] : []), [scores, 1, L]]; // biome-ignore format: one line
  const pooling = layers.flatMap(([name, nOut, nIn]): [string, readonly number[]][] => [
    [`pool_fn.attention.${name}.weight`, [nOut, nIn]],
    ...(hasBias ? [[`pool_fn.attention.${name}.bias`, [nOut]] as [string, number[]]] : []),
  ]);
  const shapes = [...Object.entries(ENCODER), ...pooling];
  return new Map(shapes.map(([name, shape], i) => [name, entry(shape, i)]));
}

/** erf by its series, enough digits for arguments below 3. */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; n < 60; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const ACTIVATIONS = {
  tanh: Math.tanh,
  relu: (x: number) => Math.max(x, 0),
  gelu: (x: number) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
};

/** Pooling and classifier as the public program formulates them, tile by tile in f64, scores' bias included. */
function poolPlainly(tiles: readonly number[][], all: ReadonlyMap<string, TorchEntry>, pooling: Pooling): number[] {
  const [hidden, gate, scores] = pooling.names;
  const linear = (x: readonly number[], name: string): number[] => {
    const { shape, values } = all.get(`${name}.weight`) as TorchEntry;
    const [nOut = 0, nIn = 0] = shape;
    const bias = all.get(`${name}.bias`)?.values;
    return Array.from({ length: nOut }, (_, o) =>
      x.reduce((sum, value, i) => sum + value * (values[o * nIn + i] ?? 0), bias?.[o] ?? 0),
    );
  };
  const logits = tiles.map((tile) => {
    const a = linear(tile, `pool_fn.attention.${hidden}`).map(ACTIVATIONS[pooling.activation]);
    const b = gate === undefined ? undefined : linear(tile, `pool_fn.attention.${gate}`);
    const mixed = a.map((value, i) => (b === undefined ? value : value / (1 + Math.exp(-(b[i] ?? 0)))));
    return linear(mixed, `pool_fn.attention.${scores}`)[0] ?? Number.NaN;
  });
  const total = logits.reduce((sum, z) => sum + Math.exp(z), 0);
  const pooled = Array.from({ length: C }, (_, c) =>
    tiles.reduce((sum, tile, n) => sum + (Math.exp(logits[n] ?? 0) / total) * (tile[c] ?? 0), 0),
  );
  return linear(pooled, "predictor");
}

function settingsOf({ activation }: Pooling): Record<string, string> {
  return { n_heads: "2", crmsa_heads: "2", da_act: activation };
}

describe("pooling of an imported R2T checkpoint", () => {
  it.each(POOLINGS)("is the original's: $names, biases $hasBias, $activation", (pooling) => {
    const all = checkpointOf(pooling);
    const { model, weights } = importCheckpoint({ bytes: encodeTorchFile(all), settings: settingsOf(pooling) });
    const constants = model.parameters.map(({ name, shape }) => {
      return [name, { dtype: "f32" as const, shape, data: weights[name] ?? new Float32Array() }] as const;
    });
    const features = entry([N, D], 77);
    const { logits, tiles } = runEagerly(
      {
        name: "imported",
        inputs: [{ name: "features", dtype: "f32", shape: ["N", D] }],
        constants: Object.fromEntries(constants),
        build(tensors) {
          const { stem, body } = model.stages;
          const { tiles: rows } = body({ tiles: stem(tensors.features as tf.Tensor2D, tensors) }, tensors);
          return { logits: model.forward(modelInputFromPorts(tensors), tensors).logits, tiles: rows };
        },
      },
      { features: { dtype: "f32", shape: features.shape, data: features.values } },
    );
    const rows = Array.from({ length: N }, (_, n) => Array.from(tiles?.data.slice(n * C, (n + 1) * C) ?? []));
    const expected = poolPlainly(rows, all, pooling);
    // f32 sums over 16 features.
    for (const [k, value] of expected.entries()) expect(logits?.data[k]).toBeCloseTo(value, 5);
    expect(logits?.data).toHaveLength(3);
  });

  it("is told apart by the activation, which the file does not tell", () => {
    const [pooling] = POOLINGS as readonly [Pooling, ...Pooling[]];
    const all = checkpointOf(pooling);
    const read = (activation: Pooling["activation"]) =>
      importCheckpoint({ bytes: encodeTorchFile(all), settings: settingsOf({ ...pooling, activation }) }).model.config;
    expect(read("relu").head).toMatchObject({ kind: "abmil", attentionActivation: "relu", attentionBias: false });
    expect(read("tanh").head).toMatchObject({ attentionActivation: "tanh" });
  });

  it("is refused when a layer is missing or has another width", () => {
    const [, gated] = [POOLINGS[0], POOLINGS[4]] as [Pooling, Pooling];
    const refuse = (name: string, change: TorchEntry | undefined) => {
      const all = checkpointOf(gated);
      if (change === undefined) all.delete(name);
      else all.set(name, change);
      return () => importCheckpoint({ bytes: encodeTorchFile(all), settings: settingsOf(gated) });
    };
    const gate = "pool_fn.attention.attention_b.0.weight";
    expect(refuse(gate, undefined)).toThrow(`the checkpoint has no tensor ${gate}`);
    expect(refuse(gate, entry([L + 1, C], 1))).toThrow(`${gate} of the checkpoint is [9, 16], not [8, 16]`);
    expect(refuse("pool_fn.attention.attention_c.weight", undefined)).toThrow(
      "no tensor pool_fn.attention.attention.0",
    );
  });
});
