import { buildModel, type Model, sizeOfShape } from "@parfocal/models";
import { type ConstantTensor, runEagerly } from "@parfocal/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { coxLoss } from "./cox-loss.ts";
import { flatLayout } from "./flat-layout.ts";
import { tangentsOf } from "./join-losses.ts";
import type { EventTime, Label } from "./label.ts";
import { gradStepBuild, opinionsBuild } from "./step-graphs.ts";
import { encodeTarget } from "./target.ts";
import { filler } from "./testing/filler.ts";
import { distance, only, runCaptured, runEager } from "./testing/graph-runs.ts";
import { openWorld, type World } from "./testing/world.ts";
import type { GroupRule } from "./train-spec.ts";

// Losses that join several bags: what the runs of single bags add up to is the joined loss, and its gradient.

const D = 3;
const MEAN: GroupRule = { kind: "mean" };
const MAX: GroupRule = { kind: "max" };
const TIMES: readonly EventTime[] = [
  { time: 3, isEvent: true },
  { time: 3, isEvent: true },
  { time: 5, isEvent: false },
  { time: 4, isEvent: true },
];

interface Case {
  readonly head: Record<string, unknown>;
  readonly task: Record<string, unknown>;
  readonly rule?: GroupRule;
  /** Tiles of the bags of each group, and its label. */
  readonly groups: readonly (readonly [readonly number[], Label])[];
  /** Parameters by which the loss is differentiated; absent: all. */
  readonly moved?: RegExp;
}

const ALONE = TIMES.map((time, i) => [[5 + i], time] as const);
const SMOOTH = { hidden: [2], activation: "tanh", dropout: 0.3 };
const CASES: Readonly<Record<string, Case>> = {
  "Cox and a mean": { head: { kind: "mean", ...SMOOTH }, task: { kind: "cox" }, groups: ALONE },
  "Cox and two opinions": {
    head: { kind: "dsmil", ...SMOOTH, queryWidth: 2 },
    task: { kind: "cox" },
    // Of one tile: where another becomes the critical one there is no central difference.
    groups: TIMES.map((time) => [[1], time]),
  },
  "Cox and sub-bags": {
    head: { kind: "dtfd", ...SMOOTH, attentionWidth: 2, groups: 2 },
    task: { kind: "cox", ties: "breslow" },
    groups: ALONE,
    // What the first tier distills is a constant to the second one.
    moved: /^head\.(?:second|first\.classifier)\./u,
  },
  "Cox and means of slides": {
    head: { kind: "gated-abmil", ...SMOOTH, attentionWidth: 2 },
    task: { kind: "cox" },
    rule: MEAN,
    groups: TIMES.map((time, i) => [i % 2 === 0 ? [4, 6] : [5], time]),
  },
  "means of grades": {
    head: { kind: "dsmil", ...SMOOTH, queryWidth: 2 },
    task: { kind: "ordinal", classes: ["a", "b", "c"] },
    rule: MEAN,
    groups: [[[1, 1, 1], 2], [[1], 0]], // biome-ignore format: one line
  },
  "greatest hazards": {
    head: { kind: "gated-abmil", ...SMOOTH, attentionWidth: 2 },
    task: { kind: "survival", edges: [0, 2, 4, 6] },
    rule: MAX,
    groups: [[[5, 1, 3], { time: 3, isEvent: true }], [[4, 4], { time: 9, isEvent: false }]], // biome-ignore format: one line
  },
};

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

/** Everything that the step of one bag takes but weights, fixed values and tangents. */
function bagFeeds(model: Model, nTiles: number, seed: number): Record<string, ConstantTensor> {
  const words = model.dropoutSites.map((site, s): [string, ConstantTensor] => {
    const shape = site.shape.map((dim) => (typeof dim === "number" ? dim : nTiles));
    const data = Int32Array.from(filler(shape, 40 + s + 7 * seed), (value) => Math.floor((value + 0.5) * 65_535));
    return [`random.${site.name}`, { dtype: "i32", shape, data }];
  });
  const features = { dtype: "f32", shape: [nTiles, D], data: filler([nTiles, D], 11 + seed, 2) } as const;
  return { features, ...Object.fromEntries(words) };
}

/** Places in the flat weights of the parameters that `moved` fits. */
function placesOf(model: Model, moved: RegExp): number[] {
  const names = flatLayout(model.parameters).trainable.flatMap(({ name, shape }) =>
    new Array<string>(sizeOfShape(shape)).fill(name),
  );
  return names.flatMap((name, i) => (moved.test(name) ? [i] : []));
}

