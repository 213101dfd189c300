import { createRng } from "@parfocal/metrics";
import { describe, expect, it } from "vitest";
import {
  feedsOf,
  fixtureInput,
  fixtureModel,
  fixtureParameters,
  forwardOptions,
  gradientOptions,
  runCaptured,
  runInDouble,
  WIDTH,
} from "./r2t-fixture.ts";
import { plainR2t, type Regions, squareRegions } from "./r2t-plain.ts";

type Change = Readonly<Record<string, unknown>>;

const SIZES = { heads: 2, crossHeads: 2, nTaps: 3, nRepresentatives: 2 };

function rowsOf(x: readonly number[]): number[][] {
  return Array.from({ length: x.length / WIDTH }, (_, i) => x.slice(i * WIDTH, (i + 1) * WIDTH));
}

function largestDifference(a: readonly number[], b: readonly number[]): number {
  expect(a).toHaveLength(b.length);
  return a.reduce((worst, x, i) => Math.max(worst, Math.abs(x - (b[i] ?? Number.NaN))), 0);
}

interface Bag {
  readonly tiles: readonly number[];
  readonly coords?: Int32Array;
}

function runDouble(change: Change, { tiles, coords }: Bag): number[] {
  const model = fixtureModel(change);
  const parameters = fixtureParameters(model);
  const feeds = () => feedsOf(model, { tiles, parameters, ...(coords && { coords }) });
  return Array.from(runInDouble(forwardOptions(model, tiles.length / WIDTH), feeds).y ?? []);
}

async function runSingle(change: Change, { tiles, coords }: Bag): Promise<number[]> {
  const model = fixtureModel(change);
  const feeds = feedsOf(model, { tiles, parameters: fixtureParameters(model), ...(coords && { coords }) });
  return Array.from((await runCaptured(forwardOptions(model, "N"), feeds)).y ?? []);
}

function runPlain(tiles: readonly number[], regional: Regions, cross: Regions): number[] {
  const parameters = fixtureParameters(fixtureModel());
  return plainR2t(rowsOf(tiles), (name) => parameters[`reembed.${name}`] ?? [], SIZES, { regional, cross }).flat();
}

/** f64 on both sides, sums in another order. */
const DOUBLE = 1e-10;
/** f32 against f64, as the spec's P14 has it: tiles of a region that score nearly alike divide by a small range. */
const SINGLE = 1e-4;

describe("R2T as a plain implementation has it, tile by tile", () => {
  it.each([
    ["reference", 65, {}, squareRegions(65, 8, 2, true), squareRegions(65, 8, 2, true)],
    ["reference", 100, { regionNum: 4 }, squareRegions(100, 4, 3, true), squareRegions(100, 8, 2, true)],
    ["reference", 40, { minRegionNum: 50 }, squareRegions(40, 1, 8, true), squareRegions(40, 8, 1, true)],
    ["corrected", 65, {}, squareRegions(65, 8, 2, false), squareRegions(65, 8, 2, false)],
    ["corrected", 300, {}, squareRegions(300, 8, 3, false), squareRegions(300, 8, 3, false)],
    ["corrected", 100, { regionNum: 4 }, squareRegions(100, 4, 3, false), squareRegions(100, 4, 3, false)],
    ["corrected", 90, { regionSize: 4 }, squareRegions(90, 3, 4, false), squareRegions(90, 3, 4, false)],
    ["corrected", 40, { minRegionNum: 50 }, squareRegions(40, 1, 8, false), squareRegions(40, 1, 8, false)],
  ])("%s, N = %d, %j", async (compat, nTiles, change, regional, cross) => {
    const tiles = fixtureInput(nTiles);
    const expected = runPlain(tiles, regional, cross);
    expect(largestDifference(runDouble({ compat, ...change }, { tiles }), expected)).toBeLessThan(DOUBLE);
    expect(largestDifference(await runSingle({ compat, ...change }, { tiles }), expected)).toBeLessThan(SINGLE);
  });
});

describe("corrected R2T", () => {
  it("is the reference where nothing is padded", () => {
    const tiles = fixtureInput(256);
    expect(largestDifference(runDouble({ compat: "corrected" }, { tiles }), runDouble({}, { tiles }))).toBeLessThan(
      DOUBLE,
    );
  });

  it.each([1, 2, 64, 65])("has finite gradients at N = %d", async (nTiles) => {
    const model = fixtureModel({ compat: "corrected" });
    const values = { tiles: fixtureInput(nTiles), parameters: fixtureParameters(model) };
    const captured = await runCaptured(gradientOptions(model, "N"), feedsOf(model, values));
    const exact = runInDouble(gradientOptions(model, nTiles), () => feedsOf(model, values));
    for (const [name, expected] of Object.entries(exact)) {
      const scale = Math.max(1, ...Array.from(expected).map(Math.abs));
      expect(largestDifference(Array.from(captured[name] ?? []), Array.from(expected)) / scale).toBeLessThan(1e-4);
    }
  });

  it("refuses coordinates in the reference, which knows none", () => {
    expect(() => fixtureModel({ grid: "coordinates" })).toThrow("reembed.grid is coordinates");
  });
});

