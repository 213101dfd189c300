import { existsSync, readFileSync } from "node:fs";
import { float32FromTensor, parseSafetensors } from "@parfocal/bags";
import { modelInputFromPorts } from "@parfocal/models";
import { runEagerly } from "@parfocal/tensor";
import { type CheckpointImport, importCheckpoint } from "@parfocal/training";
import { describe, expect, it } from "vitest";
import { encodeTorchFile, type TorchEntry } from "../lib/torch-file.ts";

/** Weights, input and logits of the public R2T program: see `r2t-n300.test.ts`. */
const GOLDEN = new URL("../../../shared/goldens/r2t_n300.safetensors", import.meta.url);
const hasGolden = existsSync(GOLDEN);
if (!hasGolden) console.warn("import-checkpoint.test.ts skips R2T: ../shared/goldens is not beside the repository");

/** Logits of an imported model on features `[N, D]`. */
function logitsOf(options: CheckpointImport, features: TorchEntry): number[] {
  const { model, weights } = importCheckpoint(options);
  const constants = model.parameters.map(({ name, shape }) => {
    const data = weights[name] ?? new Float32Array();
    return [name, { dtype: "f32" as const, shape, data }] as const;
  });
  const { logits } = runEagerly(
    {
      name: "imported",
      inputs: [{ name: "features", dtype: "f32", shape: ["N", model.config.dIn] }],
      constants: Object.fromEntries(constants),
      build: (tensors) => ({ logits: model.forward(modelInputFromPorts(tensors), tensors).logits }),
    },
    { features: { dtype: "f32", shape: features.shape, data: features.values } },
  );
  return Array.from(logits?.data ?? []);
}

function refusal(tensors: ReadonlyMap<string, TorchEntry>, settings: CheckpointImport["settings"] = {}): unknown {
  try {
    importCheckpoint({ bytes: encodeTorchFile(tensors), settings });
  } catch (error) {
    return error;
  }
  return undefined;
}

