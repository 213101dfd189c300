/**
 * @file The tiny model of checks F5 and F6: one RoFormer block and class attention, filled by the specifications' filler.
 */
import { buildModel, type Model } from "../build-model.ts";
import { doubleFiller } from "./eager-model.ts";

const TASK = { kind: "binary", classes: ["no", "yes"] };
const TINY_BLOCK = { kind: "roformer", width: 16, heads: 2, mlpRatio: 4 };

/** The head of F5. */
export const TINY_HEAD = { kind: "class-attention", hidden: [16], attentionWidth: 8, heads: 2 };

/** Names of the tiny model of F5 with the seeds of its filler. */
const SEEDS: Readonly<Record<string, number>> = {
  "reembed.blocks.0.norm1.weight": 100,
  "reembed.blocks.0.norm1.bias": 101,
  "reembed.blocks.0.qkv.weight": 102,
  "reembed.blocks.0.qkv.bias": 103,
  "reembed.blocks.0.out.weight": 104,
  "reembed.blocks.0.out.bias": 105,
  "reembed.blocks.0.norm2.weight": 106,
  "reembed.blocks.0.norm2.bias": 107,
  "reembed.blocks.0.mlp.0.weight": 108,
  "reembed.blocks.0.mlp.0.bias": 109,
  "reembed.blocks.0.mlp.1.weight": 110,
  "reembed.blocks.0.mlp.1.bias": 111,
  "head.trunk.0.weight": 112,
  "head.trunk.0.bias": 113,
  "head.tokens": 114,
  "head.attention.k.weight": 115,
  "head.attention.k.bias": 116,
  "head.attention.v.weight": 117,
  "head.attention.v.bias": 118,
  "head.attention.out.weight": 119,
  "head.attention.out.bias": 120,
  "reembed.input.weight": 125,
  "reembed.input.bias": 126,
};

/** The weights of F5: a = 0.5, scales of norms 1 + a·val, one linear layer of its own for each class. */
export function f5Weights(): Record<string, number[]> {
  const model = tinyModel();
  const drawn = model.parameters.flatMap(({ name, shape }): [string, number[]][] => {
    const seed = SEEDS[name];
    if (seed === undefined) return [];
    const values = doubleFiller(shape.reduce((a, b) => a * b, 1), seed, 0.5); // biome-ignore format: one line
    return [[name, /norm\d\.weight$/.test(name) ? values.map((value) => 1 + value) : values]];
  });
  return {
    ...Object.fromEntries(drawn),
    "head.classifier.weight": [...doubleFiller(16, 121, 0.5), ...doubleFiller(16, 123, 0.5)],
    "head.classifier.bias": [...doubleFiller(1, 122, 0.5), ...doubleFiller(1, 124, 0.5)],
  };
}

/** The model of F5, with another re-embedder where told. */
export function tinyModel(reembed: Record<string, unknown> = {}): Model {
  return buildModel({ dIn: 6, reembed: { ...TINY_BLOCK, ...reembed }, head: TINY_HEAD, task: TASK });
}

/** The two slides of F5. */
export const SLIDES = [
  { features: doubleFiller(18, 7, 2), grid: [0, 0, 1, 0, 2, 3] },
  { features: doubleFiller(12, 8, 2), grid: [4, 4, 0, 1] },
] as const;
