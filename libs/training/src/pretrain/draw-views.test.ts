import { createRng } from "@parfocal/metrics";
import { buildPretrainModel } from "@parfocal/models";
import { describe, expect, it } from "vitest";
import { createViewDrawer, type View } from "./draw-views.ts";

function configOf(change: Record<string, unknown> = {}, removalRatio = 0.5) {
  return buildPretrainModel({ dIn: 4, mixer: {}, masked: { removalRatio }, ...change }).config;
}

const ALL_THERE = (nTokens: number) => new Int16Array(nTokens);

/** Draws the views of `n` samples. */
function drawMany(n: number, drawer: ReturnType<typeof createViewDrawer>, runs: Int16Array): View[] {
  const rng = createRng(5n);
  return Array.from({ length: n }, (_, i) => drawer(runs, rng.fork(`sample ${i}`))).flat();
}

describe("masks", () => {
  it.each([
    [0.25, 141, 0.25397],
    [0.5, 94, 0.50265],
    [0.75, 47, 0.75132],
  ])("remove %d of the tiles, each as often as any other", (ratio, nKept, frequency) => {
    const nDraws = 4000;
    const draw = createViewDrawer({ config: configOf({}, ratio), minPresence: 0.65, augment: true });
    const counts = new Float64Array(189);
    for (const { split } of drawMany(nDraws, draw, ALL_THERE(189))) {
      expect(split.kept).toHaveLength(nKept);
      expect([...split.kept, ...split.removed].toSorted((a, b) => a - b)).toEqual([...Array(189).keys()]);
      for (const token of split.removed) counts[token] = (counts[token] ?? 0) + 1;
    }
    // Five standard deviations of a count: of 189 × 3 of them less than one in a thousand runs is out, and the seed is fixed.
    const slack = 5 * Math.sqrt((frequency * (1 - frequency)) / nDraws);
    for (const count of counts) expect(Math.abs(count / nDraws - frequency)).toBeLessThan(slack);
    const levels = [counts.slice(0, 9), counts.slice(9, 45), counts.slice(45)];
    const shares = levels.map((level) => level.reduce((sum, count) => sum + count, 0) / level.length / nDraws);
    for (const share of shares) expect(share).toBeCloseTo(frequency, 2);
  });
});

describe("branches that are left out", () => {
  it("are drawn for each view by their probabilities, and change nothing else of it", () => {
    const paths = [0.1, 0.6].map((probability) => ({ probability }));
    const rule = { config: configOf({ mixer: { regionTiles: 1 } }), minPresence: 0.65, augment: true };
    const nDraws = 4000;
    const views = drawMany(nDraws, createViewDrawer({ ...rule, paths }), ALL_THERE(21));
    paths.forEach(({ probability }, at) => {
      const factors = views.map((view) => view.paths?.[at] ?? Number.NaN);
      expect(new Set(factors)).toEqual(new Set([0, 1 / (1 - probability)]));
      const share = factors.filter((factor) => factor === 0).length / nDraws;
      expect(Math.abs(share - probability)).toBeLessThan(5 * Math.sqrt((probability * (1 - probability)) / nDraws));
    });
    const plain = drawMany(nDraws, createViewDrawer(rule), ALL_THERE(21));
    expect(views.map(({ reads, split }) => ({ reads, split }))).toEqual(plain);
  });
});

