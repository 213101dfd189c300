/**
 * Small checkpoints in the layout of the public R2T program, and its layers in plain loops, tile by tile in f64. Legend: D features,
 * C width of the encoder, L width of the attention.
 */
import { runEagerly, type tf } from "@parfocal/tensor";
import { importCheckpoint } from "@parfocal/training";
import { encodeTorchFile, type TorchEntry } from "../lib/torch-file.ts";

/** Sizes of the checkpoints. */
export const [D, C, L] = [6, 16, 8];

/** Tensors of a checkpoint by name. */
export type Checkpoint = ReadonlyMap<string, TorchEntry>;

/** A tensor of smooth numbers. */
export function entry(shape: readonly number[], seed: number): TorchEntry {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return { shape, values: Float32Array.from({ length: size }, (_, k) => 0.6 * Math.sin(1.7 * k + seed)) };
}

/** What a checkpoint may have beyond the usual. */
export interface Variant {
  readonly nRegional?: number;
  /** Width of the feed-forward layers. */
  readonly ffn?: number;
  readonly position?: "peg" | "ppeg";
  readonly hasQkvBias?: boolean;
  readonly hasEpeg?: boolean;
  readonly hasCross?: boolean;
}

type Shapes = Record<string, readonly number[]>;

function blockShapes(name: string, { ffn, hasQkvBias = true }: Variant): Shapes {
  return {
    [`${name}.norm.weight`]: [C],
    [`${name}.norm.bias`]: [C],
    [`${name}.attn.attn.qkv.weight`]: [3 * C, C],
    ...(hasQkvBias && { [`${name}.attn.attn.qkv.bias`]: [3 * C] }),
    [`${name}.attn.attn.proj.weight`]: [C, C],
    [`${name}.attn.attn.proj.bias`]: [C],
    ...(ffn !== undefined && {
      [`${name}.norm2.weight`]: [C],
      [`${name}.norm2.bias`]: [C],
      [`${name}.mlp.fc1.weight`]: [ffn, C],
      [`${name}.mlp.fc1.bias`]: [ffn],
      [`${name}.mlp.fc2.weight`]: [C, ffn],
      [`${name}.mlp.fc2.bias`]: [C],
    }),
  };
}

/** Shapes of a checkpoint of three classes, but for its pooling. */
export function encoderShapes(variant: Variant = {}): Shapes {
  const { nRegional = 1, position, hasEpeg = true, hasCross = true } = variant;
  const regional = Array.from({ length: nRegional }, (_, i): Shapes => {
    const name = `online_encoder.layers.${i}`;
    const epeg = { [`${name}.attn.attn.pe.weight`]: [2, 1, 3, 1], [`${name}.attn.attn.pe.bias`]: [2] };
    return { ...blockShapes(name, variant), ...(hasEpeg && epeg) };
  });
  const kernels = { peg: [["proj", 3]], ppeg: [["proj", 3], ["proj1", 5], ["proj2", 3]] } as const; // biome-ignore format: one line
  const square = (position === undefined ? [] : kernels[position]).map(([name, k]): Shapes => {
    const convolution = `online_encoder.pos_embedding.${name}`;
    return { [`${convolution}.weight`]: [C, 1, k, k], [`${convolution}.bias`]: [C] };
  });
  const cross = { ...blockShapes("online_encoder.cr_msa", variant), "online_encoder.cr_msa.attn.phi": [C, 2] };
  return {
    "patch_to_emb.0.weight": [C, D],
    "patch_to_emb.0.bias": [C],
    ...Object.assign({}, ...regional, ...square, hasCross ? cross : {}),
    "online_encoder.norm.weight": [C],
    "online_encoder.norm.bias": [C],
    "predictor.weight": [3, C],
    "predictor.bias": [3],
  } as Shapes;
}

/** The usual pooling, without biases. */
export const PLAIN_POOLING: Shapes = {
  "pool_fn.attention.attention.0.weight": [L, C],
  "pool_fn.attention.attention.2.weight": [1, L],
};

/** A checkpoint of these shapes. */
export function checkpointOf(shapes: Shapes): Map<string, TorchEntry> {
  return new Map(Object.entries(shapes).map(([name, shape], i) => [name, entry(shape, i)]));
}