/** A ragged piece of tissue: every cell of a grid of 24 columns kept with probability 0.7, in raster order. */
function raggedBag(nRows: number, seed: bigint): Required<Bag> {
  const rng = createRng(seed);
  const cells = Array.from({ length: nRows * 24 }, (_, i) => i).filter(() => rng.nextFloat() < 0.7);
  const coords = Int32Array.from(cells.flatMap((cell) => [(cell % 24) * 512 + 40_000, Math.floor(cell / 24) * 512]));
  return { tiles: fixtureInput(cells.length), coords };
}

function shuffled({ tiles, coords }: Required<Bag>, seed: bigint): { bag: Required<Bag>; order: number[] } {
  const rng = createRng(seed);
  const order = Array.from({ length: coords.length / 2 }, (_, i) => ({ i, key: rng.nextFloat() }))
    .sort((a, b) => a.key - b.key)
    .map(({ i }) => i);
  const rows = rowsOf(tiles);
  return {
    order,
    bag: {
      tiles: order.flatMap((i) => rows[i] ?? []),
      coords: Int32Array.from(order.flatMap((i) => [coords[2 * i] ?? 0, coords[2 * i + 1] ?? 0])),
    },
  };
}

/** Regions by sorting lists: bands from top to bottom, columns from left to right, rows inside. */
function spatialRegions(coords: Int32Array, perSide: number): number[][] {
  const [x, y] = [(i: number) => coords[2 * i] ?? 0, (i: number) => coords[2 * i + 1] ?? 0];
  const cut = (list: readonly number[]): number[][] =>
    Array.from({ length: perSide }, (_, p) =>
      list.slice(Math.floor((p * list.length) / perSide), Math.floor(((p + 1) * list.length) / perSide)),
    );
  const tiles = Array.from({ length: coords.length / 2 }, (_, i) => i).sort((a, b) => y(a) - y(b) || x(a) - x(b));
  return cut(tiles)
    .flatMap((band) => cut(band.toSorted((a, b) => x(a) - x(b) || y(a) - y(b))))
    .map((region) => region.toSorted((a, b) => y(a) - y(b) || x(a) - x(b)))
    .filter((region) => region.length > 0);
}

describe("regions by place on the slide", () => {
  const coordinates = { compat: "corrected", grid: "coordinates" };

  it.each([[2, {}], [16, {}], [16, { regionNum: 4 }], [16, { regionSize: 5 }], [3, { minRegionNum: 100 }]] as const)(
    "are what sorting lists gives on %d rows, %j",
    async (nRows, change: Change) => {
      const bag = raggedBag(nRows, 7n);
      const nTiles = bag.tiles.length / WIDTH;
      const root = Math.ceil(Math.sqrt(nTiles));
      const perSide =
        change.minRegionNum === undefined ? Number(change.regionNum ?? (change.regionSize ? Math.ceil(root / Number(change.regionSize)) : 8)) : 1;
      const regions = spatialRegions(bag.coords, perSide);
      const expected = runPlain(bag.tiles, regions, regions);
      expect(largestDifference(runDouble({ ...coordinates, ...change }, bag), expected)).toBeLessThan(DOUBLE);
      expect(largestDifference(await runSingle({ ...coordinates, ...change }, bag), expected)).toBeLessThan(SINGLE);
    },
  ); // biome-ignore format: one line

  it("do not depend on the order in which tiles are stored", async () => {
    const bag = raggedBag(16, 11n);
    const { bag: other, order } = shuffled(bag, 12n);
    const expected = rowsOf(await runSingle(coordinates, bag));
    const actual = await runSingle(coordinates, other);
    expect(
      largestDifference(
        actual,
        order.flatMap((i) => expected[i] ?? []),
      ),
    ).toBe(0);
  });

  it("depend on it where regions follow the storage order", async () => {
    const bag = raggedBag(16, 11n);
    const { bag: other, order } = shuffled(bag, 12n);
    const expected = rowsOf(await runSingle({}, { tiles: bag.tiles }));
    const actual = await runSingle({}, { tiles: other.tiles });
    expect(
      largestDifference(
        actual,
        order.flatMap((i) => expected[i] ?? []),
      ),
    ).toBeGreaterThan(1e-2);
  });

  it("are the square of the storage order on a full raster", () => {
    const tiles = fixtureInput(256);
    const coords = Int32Array.from({ length: 512 }, (_, i) => (i % 2 === 0 ? (i >> 1) % 16 : i >> 5) * 224);
    expect(largestDifference(runDouble(coordinates, { tiles, coords }), runDouble({}, { tiles }))).toBeLessThan(DOUBLE);
  });

  it("take tiles that lie at one place", async () => {
    const nTiles = 70;
    const bag = { tiles: fixtureInput(nTiles), coords: new Int32Array(2 * nTiles) };
    expect((await runSingle(coordinates, bag)).every(Number.isFinite)).toBe(true);
  });
});
