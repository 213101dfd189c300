import { createRng } from "@parfocal/metrics";
import { answerName, buildModel, captureAggregate, initialiseParameters, type Model } from "@parfocal/models";
import type { ConstantTensor } from "@parfocal/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Label } from "./label.ts";
import { createOptimiser } from "./optimiser.ts";
import { parseOptimiser } from "./optimiser-config.ts";
import { trainStepBuild } from "./step-graphs.ts";
import { bagTensors, distance, modelTensors, only, runCaptured, runEager, runInEngine } from "./testing/graph-runs.ts";
import { openWorld, type World } from "./testing/world.ts";

// Heads that pool without attention, and those with a loss of their own, in every task there is.

const D = 6;
const THREE = ["a", "b", "c"];
const TASKS: Readonly<Record<string, readonly [Record<string, unknown>, Label]>> = {
  "binary, softmax": [{ kind: "binary", classes: ["no", "yes"] }, 1],
  "binary, one sigmoid": [{ kind: "binary", classes: ["no", "yes"], link: "sigmoid" }, 0],
  multiclass: [{ kind: "multiclass", classes: THREE }, 2],
  "multilabel with an unknown label": [{ kind: "multilabel", classes: THREE }, [1, null, 0]],
  ordinal: [{ kind: "ordinal", classes: THREE }, 2],
  "regression with an unknown number": [
    { kind: "regression", classes: THREE, center: [1, 2, 3], scale: [1, 2, 1] },
    [2, null, 1],
  ],
  survival: [
    { kind: "survival", edges: [0, 1, 2, 3] },
    { time: 1.5, isEvent: true },
  ],
  "survival by cross entropy": [
    { kind: "survival", edges: [0, 1, 2, 3], loss: "ce", alpha: 0.3 },
    { time: 1.5, isEvent: true },
  ],
};
const POOLINGS = {
  mean: { kind: "mean" },
  "max of embeddings": { kind: "max" },
  "max of instances": { kind: "max", level: "instance" },
} as const;
/** Softmax tasks are those of the other tests of these. */
const OBJECTIVES = {
  "clam sb": { kind: "clam", attentionWidth: 4, instances: 2, bagLoss: "svm" },
  "clam mb": { kind: "clam", attentionWidth: 4, instances: 2, branches: "per-class" },
  transmil: { kind: "transmil", heads: 2, landmarks: 4, convTaps: 5, attentionDropout: 0 },
  "dtfd of tiles": { kind: "dtfd", attentionWidth: 4, distill: "max-min" },
} as const;

/** Those of the other tests too, where a task is only here. */
const ATTENTIONS = {
  "gated abmil per class": { kind: "gated-abmil", attentionWidth: 4, branches: "per-class" },
  "class attention": { kind: "class-attention", attentionWidth: 4, heads: 2 },
  dsmil: { kind: "dsmil", queryWidth: 4 },
} as const;

const OPTIMISER = createOptimiser(parseOptimiser({ kind: "sgd", learningRate: 0.1, momentum: 0, weightDecay: 0 }));

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

function stepTensors(model: Model, label: Label): Record<string, ConstantTensor> {
  const tensors = modelTensors(model, 7, label);
  const size = tensors.weights?.data.length ?? 0;
  const slots = OPTIMISER.slotNames.map((name) => {
    return [`slot.${name}`, { dtype: "f32", shape: [size], data: new Float32Array(size) }] as const;
  });
  return {
    ...tensors,
    hyper: { dtype: "f32", shape: [OPTIMISER.nHyper], data: OPTIMISER.hyper(1, 0.1) },
    ...Object.fromEntries(slots),
  };
}

function headsOf(task: Record<string, unknown>): Readonly<Record<string, Record<string, unknown>>> {
  const { "clam sb": _sb, "clam mb": _mb, ...others } = OBJECTIVES;
  if (["ordinal", "regression", "survival"].includes(`${task.kind}`)) return { ...POOLINGS, ...ATTENTIONS, ...others };
  return task.kind === "multilabel" || task.link === "sigmoid" ? { ...POOLINGS, ...OBJECTIVES } : POOLINGS;
}

describe.each(Object.entries(TASKS))("in the task %s", (_task, [task, label]) => {
  const heads = headsOf(task);

  it.each(Object.entries(heads))("%s trains as it does eagerly, its loss falls, and it serves", async (_head, head) => {
    const model = buildModel({ dIn: D, head: { hidden: [4], activation: "tanh", dropout: 0, ...head }, task });
    const options = trainStepBuild(model, OPTIMISER);
    const tensors = only(stepTensors(model, label), options.inputs);
    const [found, expected] = [await runCaptured(world.engine, options, tensors), runEager(options, tensors)];
    for (const [name, values] of Object.entries(expected)) expect(distance(found[name], values)).toBeLessThan(1e-5);

    const moved = { ...tensors.weights, data: Float32Array.from(expected["next.weights"] ?? []) } as ConstantTensor;
    const next = runEager(options, { ...tensors, weights: moved });
    expect(next.loss?.[0]).toBeLessThan(expected.loss?.[0] ?? Number.NaN);

    const graph = captureAggregate(model, initialiseParameters(model.parameters, createRng(4n)));
    const outputs = await runInEngine(world.engine, graph, bagTensors(model, 7));
    const { kind, classes } = model.config.task;
    const answer = outputs[answerName(model.config.task)] ?? new Float32Array();
    expect(answer).toHaveLength(kind === "survival" ? 3 : classes.length);
    if (kind === "regression") return;
    for (const p of answer) expect(p).toSatisfy((value: number) => value > 0 && value < 1);
    const sum = answer.reduce((total, p) => total + p, 0);
    if (kind !== "multilabel" && kind !== "survival") expect(sum).toBeCloseTo(1, 6);
  });
});
