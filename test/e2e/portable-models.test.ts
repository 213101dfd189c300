import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRng } from "@parfocal/metrics";
import { buildModel, captureServing, initialiseParameters } from "@parfocal/models";
import { type CapturedGraph, runEagerly } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { hasPythonModules, PYTHON } from "../lib/python.ts";

const canRun = hasPythonModules("numpy, onnxruntime", "portable-models.test.ts");

/** Both graphs, one after the other, on features and whatever else the first one asks for. */
const SCRIPT = `
import sys, json
import numpy as np, onnxruntime as ort
folder = sys.argv[1]
sizes = json.load(open(folder + "/sizes.json"))
reembed = ort.InferenceSession(folder + "/reembed.onnx", providers=["CPUExecutionProvider"])
aggregate = ort.InferenceSession(folder + "/aggregate.onnx", providers=["CPUExecutionProvider"])
answers = []
for n, d in sizes:
    feeds = {"features": np.fromfile(f"{folder}/{n}.f32", np.float32).reshape(n, d)}
    places = np.fromfile(f"{folder}/{n}.i32", np.int32).reshape(n, 2)
    feeds.update({each.name: places for each in reembed.get_inputs() if each.name != "features"})
    (tiles,) = reembed.run(["tiles"], feeds)
    probabilities, attention = aggregate.run(["probabilities", "attention"], {"tiles": tiles})
    answers.append([probabilities.tolist(), attention[:, 0].tolist()])
print(json.dumps(answers))
`;

const D = 12;
const SIZES = [1, 2, 7, 65, 300];

const R2T = { kind: "r2t", stemWidth: 16, heads: 2, crmsaHeads: 2 };
const ROFORMER = { kind: "roformer", width: 16, heads: 2 };

const REEMBEDDERS: readonly (readonly [string, Record<string, unknown>])[] = [
  ["r2t of the reference", R2T],
  ["r2t corrected", { ...R2T, compat: "corrected", regionNum: 4 }],
  ["r2t corrected, with regions by place", { ...R2T, compat: "corrected", grid: "coordinates" }],
  ["r2t with convolutions and feed-forward layers", { ...R2T, position: "ppeg", ffn: true, crmsaMlp: true }],
  ["roformer", ROFORMER],
  ["roformer of two blocks in the lang family", { ...ROFORMER, depth: 2, rotary: "lang" }],
  ["roformer with a sine code", { ...ROFORMER, rotary: "none", absolute: "sine" }],
];

describe.skipIf(!canRun)("graphs of a published model", () => {
  it.each(REEMBEDDERS)("with %s give the same numbers in Python, for any N", (_name, reembedder) => {
    const model = buildModel({
      dIn: D,
      reembed: reembedder,
      head: { kind: "gated-abmil", hidden: [], attentionWidth: 8 },
      task: { kind: "multiclass", classes: ["a", "b", "c"] },
    });
    const weights = initialiseParameters(model.parameters, createRng(3n));
    const { aggregate, reembed } = captureServing(model, weights);
    const folder = mkdtempSync(join(tmpdir(), "parfocal-portable-"));
    const write = (name: string, graph: CapturedGraph | undefined) =>
      writeFileSync(join(folder, name), graph?.model ?? new Uint8Array());
    write("reembed.onnx", reembed?.whole);
    write("aggregate.onnx", aggregate);
    writeFileSync(join(folder, "sizes.json"), JSON.stringify(SIZES.map((n) => [n, D])));
    const rng = createRng(4n);
    const bags = SIZES.map((n) => {
      const features = Float32Array.from({ length: n * D }, () => rng.normal());
      const places = Int32Array.from({ length: 2 * n }, (_, i) => (i % 2 === 0 ? (i / 2) % 20 : Math.floor(i / 40)));
      writeFileSync(join(folder, `${n}.f32`), new Uint8Array(features.buffer));
      writeFileSync(join(folder, `${n}.i32`), new Uint8Array(places.buffer));
      return { n, features, places };
    });
    const answers = JSON.parse(
      execFileSync(PYTHON, ["-c", SCRIPT, folder], { encoding: "utf8" }),
    ) as readonly (readonly [number[], number[]])[];
    for (const [i, { n, features, places }] of bags.entries()) {
      const constants = model.parameters.map(({ name, shape }) => {
        return [name, { dtype: "f32" as const, shape, data: weights[name] ?? new Float32Array() }] as const;
      });
      const sides = model.sideInputs.map(
        (name) => [name, { dtype: "i32" as const, shape: [n, 2], data: places }] as const,
      );
      const eager = runEagerly(
        {
          name: "oracle",
          inputs: reembed?.whole.inputs ?? [],
          constants: Object.fromEntries(constants),
          build({ features: x, ...rest }) {
            const input = { features: x, ...rest } as Parameters<typeof model.forward>[0];
            const { logits, attention } = model.forward(input, rest);
            return { logits, ...(attention && { attention }) };
          },
        },
        { features: { dtype: "f32", shape: [n, D], data: features }, ...Object.fromEntries(sides) },
      );
      const logits = Array.from(eager.logits?.data ?? []);
      const total = logits.reduce((sum, z) => sum + Math.exp(z), 0);
      const [probabilities, attention] = answers[i] ?? [[], []];
      for (const [k, z] of logits.entries()) expect(probabilities[k]).toBeCloseTo(Math.exp(z) / total, 5);
      for (const [tile, weight] of Array.from(eager.attention?.data ?? []).entries()) {
        expect(attention[tile]).toBeCloseTo(weight, 5);
      }
    }
  });
});
