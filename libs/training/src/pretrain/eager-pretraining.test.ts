import { createEagerEngine } from "@parfocal/engine";
import { afterAll, beforeAll, describe, it } from "vitest";
import { expectSamePretraining, MIXER_CHANGES } from "../testing/both-pretrainings.ts";
import { writeRegionCohort } from "../testing/region-cohort.ts";
import { openWorld, type World } from "../testing/world.ts";
import type { RegionBag } from "./pretrain-job.ts";

describe("pretraining eagerly", () => {
  let world: World;
  let bags: RegionBag[];

  beforeAll(async () => {
    world = await openWorld();
    bags = await writeRegionCohort(world.store, { nSlides: 3, side: 4, levelCount: 2, d: 8, seed: 1n });
  });
  afterAll(() => world.close());

  it.each(MIXER_CHANGES)("gives the losses and weights of captured updates: %j", async (change) => {
    const trainer = await createEagerEngine({ backend: "tfjs-cpu", store: world.store, cacheBytes: 0 });
    await expectSamePretraining({ world, bags, trainer }, change);
  });
});
