import { importCheckpoint } from "@parfocal/training";
import { describe, expect, it } from "vitest";
import { encodeTorchFile, type TorchEntry } from "../lib/torch-file.ts";
import { ACTIVATIONS, C, type Checkpoint, checkpointOf, D, encoderShapes, featuresOf, linearPlainly, normPlainly, PLAIN_POOLING, poolPlainly, rowsOf, runImported, type Variant } from "./r2t-checkpoint.ts"; // biome-ignore format: one line

const POOLING = { hidden: "attention.0", scores: "attention.2", activation: "tanh" } as const;
const HEADS = { n_heads: "2", crmsa_heads: "2" };

type Rows = readonly (readonly number[])[];

const sum = (a: readonly number[], b: readonly number[]) => a.map((value, i) => value + (b[i] ?? 0));

/** Depth-wise convolutions of the tiles laid out on a square of at least `minSide`, the first tiles again where it is not full. */
function convolve(checkpoint: Checkpoint, tiles: Rows, names: readonly string[], minSide: number): Rows {
  const root = Math.ceil(Math.sqrt(tiles.length));
  const side = Math.max(root, minSide);
  const filled = Array.from({ length: root * root }, (_, i) => tiles[i] ?? tiles[i - tiles.length] ?? []);
  // A square that is too small is filled behind its tiles, so rows shift.
  const at = (row: number, column: number, c: number): number =>
    row < 0 || row >= side || column < 0 || column >= side ? 0 : (filled[row * side + column]?.[c] ?? 0);
  return tiles.map((tile, i) =>
    tile.map((value, c) =>
      names.reduce((total, name) => {
        const { shape, values } = checkpoint.get(`online_encoder.pos_embedding.${name}.weight`) as TorchEntry;
        const k = shape[2] ?? 0;
        let result = total + (checkpoint.get(`online_encoder.pos_embedding.${name}.bias`)?.values[c] ?? 0);
        for (let a = 0; a < k; a++)
          for (let b = 0; b < k; b++)
            result +=
              (values[(c * k + a) * k + b] ?? 0) *
              at(Math.floor(i / side) + a - (k >> 1), (i % side) + b - (k >> 1), c);
        return result;
      }, value),
    ),
  );
}

/**
 * The encoder on a bag of at most 64 tiles, tile by tile: every tile is a region by itself, so R-MSA gives it its own projected
 * value and CR-MSA nothing.
 */
function encodePlainly(checkpoint: Checkpoint, nTiles: number, variant: Variant & Options): Rows {
  const { nRegional = 1, ffn, ffnAct = "gelu", place, hasCross = true } = variant;
  const kernels = { peg: ["proj"], ppeg: ["proj", "proj1", "proj2"], none: [] }[variant.position ?? "none"];
  const encode = (rows: Rows) => convolve(checkpoint, rows, kernels, variant.position === "ppeg" ? 7 : 1);
  const feedForward = (name: string, x: readonly number[]): readonly number[] => {
    if (ffn === undefined) return x;
    const hidden = linearPlainly(checkpoint, `${name}.mlp.fc1`, normPlainly(checkpoint, `${name}.norm2`, x));
    return sum(x, linearPlainly(checkpoint, `${name}.mlp.fc2`, hidden.map(ACTIVATIONS[ffnAct])));
  };
  const regional = (name: string, x: readonly number[]): readonly number[] => {
    const qkv = linearPlainly(checkpoint, `${name}.attn.attn.qkv`, normPlainly(checkpoint, `${name}.norm`, x));
    return feedForward(name, sum(x, linearPlainly(checkpoint, `${name}.attn.attn.proj`, qkv.slice(2 * C))));
  };
  let tiles: Rows = rowsOf(featuresOf(nTiles).values, D).map((x) =>
    linearPlainly(checkpoint, "patch_to_emb.0", x).map(ACTIVATIONS.relu),
  );
  if (place === "first") tiles = encode(tiles);
  for (let i = 0; i < nRegional; i++) {
    if (i === 1 && place === "second") tiles = encode(tiles);
    tiles = tiles.map((x) => regional(`online_encoder.layers.${i}`, x));
  }
  if (hasCross) tiles = tiles.map((x) => feedForward("online_encoder.cr_msa", x));
  return tiles.map((x) => normPlainly(checkpoint, "online_encoder.norm", x));
}

interface Options {
  readonly ffnAct?: "gelu" | "relu";
  /** Where the convolutions stand; absent: nowhere. */
  readonly place?: "first" | "second";
}

