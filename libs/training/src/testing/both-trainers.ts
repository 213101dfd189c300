import { writeBag } from "@parfocal/bags";
import type { StepEngine } from "@parfocal/engine";
import { createRng } from "@parfocal/metrics";
import { expect } from "vitest";
import { flatLayout, flattenWeights } from "../flat-layout.ts";
import type { LabelledBag, TrainedModel } from "../job.ts";
import { train } from "../train.ts";
import { parseTrainSpec } from "../train-spec.ts";
import { distance } from "./graph-runs.ts";
import { collect, type World } from "./world.ts";

// Legend: D features.

const D = 8;
const HEAD = { kind: "gated-abmil", hidden: [8], attentionWidth: 4 };
const SGD = { kind: "sgd", learningRate: 0.02, momentum: 0.9 };

/** A model and a recipe. */
export type TrainerCase = readonly [name: string, model: object, recipe: object];

/** Models and recipes that between them use every part of a step: side inputs, draws, accumulation, frozen epochs, fitted norms. */
export const TRAINER_CASES: readonly TrainerCase[] = [
  ["ABMIL", { head: HEAD, standardise: true }, { optimiser: SGD }],
  ["ABMIL, two bags an update", { head: { ...HEAD, kind: "abmil" } }, { optimiser: SGD, batchSize: 2 }],
  ["ABMIL, moved by AdamW", { head: HEAD }, { optimiser: { kind: "adamw", learningRate: 1e-3 } }],
  [
    "ABMIL, moved by RAdam with lookahead, classes drawn alike",
    { head: HEAD },
    { optimiser: { kind: "radam", learningRate: 1e-3, lookahead: { steps: 3 } }, sampling: "balanced" },
  ],
  ["R2T", { head: HEAD, reembed: { kind: "r2t", stemWidth: 8, heads: 2, crmsaHeads: 2 } }, { optimiser: SGD }],
  [
    "R2T corrected, frozen at first",
    { head: HEAD, reembed: { kind: "r2t", stemWidth: 8, heads: 2, crmsaHeads: 2, compat: "corrected", regionNum: 2 } },
    { optimiser: SGD, frozenEpochs: 1 },
  ],
  ["ABMIL on joined slides", { head: HEAD }, { optimiser: SGD, groups: { kind: "joined" } }],
  [
    "RoFormer on joined slides, frozen at first",
    { head: HEAD, standardise: true, reembed: { kind: "roformer", width: 16, heads: 2 } },
    { optimiser: SGD, frozenEpochs: 1, groups: { kind: "joined" } },
  ],
  ["RoFormer", { head: HEAD, reembed: { kind: "roformer", width: 16, heads: 2 } }, { optimiser: SGD }],
];

/** Heads with choices and sizes that follow from the number of tiles. */
export const HEAD_CASES: readonly TrainerCase[] = [
  [
    "CLAM with one branch",
    { head: { kind: "clam", hidden: [8], attentionWidth: 4, instances: 2, subtyping: true } },
    { optimiser: SGD },
  ],
  ["TransMIL", { head: { kind: "transmil", hidden: [8], heads: 2, landmarks: 4, convTaps: 5 } }, { optimiser: SGD }],
  ["DSMIL", { head: { kind: "dsmil", queryWidth: 4 } }, { optimiser: SGD }],
  [
    "DTFD by largest tiles",
    { head: { kind: "dtfd", hidden: [8], attentionWidth: 4, groups: 2, distill: "max", instances: 2 } },
    { optimiser: SGD },
  ],
];

/** What a training needs of a world and a trainer. */
export interface BothTrainers {
  readonly world: World;
  readonly bags: readonly LabelledBag[];
  /** The one that is compared with the world's engine. */
  readonly trainer: StepEngine;
}

/** Trains a case by captured steps and by `trainer`, and expects the same losses, weights and predictions. */
export async function expectSameTraining({ world, bags, trainer }: BothTrainers, [, model, recipe]: TrainerCase) {
  const spec = specOf(model, recipe);
  const { signal } = new AbortController();
  const captured = await collect(train({ spec, bags }, world.deps("captured"), signal));
  const eager = await collect(train({ spec, bags }, { ...world.deps("eager"), trainer }, signal));
  // Also what scoring left in the engine, which did not hold the state.
  expect(world.engine.stats().residentTensors).toBe(0);
  const weights = flatWeights(captured.trained);
  // Two epochs of a few updates: sums in another order, each within some units of the last place of f32.
  expect(distance(flatWeights(eager.trained), weights)).toBeLessThan(2e-5);
  for (const [i, { trainLoss, validationLoss }] of captured.trained.history.entries()) {
    expect(eager.trained.history[i]?.trainLoss).toBeCloseTo(trainLoss, 5);
    expect(eager.trained.history[i]?.validationLoss).toBeCloseTo(validationLoss ?? Number.NaN, 5);
  }
  const probabilities = ({ trained }: typeof eager) => trained.testPredictions.flatMap(({ answer }) => answer);
  const wanted = probabilities(captured);
  expect(wanted.length).toBeGreaterThan(0);
  for (const [i, probability] of probabilities(eager).entries()) expect(probability).toBeCloseTo(wanted[i]!, 4);
}

/** Two epochs unless the recipe says more. */
export function specOf(model: object, recipe: object) {
  const task = { kind: "binary", classes: ["no", "yes"] };
  const split = { validationFraction: 0.2, testFraction: 0.2 };
  return parseTrainSpec({ model: { ...model, task }, epochs: 2, split, selection: "last", ...recipe });
}

function flatWeights({ model, weights }: TrainedModel): Float32Array {
  const { trainable, fixed } = flatLayout(model.parameters);
  return flattenWeights([...trainable, ...fixed], weights);
}

/** Bags of 6 to 15 tiles on a grid of four columns; in every other bag two tiles carry a signal, and the label is 1. */
export async function cohortOnGrids({ store }: World, nBags: number): Promise<LabelledBag[]> {
  return Promise.all(
    Array.from({ length: nBags }, async (_, i): Promise<LabelledBag> => {
      const rng = createRng(5n).fork(`bag ${i}`);
      const n = 6 + rng.nextInt(10);
      const label = i % 2;
      const data = Float32Array.from({ length: n * D }, () => rng.normal());
      if (label === 1) for (const tile of [0, 3]) data[tile * D] = 4;
      const coords = Int32Array.from(
        { length: 2 * n },
        (_, k) => 256 * (k % 2 === 0 ? (k / 2) % 4 : Math.floor(k / 8)),
      );
      const metadata = { level0StridePx: 256 };
      const bag = await writeBag(store, "bags/", { n, d: D, features: { dtype: "F32", data }, coords, metadata });
      return { bag, label, patient: `p${i >> 2}-${label}` };
    }),
  );
}
