import { modelInputFromPorts } from "@parfocal/models";
import { runEagerly } from "@parfocal/tensor";
import { type CheckpointImport, importCheckpoint } from "@parfocal/training";
import { describe, expect, it } from "vitest";
import { encodeTorchFile, type TorchEntry } from "../lib/torch-file.ts";

// Legend: N tiles, D features, W width, L attention width, K classes.
const [N, D, W, L, K] = [7, 6, 5, 4, 3] as const;

/** The specification's filler, exact in doubles. */
function filler(shape: readonly number[], seed: number, scale = 1): TorchEntry {
  const size = shape.reduce((product, dim) => product * dim, 1);
  const value = (k: number) => ((31 * k * k + 7919 * k + 104_729 * seed + 13) % 1009) / 1009 - 0.5;
  return { shape, values: Float32Array.from({ length: size }, (_, k) => scale * value(k)) };
}

interface Variant {
  /** Whether every class has an attention and a classifier of its own: CLAM-MB. */
  readonly isMulti: boolean;
  /** Number of the attention in the program's stack. */
  readonly place: 2 | 3;
  /** What the program calls the stack. */
  readonly stack: "attention_net" | "attention_net.module";
}

const SB: Variant = { isMulti: false, place: 3, stack: "attention_net" };

/** A checkpoint with the names that the program gives. */
function checkpointOf({ isMulti, place, stack }: Variant): Map<string, TorchEntry> {
  const attention = `${stack}.${place}`;
  const shapes: Record<string, readonly number[]> = {
    [`${stack}.0.weight`]: [W, D],
    [`${stack}.0.bias`]: [W],
    [`${attention}.attention_a.0.weight`]: [L, W],
    [`${attention}.attention_a.0.bias`]: [L],
    [`${attention}.attention_b.0.weight`]: [L, W],
    [`${attention}.attention_b.0.bias`]: [L],
    [`${attention}.attention_c.weight`]: [isMulti ? K : 1, L],
    [`${attention}.attention_c.bias`]: [isMulti ? K : 1],
    ...(!isMulti && { "classifiers.weight": [K, W], "classifiers.bias": [K] }),
  };
  for (let c = 0; c < K; c++) {
    if (isMulti) Object.assign(shapes, { [`classifiers.${c}.weight`]: [1, W], [`classifiers.${c}.bias`]: [1] });
    Object.assign(shapes, { [`instance_classifiers.${c}.weight`]: [2, W], [`instance_classifiers.${c}.bias`]: [2] });
  }
  return new Map(Object.entries(shapes).map(([name, shape], i) => [name, filler(shape, 600 + i, 2)]));
}

