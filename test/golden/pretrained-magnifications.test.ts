import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openWorld, type World } from "../../libs/training/src/testing/world.ts";
import {
  magnificationModels,
  type PlantedTrial,
  plantTrial,
  pretrainPlanted,
  trainRow,
} from "../lib/magnification-training.ts";

// A small version of `bench/claims/magnifications.ts`: one seed, two magnifications, the rows that matter most.

const RECIPE = { levelCount: 2, width: 48, depth: 2, pretrainRegions: 32_000, epochs: 8 };
const TRIAL = { nUnlabelled: 100, nTrain: 64, nTest: 60, levelCount: 2, seed: 11n };

/** 60 slides ranked at random have a standard deviation of 0.075. */
const CHANCE_LIMIT = 0.7;
const LEARNT = 0.9;

let world: World;
let trial: PlantedTrial;

beforeAll(async () => {
  world = await openWorld();
  trial = await plantTrial(world, TRIAL);
});

afterAll(() => world.close());

function rowOf(name: string) {
  const model = magnificationModels(RECIPE, "contextualised").find((each) => each.name === name);
  if (model === undefined) throw new Error(`there is no row ${name}`);
  return model;
}

describe("on slides whose class is how a coarse type goes with a fine arrangement", () => {
  it.each(["AB-MIL 10x", "AB-MIL 20x", "AB-MIL all", "Random all"])(
    "%s stays at chance with 64 labels",
    async (name) => {
      expect(Math.abs((await trainRow(world, trial, RECIPE, rowOf(name))) - 0.5)).toBeLessThan(CHANCE_LIMIT - 0.5);
    },
  );

  it("a mixer that was pretrained by masking tells the classes apart", async () => {
    const model = rowOf("MEM 0.50");
    const start = model.pretrained && (await pretrainPlanted(world, trial, RECIPE, model.pretrained));
    expect(await trainRow(world, trial, RECIPE, model, start)).toBeGreaterThan(LEARNT);
  });
});
