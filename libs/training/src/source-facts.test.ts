import type { BagMetadata } from "@parfocal/bags";
import { buildModel } from "@parfocal/models";
import { describe, expect, it } from "vitest";
import { assertSourceFits, commonSource, sourceFactsOf } from "./source-facts.ts";

const TASK = { kind: "binary", classes: ["a", "b"] };
const placed = buildModel({
  dIn: 4,
  reembed: { kind: "roformer", width: 8, heads: 2 },
  head: { kind: "mean" },
  task: TASK,
});
const plain = buildModel({ dIn: 4, head: { kind: "mean" }, task: TASK });

/** Tiles of 256 px at 0.5 um, of slides scanned at 0.25 um, `share` of a tile apart. */
function scanned(share: number): BagMetadata {
  return { tilePx: 256, mpp: 0.5, level0Mpp: 0.25, level0StridePx: 512 * share };
}

function bags(...metadata: BagMetadata[]) {
  return metadata.map((each) => ({ metadata: each }));
}

describe("the stride that a model expects", () => {
  it("is that of the training bags, in pixels of the tile, for models that look at places", () => {
    const other = { ...scanned(1), level0Mpp: 0.5, level0StridePx: 256 };
    expect(commonSource(bags(scanned(1), other, {}), placed)).toEqual({ tilePx: 256, mpp: 0.5, stridePx: 256 });
    expect(commonSource(bags(scanned(1)), plain)).toEqual({ tilePx: 256, mpp: 0.5 });
  });

  it("is not told where training bags do not agree", () => {
    expect(commonSource(bags(scanned(1), scanned(0.5)), placed)).toEqual({ tilePx: 256, mpp: 0.5 });
  });

  it("is that of level 0 where no bag tells more, but for region bags", () => {
    expect(commonSource(bags({ level0StridePx: 512 }), placed)).toEqual({ level0StridePx: 512 });
    expect(commonSource(bags({ level0StridePx: 512, levelCount: 3 }), placed)).toEqual({ surrogateLevels: "none" });
    expect(commonSource(bags({ level0StridePx: 512 }, scanned(1)), placed)).toMatchObject({ stridePx: 256 });
  });

  it("refuses bags of another overlap, naming both", () => {
    const expected = commonSource(bags(scanned(1)), placed);
    expect(() => assertSourceFits(expected, sourceFactsOf(scanned(0.5)))).toThrow(
      "the stridePx of the bag is 128, that of the other bags or of the model 256",
    );
    expect(() => assertSourceFits(expected, sourceFactsOf({ ...scanned(1), level0Mpp: 0.26 }))).not.toThrow();
    // What either does not say is taken to agree.
    expect(() => assertSourceFits(expected, sourceFactsOf({ level0StridePx: 128 }))).not.toThrow();
    expect(() => assertSourceFits({ level0StridePx: 256 }, sourceFactsOf({ level0StridePx: 128 }))).toThrow(
      "the level0StridePx of the bag is 128, that of the other bags or of the model 256; of slides whose level 0 differs",
    );
  });
});

describe("the made-up magnifications that a model expects", () => {
  const regions = (...surrogateLevels: number[]): BagMetadata => ({ levelCount: 3, surrogateLevels });
  /** A model that looks at some of the magnifications. */
  const fine = { ...plain, regions: { levels: [1, 2] } } as unknown as typeof plain;

  it("are those of the training bags, of those that it looks at, and not told of a mix", () => {
    expect(commonSource(bags(regions(0, 1), regions(0, 1)), plain)).toEqual({ surrogateLevels: "0,1" });
    expect(commonSource(bags(regions(0), { levelCount: 3 }), plain)).toEqual({});
    expect(commonSource(bags(regions(0), { levelCount: 3 }), fine)).toEqual({ surrogateLevels: "none" });
    expect(commonSource(bags({ tilePx: 256 }), plain)).toEqual({ tilePx: 256 });
    expect(commonSource(bags(regions(0)))).toEqual({});
  });

  it("refuse bags of which others are made up, naming both", () => {
    const expected = commonSource(bags({ levelCount: 3 }), plain);
    expect(() => assertSourceFits(expected, sourceFactsOf(regions(0), plain))).toThrow(
      "the surrogateLevels of the bag is 0, that of the other bags or of the model none; build its regions as those",
    );
    expect(() => assertSourceFits(expected, sourceFactsOf(regions(0), fine))).not.toThrow();
    expect(() => assertSourceFits({}, sourceFactsOf(regions(0), plain))).not.toThrow();
  });
});
