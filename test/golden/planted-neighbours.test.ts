import { readBag } from "@parfocal/bags";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openWorld, type World } from "../../libs/training/src/testing/world.ts";
import {
  PLANTED_WIDTH,
  type PlantedOptions,
  type PlantedSlide,
  planSlide,
  plantNeighbours,
} from "../lib/planted-neighbours.ts";
import { type PlantedRecipe, plantedModels, trainPlanted } from "../lib/planted-training.ts";

// A small version of `bench/claims`: one seed, few slides of few tiles, the same models.

const COHORT = { signal: "neighbours", nTrain: 120, nTest: 60, nTiles: [130, 180], seed: 7n } as const;
const RECIPE = { width: 64, epochs: 6 };

/** R2T has learnt after two epochs. */
const R2T_RECIPE = { width: 32, epochs: 3 };

/** 60 slides ranked at random have a standard deviation of 0.075. */
const CHANCE_LIMIT = 0.7;
const LEARNT = 0.9;

const [TYPE_A, TYPE_B] = [1, 2];

let world: World;

beforeAll(async () => {
  world = await openWorld();
});

afterAll(() => world.close());

/** Pairs of an A and a B tile side by side or one above the other. */
function countMixedPairs({ tissue, types }: PlantedSlide): number {
  const at = new Map([...types].map((type, i) => [`${tissue.cells[2 * i]},${tissue.cells[2 * i + 1]}`, type]));
  let nPairs = 0;
  for (const [i, type] of types.entries()) {
    const [x = 0, y = 0] = tissue.cells.subarray(2 * i);
    for (const other of [at.get(`${x + 1},${y}`), at.get(`${x},${y + 1}`)]) {
      if (isMixed(type, other)) nPairs += 1;
    }
  }
  return nPairs;
}

function isMixed(a: number, b: number | undefined): boolean {
  return (a === TYPE_A && b === TYPE_B) || (a === TYPE_B && b === TYPE_A);
}

function countOf(types: Uint8Array, type: number): number {
  return types.filter((each) => each === type).length;
}

/** Rows of a bag as text, sorted: equal for the same tiles in any order. */
async function tilesOf(order: "row-major" | "shuffled"): Promise<{ stored: string[]; sorted: string[] }> {
  const [slide] = await plantNeighbours(world.store, { ...COHORT, nTrain: 1, nTest: 0, order });
  if (slide === undefined) throw new Error("no slide was planted");
  const { n, features, coords } = await readBag(world.store, slide.bag);
  const stored = Array.from({ length: n }, (_, i) => {
    const row = features.data.subarray(i * PLANTED_WIDTH, (i + 1) * PLANTED_WIDTH);
    return `${coords?.subarray(2 * i, 2 * i + 2).join()} ${row.join()}`;
  });
  return { stored, sorted: stored.toSorted() };
}

describe("a planted cohort", () => {
  const slides = Array.from({ length: 100 }, (_, i) => planSlide(i, { ...COHORT, order: "row-major" }));

  it("has as many A and B tiles in every slide of both classes", () => {
    for (const { types } of slides) expect([countOf(types, TYPE_A), countOf(types, TYPE_B)]).toEqual([32, 32]);
  });

  it("has A beside B in one class only", () => {
    for (const slide of slides) {
      const nPairs = countMixedPairs(slide);
      if (slide.label === 0) expect(nPairs).toBe(0);
      else expect(nPairs).toBeGreaterThan(20);
    }
  });

  it("has tissue of the wanted sizes, whatever the class", () => {
    const sizes = [0, 1].map((label) => slides.filter((slide) => slide.label === label).map(({ tissue }) => tissue.n));
    for (const size of sizes.flat()) {
      expect(size).toBeGreaterThanOrEqual(130);
      expect(size).toBeLessThanOrEqual(180);
    }
    const [mean0 = 0, mean1 = 0] = sizes.map((each) => each.reduce((sum, n) => sum + n, 0) / each.length);
    // Uniform over 51 sizes: the difference of two means of 50 has a standard deviation of 2.9.
    expect(Math.abs(mean0 - mean1)).toBeLessThan(4 * 2.9);
  });

  it("has the same tiles in both orders of storage", async () => {
    const [rows, shuffled] = [await tilesOf("row-major"), await tilesOf("shuffled")];
    expect(shuffled.sorted).toEqual(rows.sorted);
    expect(shuffled.stored).not.toEqual(rows.stored);
  });
});

async function aurocOf(name: string, recipe: PlantedRecipe, cohort: Partial<PlantedOptions> = {}): Promise<number> {
  const model = plantedModels(recipe.width).find((each) => each.name === name);
  if (model === undefined) throw new Error(`there is no planted model ${name}`);
  return trainPlanted(world, model, recipe, { ...COHORT, ...cohort });
}

describe("on slides that differ in a few tiles, which attention pooling alone finds", () => {
  it.each([
    ["abmil", RECIPE],
    ["roformer", RECIPE],
    ["r2t", R2T_RECIPE],
    ["r2t-grid-shuffled", R2T_RECIPE],
  ] as const)("%s loses nothing", async (name, recipe) => {
    expect(await aurocOf(name, recipe, { signal: "presence" })).toBeGreaterThan(LEARNT);
  });
});

describe("on slides that differ only in which tiles are neighbours", () => {
  it("attention pooling alone stays at chance", async () => {
    expect(Math.abs((await aurocOf("abmil", RECIPE)) - 0.5)).toBeLessThan(CHANCE_LIMIT - 0.5);
  });

  it("RoFormer in front of it tells the classes apart", async () => {
    expect(await aurocOf("roformer", RECIPE)).toBeGreaterThan(LEARNT);
  });

  it("R2T on the coordinates' grid does too, in any order of storage", async () => {
    expect(await aurocOf("r2t-grid-shuffled", R2T_RECIPE)).toBeGreaterThan(LEARNT);
  });

  it("R2T in order of storage needs neighbours stored near each other", async () => {
    expect(await aurocOf("r2t", R2T_RECIPE)).toBeGreaterThan(LEARNT);
    expect(Math.abs((await aurocOf("r2t-shuffled", R2T_RECIPE)) - 0.5)).toBeLessThan(CHANCE_LIMIT - 0.5);
  });
});
