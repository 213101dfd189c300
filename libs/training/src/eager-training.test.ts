import { createEagerEngine, type StepEngine } from "@parfocal/engine";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LabelledBag } from "./job.ts";
import { cohortOnGrids, expectSameTraining, HEAD_CASES, TRAINER_CASES } from "./testing/both-trainers.ts";
import { openWorld, type World } from "./testing/world.ts";

describe("training eagerly", () => {
  let world: World;
  let bags: LabelledBag[];
  let trainer: StepEngine;

  beforeAll(async () => {
    world = await openWorld();
    bags = await cohortOnGrids(world, 8);
    trainer = await createEagerEngine({ backend: "tfjs-cpu", store: world.store, cacheBytes: 1 << 20 });
  });
  afterAll(() => world.close());

  it.each([...TRAINER_CASES, ...HEAD_CASES])("gives the losses and weights of captured steps (%s)", (...each) =>
    expectSameTraining({ world, bags, trainer }, each),
  );

  it("forgets its state, and says so of what it does not hold", async () => {
    await expect(trainer.getResident(["train/eager/weights"])).rejects.toMatchObject({ code: "STATE_LOST" });
  });

  it("stops between steps when it is told to", async () => {
    const signal = AbortSignal.abort();
    await expect(trainer.run([{ graph: {} as never, feeds: {}, fetches: {} }], { signal })).rejects.toMatchObject({
      code: "CANCELLED",
    });
  });
});