const VARIANTS: readonly (readonly [string, Variant & Options, Record<string, string>])[] = [
  ["nothing beyond", {}, {}],
  ["no bias of queries, keys and values, no EPEG", { hasQkvBias: false, hasEpeg: false }, {}],
  ["no CR-MSA", { hasCross: false }, {}],
  ["two regional blocks", { nRegional: 2 }, {}],
  ["feed-forward layers", { ffn: 64 }, {}],
  ["narrow feed-forward layers of ReLU", { ffn: 24, ffnAct: "relu" }, { ffn_act: "relu" }],
  ["PEG before the first block", { position: "peg", place: "first" }, { pos_pos: "-1" }],
  ["PEG before the second block", { position: "peg", nRegional: 2, place: "second" }, {}],
  ["PEG that is never reached", { position: "peg" }, {}],
  ["PPEG and feed-forward layers", { position: "ppeg", ffn: 64, place: "first" }, { pos_pos: "-1" }],
];

describe("an imported R2T checkpoint predicts what the original predicts", () => {
  it.each(VARIANTS)("with %s", (_name, variant, settings) => {
    const checkpoint = checkpointOf({ ...encoderShapes(variant), ...PLAIN_POOLING });
    for (const nTiles of [1, 9, 14]) {
      const expected = encodePlainly(checkpoint, nTiles, variant);
      const { logits, tiles } = runImported(checkpoint, { ...HEADS, ...settings }, nTiles);
      for (const [i, row] of expected.entries())
        for (const [c, value] of row.entries()) expect(tiles[i]?.[c]).toBeCloseTo(value, 4);
      for (const [k, value] of poolPlainly(checkpoint, expected, POOLING).entries())
        expect(logits[k]).toBeCloseTo(value, 4);
    }
  });

  it("as a model of several labels, with the one attention that it has", () => {
    const bytes = encodeTorchFile(checkpointOf({ ...encoderShapes(), ...PLAIN_POOLING }));
    const task = { kind: "multilabel", classes: ["a", "b", "c"] } as const;
    const { model } = importCheckpoint({ bytes, settings: HEADS, task });
    expect(model.config).toMatchObject({ task, head: { branches: "single" } });
  });

  it("takes halves and doubles, and refuses whole numbers", () => {
    const checkpoint = checkpointOf({ ...encoderShapes(), ...PLAIN_POOLING });
    const read = (convert: (values: Float32Array) => Float16Array | Float64Array | BigInt64Array) => {
      const entries = [...checkpoint].map(
        ([name, { shape, values }]) => [name, { shape, values: convert(values) }] as const,
      );
      return importCheckpoint({ bytes: encodeTorchFile(new Map(entries)), settings: HEADS }).weights;
    };
    const stem = checkpoint.get("patch_to_emb.0.weight")?.values ?? new Float32Array();
    expect(read((values) => Float64Array.from(values))["reembed.stem.weight"]).toEqual(stem);
    const halves = Float32Array.from(Float16Array.from(stem));
    expect(read((values) => Float16Array.from(values))["reembed.stem.weight"]).toEqual(halves);
    expect(() => read((values) => BigInt64Array.from(values, () => 1n))).toThrow("is I64; weights are floats");
  });

  it("reads regions from settings", () => {
    const bytes = encodeTorchFile(checkpointOf({ ...encoderShapes(), ...PLAIN_POOLING }));
    const read = (settings: Record<string, string>) => importCheckpoint({ bytes, settings: { ...HEADS, ...settings } });
    const settings = { region_size: "5", min_region_num: "3", min_region_ratio: "0.5" };
    expect(read(settings).model.config.reembed).toMatchObject({ regionSize: 5, minRegionNum: 3, minRegionRatio: 0.5 });
    expect(() => read({ min_region_ratio: "-1" })).toThrow("a number of at least 0");
    expect(() => read({ region_num: "0" })).toThrow("a whole number of at least 1");
    // Only a checkpoint that has such layers has the setting.
    expect(() => read({ ffn_act: "relu" })).toThrow("setting ffn_act");
  });

  it("refuses what the encoder here does not compute", () => {
    const shapes = { ...encoderShapes(), ...PLAIN_POOLING };
    const refuse = (change: Record<string, readonly number[]>) => () =>
      importCheckpoint({ bytes: encodeTorchFile(checkpointOf({ ...shapes, ...change })), settings: HEADS });
    const kernel = "online_encoder.layers.0.attn.attn.pe.weight";
    for (const shape of [
      [2, 1, 3, 3],
      [2, 3, 3],
      [2, 1, 3],
    ])
      expect(refuse({ [kernel]: shape })).toThrow(`${kernel} of the checkpoint is [${shape.join(", ")}]`);
    const project = "online_encoder.layers.0.attn.attn.proj.weight";
    expect(refuse({ [project]: [C, 1, C] })).toThrow(`${project} of the checkpoint is [16, 1, 16], not [16, 16]`);
    expect(refuse({ "online_encoder.layers.0.attn.to_qkv.weight": [3 * C, C] })).toThrow("that no model takes");
  });
});
