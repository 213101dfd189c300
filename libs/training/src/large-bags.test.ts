import { createEngine, type Engine } from "@parfocal/engine";
import { createRng } from "@parfocal/metrics";
import { buildModel, captureServing, HEAD_KINDS, initialiseParameters } from "@parfocal/models";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bagTensors, runInEngine } from "./testing/graph-runs.ts";

// One prediction of a slide of many tiles by every head: adding one is a line here.

const [N, D] = [100_000, 16];
const CLASSES = ["a", "b", "c"];
/** Holds some hundred numbers per tile, and no number for every pair of tiles, which would be 40 GB. */
const MEMORY_BYTES = 2 ** 30;

const HEADS = {
  mean: { kind: "mean", hidden: [8] },
  "max of embeddings": { kind: "max", hidden: [8] },
  "max of instances": { kind: "max", level: "instance", hidden: [8] },
  abmil: { kind: "abmil", hidden: [8], attentionWidth: 4 },
  "gated abmil per class": { kind: "gated-abmil", hidden: [8], attentionWidth: 4, branches: "per-class" },
  "class attention": { kind: "class-attention", hidden: [8], attentionWidth: 4, heads: 2 },
  dsmil: { kind: "dsmil", hidden: [8], queryWidth: 4 },
  "clam sb": { kind: "clam", hidden: [8], attentionWidth: 4 },
  "clam mb": { kind: "clam", hidden: [8], attentionWidth: 4, branches: "per-class" },
  transmil: { kind: "transmil", hidden: [8], heads: 2, landmarks: 4 },
  "dtfd by features": { kind: "dtfd", hidden: [8], attentionWidth: 4 },
  "dtfd by tiles": { kind: "dtfd", hidden: [8], attentionWidth: 4, groups: 3, distill: "max-min" },
} as const;

let engine: Engine;
beforeAll(() => {
  engine = createEngine({ intraOpThreads: 1, memoryLimitBytes: MEMORY_BYTES });
});
afterAll(() => engine.close());

it("has a line for every head", () => {
  const kinds = new Set<string>(Object.values(HEADS).map(({ kind }) => kind));
  expect(HEAD_KINDS.filter((kind) => kind !== "none" && !kinds.has(kind))).toEqual([]);
});

describe.each(Object.entries(HEADS))("%s", (_name, head) => {
  it(`predicts ${N} tiles in bounded memory`, { timeout: 60_000 }, async () => {
    const model = buildModel({ dIn: D, head, task: { kind: "multiclass", classes: CLASSES } });
    const { aggregate } = captureServing(model, initialiseParameters(model.parameters, createRng(1n)));
    if (aggregate === undefined) return expect.unreachable("the head has no graph");
    const { probabilities, attention = new Float32Array() } = await runInEngine(
      engine,
      aggregate,
      bagTensors(model, N),
    );
    expect(probabilities).toHaveLength(CLASSES.length);
    expect(probabilities?.reduce((sum, each) => sum + each, 0)).toBeCloseTo(1, 5);
    expect(attention).toHaveLength(N * model.nBranches);
    expect(attention.findIndex((weight) => !Number.isFinite(weight))).toBe(-1);
    // Nobody had to be killed for it.
    expect(engine.stats().respawns).toBe(0);
  });
});
