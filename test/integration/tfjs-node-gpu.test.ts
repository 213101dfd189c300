import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createEagerEngine, type StepEngine } from "@parfocal/engine";
import { tf } from "@parfocal/tensor";
import { type LabelledBag, train } from "@parfocal/training";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { expectSamePretraining, MIXER_CHANGES } from "../../libs/training/src/testing/both-pretrainings.ts";
import {
  cohortOnGrids,
  expectSameTraining,
  HEAD_CASES,
  specOf,
  TRAINER_CASES,
} from "../../libs/training/src/testing/both-trainers.ts";
import { writeRegionCohort } from "../../libs/training/src/testing/region-cohort.ts";
import { openWorld, type World } from "../../libs/training/src/testing/world.ts";
import { plantCohort } from "../lib/cohort.ts";
import { describePretrainAndTrain } from "../lib/pretrain-and-train.ts";
import { predictedAfterTraining } from "../lib/trained-by.ts";
import { whyNoTfjs } from "./tfjs-node-gpu.ts";

const reason = whyNoTfjs();
if (reason !== undefined) console.warn(`skipping the trainer tfjs-node-gpu: ${reason}`);

/** What the package adds to a backend of tfjs. */
interface TensorFlowBackend {
  executeSingleOutput(...call: readonly unknown[]): unknown;
  readonly binding: { getNumOfTensors(): number };
}

function tensorFlow(): TensorFlowBackend {
  return tf.findBackend("tensorflow") as unknown as TensorFlowBackend;
}

/** Tensors that tfjs holds, on any backend, and those that TensorFlow itself holds. */
function held(): readonly [tfjs: number, tensorFlow: number] {
  return [tf.memory().numTensors, tensorFlow().binding.getNumOfTensors()];
}

describe.skipIf(reason !== undefined)("training by tfjs-node-gpu", () => {
  let world: World;
  let bags: LabelledBag[];
  let trainer: StepEngine;

  beforeAll(async () => {
    world = await openWorld();
    bags = await cohortOnGrids(world, 8);
    trainer = await createEagerEngine({ backend: "tfjs-node-gpu", store: world.store, cacheBytes: 1 << 20 });
  });
  afterAll(() => world.close());

  it.each([...TRAINER_CASES, ...HEAD_CASES])("gives the losses and weights of captured steps (%s)", async (...each) => {
    using computing = vi.spyOn(tensorFlow(), "executeSingleOutput");
    await expectSameTraining({ world, bags, trainer }, each);
    expect(computing.mock.calls.length).toBeGreaterThan(500);
  });

  it.each(MIXER_CHANGES)("gives the losses and weights of captured updates of a mixer: %j", async (change) => {
    const regions = await writeRegionCohort(world.store, { nSlides: 3, side: 4, levelCount: 2, d: 8, seed: 1n });
    await expectSamePretraining({ world, bags: regions, trainer }, change);
  });

  it.each([...TRAINER_CASES.slice(0, 1), ...HEAD_CASES])(
    "keeps nothing of a step (%s)",
    async (_name, model, recipe) => {
      const before = held();
      const afterEpochs: (readonly [number, number])[] = [];
      const deps = { ...world.deps("memory"), trainer };
      const spec = specOf(model, { ...recipe, epochs: 6 });
      for await (const event of train({ spec, bags }, deps, new AbortController().signal)) {
        if (event.kind === "epoch") afterEpochs.push(held());
      }
      expect(afterEpochs).toHaveLength(6);
      // The first epoch leaves weights and the optimiser's state, and no other leaves more.
      for (const each of afterEpochs) expect(each).toEqual(afterEpochs[0]);
      expect(held()).toEqual(before);
    },
  );

  it("ends between steps when it is cancelled, and trains on", async () => {
    const before = held();
    const controller = new AbortController();
    const spec = specOf(TRAINER_CASES[0]![1], { epochs: 500 });
    const cancelled = async () => {
      for await (const event of train({ spec, bags }, { ...world.deps("cancel"), trainer }, controller.signal)) {
        if (event.kind === "epoch" && event.epoch === 2) setTimeout(() => controller.abort(), 20);
      }
    };
    await expect(cancelled()).rejects.toMatchObject({ code: "CANCELLED" });
    expect(held()).toEqual(before);
    await expectSameTraining({ world, bags, trainer }, TRAINER_CASES[0]!);
  });

  describePretrainAndTrain("a local folder, by tfjs-node-gpu", async () => ({
    PARFOCAL_TRAINER: "tfjs-node-gpu",
    PARFOCAL_STORE: pathToFileURL(await mkdtemp(join(tmpdir(), "parfocal-tfjs-"))).href,
  }));

  it("publishes a model of a stage that predicts as one trained in captured steps does", async () => {
    const slides = plantCohort(12);
    const captured = await predictedAfterTraining("captured", slides);
    const eager = await predictedAfterTraining("tfjs-node-gpu", slides);
    // AdamW divides by roots of squared gradients, which magnifies differences in the last places.
    for (const [i, probability] of captured.entries()) expect(eager[i]).toBeCloseTo(probability, 3);
  });
});
