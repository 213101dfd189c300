import { createMemoryStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { type Bag, type BagRef, readBag, readBagHeader, writeBag } from "../index.ts";
import { plantSlide } from "../testing/planted-slide.ts";
import { buildRegionBag } from "./build-region-bag.ts";
import { readBlockIndex } from "./indexed-bag.ts";
import type { RegionOptions } from "./region-options.ts";
import { TILE_FLAGS } from "./tile-flags.ts";

const LEVELS = [2, 1, 0.5];
const D = 5;
/** A slide of 2 × 3 coarse cells without two of its finest tiles, in different cells of the middle magnification. */
const SLIDE = {
  levelCount: 3,
  size: [2, 3],
  d: D,
  has: (m: number, i: number, j: number) => m < 2 || !((i === 0 && j === 1) || (i === 7 && j === 11)),
} as const;

const store = createMemoryStore();

/** Awkward numbers: sums of four are not exact in single precision, and means not in half. */
function withAwkward(bag: Bag): Bag {
  const values = Array.from({ length: bag.n * D }, (_, at) => Math.sin(1 + at * 7.3) * 2 ** ((at % 23) - 14));
  if (bag.features.dtype === "F32") return { ...bag, features: { dtype: "F32", data: Float32Array.from(values) } };
  return { ...bag, features: { dtype: "F16", data: new Uint16Array(Float16Array.from(values).buffer) } };
}

async function build(bags: readonly Bag[], options: RegionOptions = {}, folder = "regions") {
  const refs: BagRef[] = [];
  for (const bag of bags) refs.push(await writeBag(store, "bags/", bag));
  const steps = buildRegionBag(store, { refs, folder, options });
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return { ...step.value, bag: await readBag(store, step.value.ref) };
  }
}

/** Features by "m i j" as numbers of the bag's own precision. */
function tilesOf(bag: Bag): Map<string, { readonly values: number[]; readonly flags: number }> {
  const { levelCount = 0, anchorPx = [0, 0], level0StridePx = 1 } = bag.metadata;
  const { features, coords = [], level = [], flags = [] } = bag;
  const all =
    features.dtype === "F16"
      ? new Float16Array(features.data.buffer, features.data.byteOffset, features.data.length)
      : features.data;
  return new Map(
    Array.from({ length: bag.n }, (_, row) => {
      const m = levelCount - 1 - (level[row] ?? 0);
      const side = level0StridePx / 2 ** m;
      const [j, i] = [0, 1].map((axis) => Math.round(((coords[2 * row + axis] ?? 0) - (anchorPx[axis] ?? 0)) / side));
      return [`${m} ${i} ${j}`, { values: [...all.subarray(row * D, (row + 1) * D)], flags: flags[row] ?? 0 }];
    }),
  );
}

/** What stands in for tile (m, i, j): undefined where one of its children is not there. */
function naiveMean(tiles: ReturnType<typeof tilesOf>, [m, i, j]: readonly number[], round: (value: number) => number) {
  const children = [
    [2 * (i ?? 0), 2 * (j ?? 0)],
    [2 * (i ?? 0), 2 * (j ?? 0) + 1],
    [2 * (i ?? 0) + 1, 2 * (j ?? 0)],
    [2 * (i ?? 0) + 1, 2 * (j ?? 0) + 1],
  ].map(([a, b]) => tiles.get(`${(m ?? 0) + 1} ${a} ${b}`)?.values);
  if (children.includes(undefined)) return undefined;
  const at = (c: number, k: number) => children[c]?.[k] ?? Number.NaN;
  return Array.from({ length: D }, (_, k) => round((at(0, k) + at(1, k) + at(2, k) + at(3, k)) / 4));
}

/** Checks every place of the magnifications that were made up. */
function expectMeans(bag: Bag, levels: readonly number[]): number {
  const tiles = tilesOf(bag);
  const round = bag.features.dtype === "F16" ? Math.f16round : Math.fround;
  let nMade = 0;
  for (const m of levels) {
    for (let i = 0; i < 2 * 2 ** m; i++) {
      for (let j = 0; j < 3 * 2 ** m; j++) {
        const wanted = naiveMean(tiles, [m, i, j], round);
        expect(tiles.get(`${m} ${i} ${j}`)?.values).toEqual(wanted);
        nMade += wanted === undefined ? 0 : 1;
      }
    }
  }
  for (const [place, { flags }] of tiles) {
    expect((flags & TILE_FLAGS.pseudo) !== 0).toBe(levels.includes(Number(place[0])));
  }
  return nMade;
}