describe("crops and turns", () => {
  const contrastive = { sourceTiles: 7 };

  it("are uniform and independent between the two views of a source", () => {
    const nDraws = 4000;
    const draw = createViewDrawer({ config: configOf({ contrastive }), minPresence: 0.65, augment: false });
    const views = drawMany(nDraws, draw, ALL_THERE(1029));
    const corner = ({ reads }: View) => reads[0] ?? -1;
    const seen = new Set(views.map(corner));
    expect(seen.size).toBe(25);
    const pairs = Array.from({ length: nDraws }, (_, i) => views.slice(2 * i, 2 * i + 2));
    const nIdentical = pairs.filter(([a, b]) => a && b && corner(a) === corner(b)).length;
    const nTouching = pairs.filter(([a, b]) => a && b && a.reads.some((token) => b.reads.includes(token))).length;
    expect(nIdentical / nDraws).toBeCloseTo(0.04, 1.8);
    expect(Math.abs(nTouching / nDraws - 0.5776)).toBeLessThan(5 * Math.sqrt((0.5776 * 0.4224) / nDraws));
    const isSameMask = pairs.filter(([a, b]) => a?.split.kept.join() === b?.split.kept.join());
    expect(isSameMask).toHaveLength(0);
  });

  it("turn a view in eight ways, or none", () => {
    const ways = (augment: boolean) => {
      const draw = createViewDrawer({ config: configOf(), minPresence: 0.65, augment });
      return new Set(drawMany(200, draw, ALL_THERE(189)).map(({ reads }) => reads.join())).size;
    };
    expect(ways(true)).toBe(8);
    expect(ways(false)).toBe(1);
  });

  it("avoid crops that lack tiles, and take the fullest when all do", () => {
    const two = configOf({ mixer: { regionTiles: 2, levelCount: 1 }, contrastive: { sourceTiles: 3 } });
    const cornersOf = (missing: number[], minPresence: number) => {
      const runs = Int16Array.from({ length: 9 }, (_, token) => (missing.includes(token) ? -1 : 0));
      const draw = createViewDrawer({ config: two, minPresence, augment: false });
      return new Set(drawMany(60, draw, runs).map(({ reads }) => reads[0]));
    };
    expect(cornersOf([0], 0.75)).toEqual(new Set([0, 1, 3, 4]));
    expect(cornersOf([0], 1)).toEqual(new Set([1, 3, 4]));
    expect(cornersOf([0, 1, 5, 4], 0.9)).toEqual(new Set([3]));
  });

  describe.each([
    ["all magnifications", 0],
    ["the two finer magnifications", 1],
  ])("of a source whose corner is missing at %s", (_name, coarsestMissing) => {
    const runs = Int16Array.from(
      [0, 1, 2].flatMap((level) => {
        const side = 7 * 2 ** level;
        const isInCorner = (at: number) => Math.floor(at / side) >> level < 3 && (at % side) >> level < 3;
        return Array.from({ length: side * side }, (_, at) => (level >= coarsestMissing && isInCorner(at) ? -1 : 0));
      }),
    );
    const sharesOf = ({ reads }: View) =>
      [reads.subarray(0, 9), reads.subarray(9, 45), reads.subarray(45)].map(
        (level) => level.filter((token) => (runs[token] ?? -1) >= 0).length / level.length,
      );
    const viewsOf = (minPresence: number) =>
      drawMany(500, createViewDrawer({ config: configOf({ contrastive }), minPresence, augment: true }), runs);

    it("have enough tiles of every magnification", () => {
      expect(Math.min(...viewsOf(0.65).flatMap(sharesOf))).toBeGreaterThanOrEqual(0.65);
    });

    it("are never empty, however few tiles are asked for", () => {
      expect(Math.min(...viewsOf(0).map((view) => Math.max(...sharesOf(view))))).toBeGreaterThan(0);
    });
  });

  it("do not count a magnification that the whole source lacks", () => {
    const runs = Int16Array.from({ length: 1029 }, (_, token) => (token < 49 ? -1 : 0));
    const draw = createViewDrawer({ config: configOf({ contrastive }), minPresence: 0.65, augment: false });
    expect(new Set(drawMany(300, draw, runs).map(({ reads }) => reads[0])).size).toBe(25);
  });

  it("leave missing tiles out of both sides of a mask", () => {
    const runs = Int16Array.from({ length: 189 }, (_, token) => (token % 3 === 0 ? -1 : 0));
    const draw = createViewDrawer({ config: configOf(), minPresence: 0, augment: true });
    for (const { split, isPresent, reads } of drawMany(20, draw, runs)) {
      expect(split.kept).toHaveLength(63);
      expect(split.removed).toHaveLength(63);
      for (const place of [...split.kept, ...split.removed]) {
        expect(isPresent?.[place]).toBe(1);
        expect(runs[reads[place] ?? 0]).toBe(0);
      }
    }
  });
});