/** Logits and re-embedded tiles that the import of a checkpoint gives, eagerly in f32. */
export function runImported(
  checkpoint: Checkpoint,
  settings: Readonly<Record<string, string>>,
  nTiles: number,
): { readonly logits: number[]; readonly tiles: number[][] } {
  const { model, weights } = importCheckpoint({ bytes: encodeTorchFile(checkpoint), settings });
  const constants = model.parameters.map(({ name, shape }) => {
    return [name, { dtype: "f32" as const, shape, data: weights[name] ?? new Float32Array() }] as const;
  });
  const { logits, tiles } = runEagerly(
    {
      name: "imported",
      inputs: [{ name: "features", dtype: "f32", shape: ["N", D] }],
      constants: Object.fromEntries(constants),
      build(tensors) {
        const { stem, body, head } = model.stages;
        const { tiles: rows } = body({ tiles: stem(tensors.features as tf.Tensor2D, tensors) }, tensors);
        return { logits: head(rows, tensors).logits, tiles: rows };
      },
    },
    { features: { dtype: "f32", shape: [nTiles, D], data: featuresOf(nTiles).values } },
  );
  return { logits: Array.from(logits?.data ?? []), tiles: rowsOf(tiles?.data ?? [], C) };
}

/** The features that {@link runImported} gives the model. */
export function featuresOf(nTiles: number): TorchEntry {
  return entry([nTiles, D], 77);
}

/** A row-major matrix as rows. */
export function rowsOf(values: ArrayLike<number>, width: number): number[][] {
  return Array.from({ length: values.length / width }, (_, n) => Array.from(values).slice(n * width, (n + 1) * width));
}

/** `W x + b` of a layer of the checkpoint; without a bias where it has none. */
export function linearPlainly(checkpoint: Checkpoint, name: string, x: readonly number[]): number[] {
  const { shape, values } = checkpoint.get(`${name}.weight`) as TorchEntry;
  const [nOut = 0, nIn = 0] = shape;
  const bias = checkpoint.get(`${name}.bias`)?.values;
  return Array.from({ length: nOut }, (_, o) =>
    x.reduce((sum, value, i) => sum + value * (values[o * nIn + i] ?? 0), bias?.[o] ?? 0),
  );
}

/** A layer norm of the checkpoint, ε 1e-5. */
export function normPlainly(checkpoint: Checkpoint, name: string, x: readonly number[]): number[] {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
  const [gain, shift] = ["weight", "bias"].map((part) => checkpoint.get(`${name}.${part}`)?.values);
  return x.map((value, i) => ((value - mean) / Math.sqrt(variance + 1e-5)) * (gain?.[i] ?? 1) + (shift?.[i] ?? 0));
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

/** The program's activations by their names there. */
export const ACTIVATIONS: Readonly<Record<"tanh" | "relu" | "gelu", (x: number) => number>> = {
  tanh: Math.tanh,
  relu: (x) => Math.max(x, 0),
  gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
};

/** Layers of a pooling by their names below `pool_fn.attention`. */
export interface PoolingNames {
  readonly hidden: string;
  readonly gate?: string;
  readonly scores: string;
  readonly activation: keyof typeof ACTIVATIONS;
}

/** Pooling and classifier, the scores' bias included. */
export function poolPlainly(
  checkpoint: Checkpoint,
  tiles: readonly (readonly number[])[],
  { hidden, gate, scores, activation }: PoolingNames,
): number[] {
  const layer = (name: string, x: readonly number[]) => linearPlainly(checkpoint, `pool_fn.attention.${name}`, x);
  const logits = tiles.map((tile) => {
    const a = layer(hidden, tile).map(ACTIVATIONS[activation]);
    const b = gate === undefined ? undefined : layer(gate, tile);
    return layer(scores, a.map((value, i) => (b === undefined ? value : value / (1 + Math.exp(-(b[i] ?? 0))))))[0] ?? 0; // biome-ignore format: one line
  });
  const total = logits.reduce((sum, z) => sum + Math.exp(z), 0);
  const pooled = Array.from({ length: C }, (_, c) =>
    tiles.reduce((sum, tile, n) => sum + (Math.exp(logits[n] ?? 0) / total) * (tile[c] ?? 0), 0),
  );
  return linearPlainly(checkpoint, "predictor", pooled);
}
