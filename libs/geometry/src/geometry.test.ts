import { describe, expect, it } from "vitest";
import { blockOrder, slotCount, slotIndex } from "./block.ts";
import { cropIndices } from "./crop.ts";
import { DIHEDRAL_ELEMENTS, dihedralIndices } from "./dihedral.ts";
import { levelOffset, tokenCount, tokenMagnifications, tokensOfLevels } from "./region-shape.ts";
import { childrenOf, parentOf, tokenIndex, tokenPlaces } from "./token.ts";

describe("a region's tokens (M1)", () => {
  it("are as many as the geometric series says", () => {
    expect([1, 2, 3, 4].map((regionTiles) => tokenCount({ regionTiles, levelCount: 3 }))).toEqual([21, 84, 189, 336]);
    expect([1, 2, 3, 4].map((levelCount) => tokenCount({ regionTiles: 3, levelCount }))).toEqual([9, 45, 189, 765]);
    expect([0, 1, 2].map((m) => levelOffset(m, 3))).toEqual([0, 9, 45]);
  });

  it("lie coarse to fine, row by row, over their children", () => {
    const places = tokenPlaces({ regionTiles: 2, levelCount: 2 });
    expect(places.map((place) => tokenIndex(place, 2))).toEqual([...places.keys()]);
    expect(childrenOf({ m: 0, i: 1, j: 0 }).map((child) => tokenIndex(child, 2))).toEqual([12, 13, 16, 17]);
    expect(parentOf({ m: 1, i: 3, j: 1 })).toEqual({ m: 0, i: 1, j: 0 });
    expect(parentOf({ m: 0, i: 1, j: 0 })).toBeUndefined();
  });

  it("of some magnifications keep their order", () => {
    const shape = { regionTiles: 1, levelCount: 3 };
    expect([...tokensOfLevels(shape, [0, 2])]).toEqual([0, ...Array.from({ length: 16 }, (_, t) => 5 + t)]);
    expect([...tokenMagnifications({ regionTiles: 1, levelCount: 2 })]).toEqual([0, 1, 1, 1, 1]);
    expect(() => tokensOfLevels(shape, [1, 1])).toThrow("levels[1] is 1, a whole number from 2 to 2 is needed");
  });

  it("are refused out of bounds", () => {
    expect(() => tokenCount({ regionTiles: 0, levelCount: 3 })).toThrow(
      "regionTiles is 0, a whole number from 1 to 64",
    );
    expect(() => tokenCount({ regionTiles: 3, levelCount: 6 })).toThrow("levelCount is 6, a whole number from 1 to 5");
  });
});

describe("turning a region (M2)", () => {
  it("reads the tokens that were worked out by hand", () => {
    const shape = { regionTiles: 2, levelCount: 2 };
    const rot90 = [1, 3, 0, 2, 7, 11, 15, 19, 6, 10, 14, 18, 5, 9, 13, 17, 4, 8, 12, 16];
    const flip = [1, 0, 3, 2, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12, 19, 18, 17, 16];
    expect([...dihedralIndices(shape, "rot90")]).toEqual(rot90);
    expect([...dihedralIndices(shape, "flip-lr")]).toEqual(flip);
  });

  it("leaves as many tokens in place as symmetry says", () => {
    const fixed = DIHEDRAL_ELEMENTS.map((element) => {
      const indices = dihedralIndices({ regionTiles: 3, levelCount: 3 }, element);
      return indices.filter((read, t) => read === t).length;
    });
    expect(fixed).toEqual([189, 1, 1, 1, 3, 3, 21, 21]);
  });
});

describe("cropping a source (M4)", () => {
  it("reads the tokens that were worked out by hand", () => {
    const crop = cropIndices({ sourceTiles: 7, shape: { regionTiles: 3, levelCount: 3 }, offset: [1, 2] });
    expect([...crop.subarray(0, 9)]).toEqual([9, 10, 11, 16, 17, 18, 23, 24, 25]);
    expect([crop[9], crop[45], crop.at(-1)]).toEqual([81, 365, 684]);
  });

  it("refuses a crop that leaves its source", () => {
    const shape = { regionTiles: 3, levelCount: 3 };
    const beyond = () => cropIndices({ sourceTiles: 7, shape, offset: [0, 5] });
    expect(beyond).toThrow("offset[1] is 5, a whole number from 0 to 4 is needed");
    expect(() => cropIndices({ sourceTiles: 2, shape, offset: [0, 0] })).toThrow("sourceTiles − regionTiles is -1");
  });
});

describe("blocks", () => {
  it("hold a coarse tile, its children and theirs", () => {
    expect([1, 2, 3, 4, 5].map(slotCount)).toEqual([1, 5, 21, 85, 341]);
    expect(slotIndex({ m: 0, i: 4, j: 9 })).toBe(0);
    expect(slotIndex({ m: 1, i: 2 * 4 + 1, j: 2 * 9 })).toBe(1 + 2);
    expect(slotIndex({ m: 2, i: 4 * 4 + 3, j: 4 * 9 + 2 })).toBe(5 + 4 * 3 + 2);
  });

  it("come into level order by a fixed gather", () => {
    const { block, slot } = blockOrder({ regionTiles: 2, levelCount: 2 });
    expect([...block]).toEqual([0, 1, 2, 3, 0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3]);
    expect([...slot]).toEqual([0, 0, 0, 0, 1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4]);
  });
});