function logitsOf(options: CheckpointImport, features: TorchEntry): number[] {
  const { model, weights } = importCheckpoint(options);
  const constants = model.parameters.map(({ name, shape }) => {
    return [name, { dtype: "f32" as const, shape, data: weights[name] ?? new Float32Array() }] as const;
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

/** The bag's logits of the CLAM program, tile by tile. */
function clamPlainly(
  all: ReadonlyMap<string, TorchEntry>,
  bag: TorchEntry,
  { isMulti, place, stack }: Variant,
): number[] {
  const linear = (name: string, x: readonly number[]): number[] => {
    const { shape, values } = all.get(`${name}.weight`) as TorchEntry;
    const bias = all.get(`${name}.bias`)?.values;
    return Array.from({ length: shape[0] ?? 0 }, (_, o) =>
      x.reduce((sum, value, i) => sum + value * (values[o * x.length + i] ?? 0), bias?.[o] ?? 0),
    );
  };
  const tiles = Array.from({ length: N }, (_, n) => {
    const tile = Array.from(bag.values.slice(D * n, D * n + D));
    return linear(`${stack}.0`, tile).map((value) => Math.max(value, 0));
  });
  const scores = tiles.map((tile) => {
    const v = linear(`${stack}.${place}.attention_a.0`, tile).map(Math.tanh);
    const u = linear(`${stack}.${place}.attention_b.0`, tile).map((value) => 1 / (1 + Math.exp(-value)));
    return linear(`${stack}.${place}.attention_c`, v.map((value, i) => value * (u[i] ?? 0))); // biome-ignore format: one line
  });
  const pooledBy = (branch: number): number[] => {
    const powers = scores.map((row) => Math.exp(row[branch] ?? 0));
    const total = powers.reduce((sum, value) => sum + value, 0);
    return Array.from({ length: W }, (_, c) =>
      tiles.reduce((sum, tile, n) => sum + ((powers[n] ?? 0) / total) * (tile[c] ?? 0), 0),
    );
  };
  if (!isMulti) return linear("classifiers", pooledBy(0));
  return Array.from({ length: K }, (_, c) => linear(`classifiers.${c}`, pooledBy(c))[0] ?? Number.NaN);
}

describe("a checkpoint of the public CLAM program", () => {
  const bag = filler([N, D], 9, 2);

  it.each([
    ["CLAM-SB", SB],
    ["CLAM-SB without dropout", { ...SB, place: 2 }],
    ["CLAM-SB trained on several devices", { ...SB, stack: "attention_net.module" }],
    ["CLAM-MB", { ...SB, isMulti: true }],
  ] as const)("predicts what plain loops do: %s", (_what, variant) => {
    const all = checkpointOf(variant);
    const logits = logitsOf({ bytes: encodeTorchFile(all), settings: {} }, bag);
    expect(logits).toHaveLength(K);
    // f32 sums over 6 features.
    for (const [k, value] of clamPlainly(all, bag, variant).entries()) expect(logits[k]).toBeCloseTo(value, 5);
  });

  /** The file of a state dict whose names have `prefix` in front, with what else is in it. */
  const fileOf = (prefix: string, others: readonly string[]): Uint8Array => {
    const own = [...checkpointOf(SB)].map(([name, tensor]) => [prefix + name, tensor] as const);
    const rest = others.map((name) => [name, filler([3, 2], 1)] as const);
    return encodeTorchFile(new Map([...own, ...rest]), "");
  };

  it.each([
    ["alone", "", []],
    ["beside an optimiser's state", "model.", ["optimizer.state.0.exp_avg", "optimizer.state.0.step", "loss"]],
    ["under state_dict, beside a loss", "state_dict.", ["loss"]],
    [
      "under model_state_dict, beside an optimiser's state",
      "model_state_dict.",
      ["optimizer_state_dict.state.0.exp_avg"],
    ],
    ["of Lightning", "state_dict.model.", ["optimizer_states.0.state.0.exp_avg"]],
    ["of Lightning, by itself", "model.", []],
    ["that was compiled", "_orig_mod.", []],
    ["of several devices", "module.", []],
    ["of several devices, wrapped", "module.model.", []],
    [
      "of several devices, compiled, beside an optimiser's state",
      "model._orig_mod.module.",
      ["optimizer.state.0.exp_avg"],
    ],
  ] as const)("is found %s", (_what, prefix, others) => {
    const logits = logitsOf({ bytes: fileOf(prefix, others), settings: {} }, bag);
    expect(logits).toEqual(logitsOf({ bytes: encodeTorchFile(checkpointOf(SB)), settings: {} }, bag));
  });

  it("is refused with another model's tensors of the same names, whatever wraps them", () => {
    const others = [...checkpointOf(SB).keys()].map((name) => `state_dict.module.${name}`);
    const message = "the checkpoint holds several models of the layout clam";
    expect(() => importCheckpoint({ bytes: fileOf("state_dict.", others), settings: {} })).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED_FORMAT", message }) as Error,
    );
    const left = "the checkpoint has 1 tensors that no model takes, first loss";
    expect(() => importCheckpoint({ bytes: fileOf("state_dict.", ["state_dict.loss"]), settings: {} })).toThrow(left);
  });

  it("is asked for alone when the file's names begin in a way that is not known", () => {
    const refused = (bytes: Uint8Array) => expect(() => importCheckpoint({ bytes, settings: {} }));
    refused(fileOf("teacher.", ["optimizer.state.0.exp_avg", "loss"])).toThrow(
      "18 tensors of a layout that is none of r2t, dsmil, clam: names begin with loss, optimizer; the model's state dict alone is wanted",
    );
    // Features by slide: not a word of what they are called.
    const slides = new Map(["S-0815", "TCGA-3C-AAAU.h5", "Smith"].map((name) => [name, filler([3, 2], 1)] as const));
    refused(encodeTorchFile(slides, "")).toThrow(
      /^3 tensors of a layout that is none of r2t, dsmil, clam; the model's state dict alone is wanted$/u,
    );
  });

  it("tells widths, branches and classes by shapes, and the number of picked tiles by a setting", () => {
    const { model, layout, settings } = importCheckpoint({
      bytes: encodeTorchFile(checkpointOf(SB)),
      settings: { k_sample: "4" },
    });
    expect(layout).toBe("clam");
    expect(model.config).toMatchObject({
      dIn: D,
      head: { kind: "clam", hidden: [W], attentionWidth: L, branches: "single", instances: 4, dropout: 0.25 },
      task: { kind: "multiclass", classes: ["0", "1", "2"], link: "softmax" },
    });
    expect(settings).toEqual([{ name: "k_sample", value: "4", isDefault: false }]);
  });

  it("may hold the whole-number labels of its instance loss, which are left out", () => {
    const labels = { shape: [2], values: BigInt64Array.of(0n, 1n) };
    const bytes = encodeTorchFile(new Map<string, TorchEntry | typeof labels>([...checkpointOf(SB), ["instance_loss_fn.labels", labels]])); // biome-ignore format: one line
    expect(logitsOf({ bytes, settings: {} }, bag)).toHaveLength(K);
  });

  it.each([
    ["an instance classifier is missing", "instance_classifiers.2.bias", "SHAPE_MISMATCH"],
    ["the classifier is missing", "classifiers.weight", "SHAPE_MISMATCH"],
    ["the attention has no gate", "attention_net.3.attention_a.0.weight", "UNSUPPORTED_FORMAT"],
  ])("is refused when %s", (_what, name, code) => {
    const all = checkpointOf(SB);
    all.delete(name);
    const refused = expect(() => importCheckpoint({ bytes: encodeTorchFile(all), settings: {} }));
    refused.toThrow(expect.objectContaining({ code }) as Error);
  });
});