/** Of length 1. */
function unit(values: Float32Array): Float32Array {
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

function setUp({ head, task, rule, groups }: Case) {
  const model = buildModel({ dIn: D, head, task });
  const bags = groups.flatMap(([sizes]) => sizes).map((nTiles, seed) => bagFeeds(model, nTiles, seed));
  const withWeights = (bag: Record<string, ConstantTensor>, weights: Float32Array) => ({
    ...bag,
    weights: { dtype: "f32", shape: [weights.length], data: weights } as ConstantTensor,
  });
  const tangentsAt = (weights: Float32Array) => {
    const build = opinionsBuild(model);
    const found = bags.map((bag) => runEager(build, withWeights(bag, weights)).opinions ?? new Float32Array());
    const plain = { labelSmoothing: 0, classWeights: [] };
    const asked = groups.map(([sizes, label]) => ({
      label,
      target: encodeTarget(model.config.task, label, plain),
      opinions: found.splice(0, sizes.length),
    }));
    return tangentsOf(model.config.task, rule, asked);
  };
  /** Loss and gradient by bag, each from a run of its own. */
  const stepsAt = (weights: Float32Array) =>
    tangentsAt(weights).map((tangents, i) => {
      const nOpinions = tangents.length / (model.nLogits + 1);
      const build = gradStepBuild(model, false, "joint", nOpinions);
      const pulls = { dtype: "f32", shape: [nOpinions, model.nLogits + 1], data: tangents } as const;
      const tensors = { ...withWeights(bags[i] ?? {}, weights), pulls };
      return { build, tensors, outputs: runEagerly(build, only(tensors, build.inputs)) };
    });
  return { model, tangentsAt, stepsAt, bags, withWeights };
}

describe.each(Object.entries(CASES))("%s", (_name, each) => {
  const { model, stepsAt, bags, withWeights } = setUp(each);
  const { nTrainable } = flatLayout(model.parameters);
  const weights = filler([nTrainable], 3, 1);
  const lossAt = (at: Float32Array) =>
    stepsAt(at).reduce((sum, { outputs }) => sum + (outputs.loss?.data[0] ?? Number.NaN), 0);

  it("adds up to the gradient of the joined loss, dropout included", () => {
    const gradient = new Float32Array(nTrainable);
    for (const { outputs } of stepsAt(weights))
      for (const [i, value] of (outputs["next.gradients"]?.data ?? []).entries())
        gradient[i] = (gradient[i] ?? 0) + value;
    const places = new Set(placesOf(model, each.moved ?? /./u));
    for (const seed of [1, 2, 3, 4]) {
      const direction = unit(filler([nTrainable], 70 + seed).map((value, i) => (places.has(i) ? value : 0)));
      const slope = direction.reduce((sum, value, i) => sum + value * (gradient[i] ?? 0), 0);
      const at = (shift: number) => lossAt(weights.map((value, i) => value + shift * (direction[i] ?? 0)));
      const central = (h: number) => (at(h) - at(-h)) / (2 * h);
      // As in the gradients of single bags, f32 losses and an error of fourth order, but steps are twice as long for a sum of losses.
      const numeric = (4 * central(0.02) - central(0.04)) / 3;
      expect(Math.abs(slope)).toBeGreaterThan(0);
      expect(Math.abs(slope - numeric)).toBeLessThan(3e-4 * Math.max(1, Math.abs(slope)));
    }
  });

  it("is captured as it runs eagerly", async () => {
    const [first] = stepsAt(weights);
    if (first === undefined) throw new Error("no bag");
    const { build, tensors } = first;
    const steps = [build, opinionsBuild(model)] as const;
    for (const options of steps) {
      const given = { ...withWeights(bags[0] ?? {}, weights), ...tensors };
      const expected = runEager(options, only(given, options.inputs));
      const found = await runCaptured(world.engine, options, only(given, options.inputs));
      for (const [name, values] of Object.entries(expected)) expect(distance(found[name], values)).toBeLessThan(2e-5);
    }
  });
});

describe("Cox", () => {
  it("is worth its likelihood, once for each patient of the update", () => {
    const { stepsAt, model } = setUp(CASES["Cox and a mean"] as Case);
    const { nTrainable } = flatLayout(model.parameters);
    const weights = filler([nTrainable], 3, 1);
    const steps = stepsAt(weights);
    const theta = steps.map(({ tensors }) => {
      const options = opinionsBuild(model);
      return runEager(options, only(tensors, options.inputs)).opinions?.[0] ?? Number.NaN;
    });
    const sum = steps.reduce((total, { outputs }) => total + (outputs.loss?.data[0] ?? Number.NaN), 0);
    expect(sum).toBeCloseTo(TIMES.length * coxLoss(TIMES, theta).loss, 5);
  });
});