describe.each(["F16", "F32"] as const)("magnifications that are made up (%s)", (dtype) => {
  const planted = () => plantSlide({ ...SLIDE, dtype }).map(withAwkward) as [Bag, Bag, Bag];

  it("are the means of four children, bit for bit, and only where all four are there", async () => {
    const [, middle, fine] = planted();
    const { bag, report } = await build([middle, fine], { levelMpps: LEVELS, surrogateLevels: true });
    expect(expectMeans(bag, [0])).toBe(6);
    expect(report).toMatchObject({ tileCounts: [6, 24, 94], surrogateLevels: [0], cellCount: 6, fullCellCount: 4 });
    expect(bag.metadata).toMatchObject({ levelCount: 3, surrogateLevels: [0] });
  });

  it("are built up from the finest over a gap of two", async () => {
    const { bag, report } = await build([planted()[2]], { levelMpps: LEVELS, surrogateLevels: true });
    // Two of 24 middle tiles lack a child, and with them two of 6 coarse ones.
    expect(expectMeans(bag, [0, 1])).toBe(22 + 4);
    expect(report).toMatchObject({ tileCounts: [4, 22, 94], surrogateLevels: [0, 1] });
    expect(
      (await readBagHeader(store, (await build([planted()[2]], { levelMpps: LEVELS, surrogateLevels: true })).ref))
        .metadata,
    ).toMatchObject({ surrogateLevels: [0, 1] });
  });

  it("fill a gap below a magnification that is there, which stays as it is", async () => {
    const [coarse, , fine] = planted();
    const { bag, report } = await build([coarse, fine], { levelCount: 3, surrogateLevels: true });
    expect(expectMeans(bag, [1])).toBe(22);
    expect(report).toMatchObject({ tileCounts: [6, 22, 94], surrogateLevels: [1] });
    const plain = await build([coarse, fine], { levelCount: 3 });
    const real = [...tilesOf(plain.bag)].filter(([place]) => !place.startsWith("1"));
    expect(real.every(([place, { values }]) => String(tilesOf(bag).get(place)?.values) === String(values))).toBe(true);
  });
});

describe("a build that may make magnifications up", () => {
  const bags = plantSlide({ levelCount: 3, size: [2, 3], d: D }) as [Bag, Bag, Bag];

  it("gives another bag than one that may not, by another digest, and is found the second time", async () => {
    const named = { levelMpps: LEVELS };
    const plain = await build(bags.slice(1), named, "a");
    const made = await build(bags.slice(1), { ...named, surrogateLevels: true }, "a");
    expect(made.existed).toBe(false);
    expect(made.ref.digest).not.toBe(plain.ref.digest);
    expect(made.bag.metadata.sourceDigest).not.toBe(plain.bag.metadata.sourceDigest);
    expect(plain.report.surrogateLevels).toEqual([]);
    expect(plain.bag.metadata.surrogateLevels).toBeUndefined();
    const again = await build(bags.slice(1), { ...named, surrogateLevels: true }, "a");
    expect(again).toMatchObject({ existed: true, report: made.report, ref: made.ref });
  });

  it("gives the same bag for a slide that lacks none", async () => {
    const plain = await build(bags, { levelMpps: LEVELS }, "b");
    const asked = await build(bags, { levelMpps: LEVELS, surrogateLevels: true }, "b");
    expect(asked).toMatchObject({ existed: true, ref: plain.ref, report: { surrogateLevels: [] } });
  });

  it("finds what was built before there were any", async () => {
    const plain = await build(bags, { levelMpps: LEVELS }, "c");
    const { key } = (await store.list("c/built/")).objects[0] ?? { key: "" };
    const { surrogateLevels: _, ...report } = plain.report;
    await store.put(key, Buffer.from(JSON.stringify({ ref: plain.ref, report })));
    expect(await build(bags, { levelMpps: LEVELS }, "c")).toMatchObject({ existed: true, report: plain.report });
  });

  it("leaves an index that knows the stand-ins", async () => {
    const { ref } = await build(bags.slice(2), { levelMpps: LEVELS, surrogateLevels: true });
    const { index } = await readBlockIndex(store, ref);
    expect([...(index.pseudo ?? [])]).toEqual(new Array(6).fill(0b11111));
  });

  it("refuses to make up the finest one, by the headers alone", async () => {
    const options = { levelMpps: LEVELS, surrogateLevels: true };
    await expect(build(bags.slice(0, 2), options)).rejects.toMatchObject({
      code: "GEOMETRY_MISMATCH",
      message:
        "the finest bag of the slide is level 1 of 0 to 2 (0: the coarsest): surrogateLevels makes coarser tiles of finer ones, finer tiles cannot be made up",
    });
  });

  it("has to be told what a slide may lack", async () => {
    await expect(build(bags, { surrogateLevels: true })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("surrogateLevels needs levelMpps or levelCount") as string,
    });
  });

  it("leaves a magnification empty that has no four tiles side by side", async () => {
    const has = (m: number, i: number, j: number) => m < 2 || (i + j) % 2 === 0;
    const sparse = plantSlide({ levelCount: 3, size: [2, 3], d: D, has });
    const { bag, report } = await build(sparse.slice(2), { levelMpps: LEVELS, surrogateLevels: true });
    expect(report).toMatchObject({ tileCounts: [0, 0, 48], surrogateLevels: [] });
    expect(bag.metadata.surrogateLevels).toBeUndefined();
  });
});