describe.skipIf(!hasGolden)("a checkpoint of the public R2T program", () => {
  const golden = new Map<string, TorchEntry>();
  const weights = new Map<string, TorchEntry>();
  for (const [name, tensor] of hasGolden ? parseSafetensors(readFileSync(GOLDEN)).tensors : []) {
    const entry = { shape: tensor.shape, values: Float32Array.from(float32FromTensor(tensor)) };
    golden.set(name, entry);
    if (name.startsWith("weights.")) weights.set(name.slice("weights.".length), entry);
  }

  it("predicts what the original predicts", () => {
    const bytes = encodeTorchFile(weights);
    const logits = logitsOf({ bytes, settings: {} }, golden.get("input") as TorchEntry);
    const expected = golden.get("logits")?.values ?? new Float32Array();
    for (const [k, value] of logits.entries()) expect(value).toBeCloseTo(expected[k] ?? Number.NaN, 5);
    expect(logits).toHaveLength(2);
  });

  it("gives what shapes cannot tell by settings, and refuses unknown ones", () => {
    const { model, settings } = importCheckpoint({
      bytes: encodeTorchFile(weights, "state_dict"),
      settings: { crmsa_heads: "1", all_shortcut: "true" },
      task: { kind: "binary", classes: ["luad", "lusc"] },
    });
    expect(model.config).toMatchObject({
      dIn: 64,
      reembed: { kind: "r2t", compat: "reference", epegKernel: 15, crmsaK: 3, crmsaHeads: 1, allShortcut: true },
      head: { kind: "abmil", hidden: [], attentionWidth: 128, attentionActivation: "tanh", attentionBias: false },
      task: { classes: ["luad", "lusc"], link: "softmax" },
    });
    expect(settings).toEqual([
      { name: "act", value: "relu", isDefault: true },
      { name: "all_shortcut", value: "true", isDefault: false },
      { name: "crmsa_heads", value: "1", isDefault: false },
      { name: "da_act", value: "tanh", isDefault: true },
      { name: "min_region_num", value: "0", isDefault: true },
      { name: "min_region_ratio", value: "0", isDefault: true },
      { name: "n_heads", value: "8", isDefault: true },
      { name: "region_num", value: "8", isDefault: true },
      { name: "region_size", value: "0", isDefault: true },
    ]);
    expect(refusal(weights, { crmsa_head: "1" })).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(refusal(weights, { crmsa_heads: "0" })).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(refusal(weights, { da_act: "elu" })).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it.each([
    ["a tensor is missing", (all: Map<string, TorchEntry>) => all.delete("online_encoder.norm.bias"), "SHAPE_MISMATCH"],
    [
      "a tensor is left over",
      (all: Map<string, TorchEntry>) => all.set("extra.weight", { shape: [1], values: new Float32Array(1) }),
      "SHAPE_MISMATCH",
    ],
    [
      "a tensor has another shape",
      (all: Map<string, TorchEntry>) => all.set("predictor.bias", { shape: [3], values: new Float32Array(3) }),
      "SHAPE_MISMATCH",
    ],
    [
      "a number is not finite",
      (all: Map<string, TorchEntry>) =>
        all.set("predictor.bias", { shape: [2], values: Float32Array.of(Number.NaN, 0) }),
      "NON_FINITE",
    ],
    [
      "it is of another program",
      (all: Map<string, TorchEntry>) => all.delete("patch_to_emb.0.weight"),
      "UNSUPPORTED_FORMAT",
    ],
  ])("is refused when %s", (_what, damage, code) => {
    const all = new Map(weights);
    damage(all);
    expect(refusal(all)).toMatchObject({ code });
  });
});

/** The specification's filler, exact in doubles. */
function filler(shape: readonly number[], seed: number, scale: number): TorchEntry {
  const size = shape.reduce((product, dim) => product * dim, 1);
  const value = (k: number) => ((31 * k * k + 7919 * k + 104_729 * seed + 13) % 1009) / 1009 - 0.5;
  return { shape, values: Float32Array.from({ length: size }, (_, k) => scale * value(k)) };
}

describe("a checkpoint of the public DSMIL aggregator", () => {
  const weights = new Map([
    ["i_classifier.fc.0.weight", filler([2, 4], 200, 0.5)],
    ["i_classifier.fc.0.bias", filler([2], 201, 0.5)],
    ["b_classifier.q.0.weight", filler([128, 4], 202, 0.5)],
    ["b_classifier.q.0.bias", filler([128], 203, 0.5)],
    ["b_classifier.q.2.weight", filler([128, 128], 204, 0.5)],
    ["b_classifier.q.2.bias", filler([128], 205, 0.5)],
    ["b_classifier.fcc.weight", filler([2, 2, 4], 206, 0.5)],
    ["b_classifier.fcc.bias", filler([2], 207, 0.5)],
  ]);

  it("predicts what the public program predicts (check F12)", () => {
    const logits = logitsOf({ bytes: encodeTorchFile(weights), settings: {} }, filler([5, 4], 9, 2));
    expect(logits[0]).toBeCloseTo(-0.09237508, 6);
    expect(logits[1]).toBeCloseTo(-0.225386, 6);
  });

  it("predicts the mean of both streams where the program averages them", () => {
    const bytes = encodeTorchFile(weights);
    const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));
    const logits = logitsOf({ bytes, settings: { decision: "mean" } }, filler([5, 4], 9, 2));
    // The bag's logits and the critical tiles' of check F12.
    const bag = [-0.09237508, -0.225386];
    const means = [0.24604796, 0.239492].map((z, k) => (sigmoid(z) + sigmoid(bag[k] ?? 0)) / 2);
    expect(logits).toHaveLength(2);
    for (const [k, mean] of means.entries()) expect(sigmoid(logits[k] ?? Number.NaN)).toBeCloseTo(mean, 6);
    const taken = importCheckpoint({ bytes, settings: {} }).settings;
    expect(taken).toEqual([{ name: "decision", value: "bag", isDefault: true }]);
    expect(refusal(weights, { decision: "max" })).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("takes what bags must be of", () => {
    const bytes = encodeTorchFile(weights);
    const settings = { encoder: "ours", tile_px: "256", mpp: "0.5", stride: "224" };
    const imported = importCheckpoint({ bytes, settings });
    expect(imported.expects).toEqual({ encoder: "ours", tilePx: 256, mpp: 0.5, stridePx: 224 });
    // They say nothing of the model: who reads the package finds them in what it expects.
    expect(imported.settings.map(({ name }) => name)).toEqual(["decision"]);
    expect(importCheckpoint({ bytes, settings: {} }).expects).toEqual({});
  });

  it("decides as the program does when classes are named, and another number of them is refused", () => {
    const bytes = encodeTorchFile(weights);
    const named = importCheckpoint({ bytes, settings: {}, task: { classes: ["a", "b"] } });
    expect(named.model.config.task).toMatchObject({ kind: "multilabel", classes: ["a", "b"], link: "sigmoid" });
    expect(() => importCheckpoint({ bytes, settings: {}, task: { classes: ["a"] } })).toThrow(
      "the checkpoint has 2 outputs; the task needs 1",
    );
  });

  it.each([
    [{ tile_px: "0" }, "INVALID_ARGUMENT", 'setting tile_px is "0"; it must be a number from 1 to 65536'],
    [{ mpp: "half" }, "INVALID_ARGUMENT", 'setting mpp is "half"; it must be a number from 0.001 to 1000'],
    [{ stride: "-1" }, "INVALID_ARGUMENT", 'setting stride is "-1"; it must be a number from 1 to 65536'],
    [{ encoder: "" }, "INVALID_ARGUMENT", "it must be a name of 1 to 200 characters"],
    [{ encoder: "UNI2-h" }, "GEOMETRY_MISMATCH", "emits 1536 features, the checkpoint takes 4"],
  ])("refuses bags that cannot be: %j", (settings, code, message) => {
    expect(refusal(weights, settings)).toMatchObject({ code, message: expect.stringContaining(message) as string });
  });

  it.each([
    [2, undefined],
    [1, undefined],
    [1, "relu"],
    [1, "none"],
    [2, "none"],
  ] as const)("predicts what plain loops do with %i query layers and learned values of %s", (nLayers, activation) => {
    const all = new Map(weights);
    if (nLayers === 1) {
      for (const name of ["q.0", "q.2"].flatMap((each) => [`${each}.weight`, `${each}.bias`]))
        all.delete(`b_classifier.${name}`);
      all.set("b_classifier.q.weight", filler([7, 4], 300, 1)).set("b_classifier.q.bias", filler([7], 301, 1));
    }
    if (activation !== undefined)
      all.set("b_classifier.v.1.weight", filler([4, 4], 302, 1)).set("b_classifier.v.1.bias", filler([4], 303, 1));
    const bag = filler([5, 4], 9, 2);
    const settings: Record<string, string> = activation === undefined ? {} : { v_act: activation };
    const logits = logitsOf({ bytes: encodeTorchFile(all), settings }, bag);
    for (const [k, value] of dsmilPlainly(all, bag, activation).entries()) expect(logits[k]).toBeCloseTo(value, 5);
    expect(logits).toHaveLength(2);
  });

  it.each([
    ["turned", [2, 4, 2]],
    ["cut otherwise", [2, 8]],
    ["cut otherwise", [2, 1, 8]],
  ])("is refused with a classifier of the bag that is %s, %j", (_what, shape) => {
    const turned = new Map(weights).set("b_classifier.fcc.weight", filler(shape, 206, 0.5));
    expect(refusal(turned)).toMatchObject({
      code: "SHAPE_MISMATCH",
      message: `b_classifier.fcc.weight of the checkpoint is [${shape.join(", ")}], not [2, 2, 4]`,
    });
  });

  it("is refused when the query network is missing, and with a setting that it has not", () => {
    const old = new Map(weights);
    old.delete("b_classifier.q.0.weight");
    expect(refusal(old)).toMatchObject({ code: "SHAPE_MISMATCH" });
    expect(refusal(weights, { v_act: "none" })).toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

/** The bag's logits of the DSMIL program, tile by tile. */
function dsmilPlainly(
  all: ReadonlyMap<string, TorchEntry>,
  bag: TorchEntry,
  activation: "relu" | "none" | undefined,
): number[] {
  const linear = (name: string, x: readonly number[]): number[] => {
    const { shape, values } = all.get(`${name}.weight`) as TorchEntry;
    const bias = all.get(`${name}.bias`)?.values;
    return Array.from({ length: shape[0] ?? 0 }, (_, o) =>
      x.reduce((sum, value, i) => sum + value * (values[o * x.length + i] ?? 0), bias?.[o] ?? 0),
    );
  };
  const relu = (x: readonly number[]) => x.map((value) => Math.max(value, 0));
  const query = (x: readonly number[]) =>
    all.has("b_classifier.q.weight")
      ? linear("b_classifier.q", x)
      : linear("b_classifier.q.2", relu(linear("b_classifier.q.0", x))).map(Math.tanh);
  const pooledValue = (x: readonly number[]): readonly number[] => {
    if (activation === undefined) return x;
    const value = linear("b_classifier.v.1", x);
    return activation === "relu" ? relu(value) : value;
  };
  const tiles = Array.from({ length: 5 }, (_, n) => Array.from(bag.values.slice(4 * n, 4 * n + 4)));
  const scores = tiles.map((tile) => linear("i_classifier.fc.0", tile));
  const pooled = [0, 1].map((k) => {
    const best = scores.reduce((most, row, n) => ((row[k] ?? 0) > (scores[most]?.[k] ?? 0) ? n : most), 0);
    const sought = query(tiles[best] ?? []);
    const alike = tiles.map((tile) => {
      const product = query(tile).reduce((sum, value, i) => sum + value * (sought[i] ?? 0), 0);
      return Math.exp(product / Math.sqrt(sought.length));
    });
    const total = alike.reduce((sum, value) => sum + value, 0);
    return [0, 1, 2, 3].map((c) =>
      tiles.reduce((sum, tile, n) => sum + ((alike[n] ?? 0) / total) * (pooledValue(tile)[c] ?? 0), 0),
    );
  });
  // The convolution over the embeddings of both classes is a linear layer of them in a row.
  return linear("b_classifier.fcc", pooled.flat());
}
