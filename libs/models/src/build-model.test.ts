import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { buildModel, modelConfigJson, parseModelConfig } from "./build-model.ts";
import { initialiseParameters, type RandomSource } from "./parameter.ts";
import { filler, fillerWeights } from "./testing/filler.ts";
import { runModel } from "./testing/run-model.ts";

const TASK = { kind: "binary", classes: ["no", "yes"] };

describe("a model's configuration", () => {
  it("comes back with every default filled in", () => {
    const config = parseModelConfig({ dIn: 8, head: { kind: "gated-abmil" }, task: TASK });
    expect(config).toEqual({
      dIn: 8,
      standardise: false,
      reembed: { kind: "none" },
      head: {
        kind: "gated-abmil",
        hidden: [512],
        activation: "relu",
        dropout: 0.25,
        init: "torch",
        attentionWidth: 256,
        attentionDropout: 0.25,
        attentionActivation: "tanh",
        attentionBias: true,
        branches: "single",
      },
      task: { kind: "binary", classes: ["no", "yes"], link: "softmax" },
    });
    expect(parseModelConfig(modelConfigJson(config))).toEqual(config);
  });

  it("gives multi-label heads a branch per class unless told", () => {
    const task = { kind: "multilabel", classes: ["a", "b"] };
    expect(buildModel({ dIn: 8, head: { kind: "abmil" }, task }).nBranches).toBe(2);
    expect(buildModel({ dIn: 8, head: { kind: "abmil", branches: "single" }, task }).nBranches).toBe(1);
  });

  it.each([
    [{ head: { kind: "lstm" } }, 'head.kind is "lstm"; it must be one of mean, max, abmil, gated-abmil'],
    [{ head: { kind: "mean", depth: 3 } }, 'head has an unknown field "depth"'],
    [{ head: { kind: "mean", dropout: 1 } }, "head.dropout is 1; it must be a number from 0 to 0.95"],
    [{ head: { kind: "abmil", hidden: [0] } }, "head.hidden[0] is 0; it must be a whole number from 1 to 32768"],
    [{ head: { kind: "abmil", attentionWidth: 2.5 } }, "head.attentionWidth is 2.5; it must be a whole number"],
    [{ task: { kind: "binary", classes: ["a"] } }, 'task.classes is ["a"]; it must be a list of 2 to 2 distinct'],
    [{ task: { kind: "multiclass", classes: ["a", "a"] } }, "distinct non-empty strings"],
    [{ task: { kind: "multiclass", classes: ["a", "b"], link: "sigmoid" } }, "a multiclass task has softmax"],
    [{ dIn: 0 }, "model.dIn is 0; it must be a whole number from 1 to 65536"],
    [{ reembed: { kind: "r3t" } }, 'reembed.kind is "r3t"; it must be one of none'],
    [{ name: "x" }, 'model has an unknown field "name"'],
  ])("refuses %j, naming field, value and bound", (change, message) => {
    const build = () => buildModel({ dIn: 8, head: { kind: "mean" }, task: TASK, ...change });
    expect(build).toThrow(message);
    expect(build).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }) as Error);
  });
});

describe("standardisation", () => {
  it("shifts and scales every feature before the head", () => {
    const head = { kind: "mean", hidden: [] };
    const plain = buildModel({ dIn: 3, head, task: TASK });
    const standardised = buildModel({ dIn: 3, standardise: true, head, task: TASK });
    const weights = fillerWeights(plain.parameters);
    const features = filler([4, 3], 5);
    const fitted = { "standardise.mean": Float32Array.of(1, 2, 3), "standardise.scale": Float32Array.of(2, 0.5, 4) };
    const moved = features.map((x, i) => (x - ((i % 3) + 1)) * ([2, 0.5, 4][i % 3] ?? 0));
    const found = runModel(standardised, { ...weights, ...fitted }, features).logits;
    const wanted = runModel(plain, weights, moved).logits;
    for (const [k, logit] of wanted.entries()) expect(found[k]).toBeCloseTo(logit, 5);
  });
});

describe("initial weights", () => {
  const model = buildModel({ dIn: 16, head: { kind: "gated-abmil", hidden: [32], attentionWidth: 8 }, task: TASK });

  it("are the same for the same seed and others for another", () => {
    const [a, b, c] = [1, 1, 2].map((seed) => initialiseParameters(model.parameters, hashSource(`${seed}`)));
    expect(b).toEqual(a);
    expect(c).not.toEqual(a);
  });

  it("lie within the bound of the fan-in, biases too", () => {
    const weights = initialiseParameters(model.parameters, hashSource("1"));
    const first = weights["head.trunk.0.weight"] ?? new Float32Array();
    expect(Math.max(...first.map(Math.abs))).toBeLessThanOrEqual(1 / 4);
    expect(Math.max(...first.map(Math.abs))).toBeGreaterThan(0.24);
    expect(Math.max(...(weights["head.trunk.0.bias"] ?? []).map(Math.abs))).toBeGreaterThan(0);
  });

  it("do not change in one layer when another one changes", () => {
    const other = buildModel({ dIn: 16, head: { kind: "gated-abmil", hidden: [32], attentionWidth: 9 }, task: TASK });
    const [a, b] = [model, other].map((each) => initialiseParameters(each.parameters, hashSource("1")));
    expect(b?.["head.trunk.0.weight"]).toEqual(a?.["head.trunk.0.weight"]);
  });
});

/** A random source of its own for these tests: SHA-256 in counter mode. */
function hashSource(seed: string): RandomSource {
  let counter = 0;
  const nextFloat = () => createHash("sha256").update(`${seed}/${counter++}`).digest().readUInt32LE(0) / 2 ** 32;
  return { nextFloat, normal: nextFloat, fork: (label) => hashSource(`${seed}/${label}`) };
}
