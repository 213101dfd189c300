import { blockOrder, tokenPlaces } from "@parfocal/geometry";
import { buildModel, tokenLevels } from "@parfocal/models";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cellsOf, REGION_ANCHOR, REGION_STRIDE, regionBag, type TilePlace } from "../testing/region-bags.ts";
import { layRegions } from "./lay-regions.ts";
import { makeSides } from "./make-sides.ts";
import { placedTiles } from "./placed-tiles.ts";

const rule = (regionTiles: number, levels: readonly number[], levelCount = 3) => ({ regionTiles, levels, levelCount });

function placed(bag: ReturnType<typeof regionBag>) {
  return placedTiles({ levelCount: bag.metadata.levelCount ?? 1, levels: [], regionTiles: 1 }, bag, bag.metadata);
}

describe("regions of a bag", () => {
  it("have their tokens in level order: those of one full region are the blocks' by the fixed gather", () => {
    const { slots, places, kept, corners } = layRegions(
      rule(3, [0, 1, 2]),
      placed(regionBag({ cells: cellsOf(3, 3), levelCount: 3, d: 1, seed: 1n })),
    );
    const { block, slot } = blockOrder({ regionTiles: 3, levelCount: 3 });
    expect([...slots]).toEqual(Array.from(block, (cell, token) => cell * 21 + (slot[token] ?? 0)));
    expect([...places].map((place) => slots[place])).toEqual([...kept]);
    expect([...corners]).toEqual(REGION_ANCHOR.map(Math.round));
  });

  it("begin at the anchor, follow each other without overlap, and those without a tile are left out", () => {
    const cells = [
      [0, 0],
      [2, 2],
      [3, 1],
      [-1, 5],
    ] as const;
    const { corners, slots } = layRegions(
      rule(3, [0, 1, 2]),
      placed(regionBag({ cells, levelCount: 3, d: 1, seed: 1n })),
    );
    const corner = (row: number, column: number) => [
      Math.round(REGION_ANCHOR[0] + column * 3 * REGION_STRIDE),
      Math.round(REGION_ANCHOR[1] + row * 3 * REGION_STRIDE),
    ];
    expect([...corners]).toEqual([corner(-1, 1), corner(0, 0), corner(1, 0)].flat());
    expect(slots).toHaveLength(3 * 189);
  });

  it("of some magnifications count tiles among those that are looked at", () => {
    const bag = regionBag({ cells: cellsOf(2, 2), levelCount: 3, d: 1, seed: 1n });
    const { kept, slots, places } = layRegions(rule(2, [0, 2]), placed(bag));
    expect(kept).toHaveLength(4 * 17);
    expect([...kept].every((row) => bag.level?.[row] !== 1)).toBe(true);
    expect(slots).toHaveLength(4 + 64);
    expect([...slots].map((tile) => 2 - (bag.level?.[kept[tile] ?? -1] ?? 9))).toEqual(tokenLevels(rule(2, [0, 2])));
    expect([...places].map((place) => slots[place])).toEqual([...kept.keys()]);
  });

  it("are what looking each place up gives, in any order of rows, with tiles and cells missing", () => {
    const shapes = fc.record({
      regionTiles: fc.integer({ min: 1, max: 4 }),
      levelCount: fc.integer({ min: 1, max: 3 }),
      missing: fc.integer({ min: 0, max: 9 }),
      seed: fc.bigInt({ min: 0n, max: 1000n }),
      mask: fc.integer({ min: 1, max: 7 }),
    });
    fc.assert(
      fc.property(shapes, ({ regionTiles, levelCount, missing, seed, mask }) => {
        const levels = [0, 1, 2].filter((m) => m < levelCount && (mask >> m) & 1);
        fc.pre(levels.length > 0);
        const isMissing = ({ m, i, j }: TilePlace) => (7 * i + 3 * j + m) % 10 < missing;
        const cells = cellsOf(5, 4).map(([row, column]) => [row - 2, column + 1] as const);
        const bag = regionBag({ cells, levelCount, d: 1, seed, isMissing });
        fc.pre(Array.from(bag.level ?? []).some((level) => levels.includes(levelCount - 1 - level)));
        const found = layRegions(rule(regionTiles, levels, levelCount), placed(bag));
        expect(found.slots).toEqual(lookedUp(bag, { regionTiles, levels, levelCount }, found.corners, found.kept));
        expect([...found.places].map((place) => found.slots[place])).toEqual([...found.kept.keys()]);
      }),
      { numRuns: 60 },
    );
  });

  /** The tile of every place of every region, by looking for it among all coordinates. */
  function lookedUp(
    bag: ReturnType<typeof regionBag>,
    shape: ReturnType<typeof rule>,
    corners: Int32Array,
    kept: Int32Array,
  ) {
    const tiles = new Map(
      [...kept.entries()].map(([tile, row]) => {
        const m = shape.levelCount - 1 - (bag.level?.[row] ?? 0);
        return [`${m} ${bag.coords?.[2 * row]} ${bag.coords?.[2 * row + 1]}`, tile];
      }),
    );
    const tokens = tokenPlaces(shape).filter(({ m }) => shape.levels.includes(m));
    return Int32Array.from({ length: (corners.length / 2) * tokens.length }, (_, at) => {
      const region = Math.floor(at / tokens.length);
      const { m, i, j } = tokens[at % tokens.length] ?? { m: 0, i: 0, j: 0 };
      const side = REGION_STRIDE / 2 ** m;
      const begin = [0, 1].map((axis) => {
        const steps =
          ((corners[2 * region + axis] ?? 0) - (REGION_ANCHOR[axis] ?? 0)) / (shape.regionTiles * REGION_STRIDE);
        return (REGION_ANCHOR[axis] ?? 0) + Math.round(steps) * shape.regionTiles * REGION_STRIDE;
      });
      const [x, y] = [Math.round((begin[0] ?? 0) + j * side), Math.round((begin[1] ?? 0) + i * side)];
      return tiles.get(`${m} ${x} ${y}`) ?? kept.length;
    });
  }
});

describe("a bag that has no such regions", () => {
  const bag = regionBag({ cells: cellsOf(2, 2), levelCount: 3, d: 1, seed: 1n });
  const mixer = (more = {}) => {
    const reembed = { kind: "region-mixer", width: 8, heads: 2, depth: 1, ...more };
    return buildModel({ dIn: 1, reembed, head: { kind: "mean" }, task: { kind: "binary", classes: ["a", "b"] } });
  };
  const refusal =
    (change: object, more = {}) =>
    () =>
      makeSides(mixer(more), { ...bag, ...change });
  const { levelCount: _l, ...single } = bag.metadata;
  const { anchorPx: _a, ...adrift } = bag.metadata;
  const { level: _v, ...flat } = bag;

  it.each([
    ["of one magnification", { metadata: single }, {}, "the number of magnifications is 1 in the bag and 3"],
    ["of another number", {}, { levelCount: 2 }, "the number of magnifications is 3 in the bag and 2"],
    ["without an anchor", { metadata: adrift }, {}, "the bag has no anchor; a bag of regions is needed"],
    ["without a stride", { metadata: { ...bag.metadata, level0StridePx: undefined } }, {}, "the bag has no stride"],
    ["without coordinates", { coords: undefined }, {}, "the bag has no coordinates; a bag of regions is needed"],
    ["with a level beyond", { level: new Uint8Array(bag.n).fill(3) }, {}, "a tile is of level 3; the bag has 3"],
    ["off its grid", { metadata: { ...bag.metadata, anchorPx: [0, 0] } }, {}, "of its side off the bag's grid"],
    [
      "without the magnification",
      { level: new Uint8Array(bag.n) },
      { levels: [0] },
      "the bag has no tile of the magnifications 0",
    ],
  ])("%s is refused", (_name, change, more, message) => {
    expect(refusal(change, more)).toThrow(expect.objectContaining({ code: "GEOMETRY_MISMATCH" }) as Error);
    expect(refusal(change, more)).toThrow(message);
  });

  it("has no levels at all and is refused", () => {
    expect(() => makeSides(mixer(), flat)).toThrow(
      "the number of magnifications is 1 in the bag and 3 in what the model looks at",
    );
  });

  it("has a tile twice and is refused", () => {
    const twice = {
      ...bag,
      coords: bag.coords?.map((value, k) => (k < 4 && k >= 2 ? (bag.coords?.[k + 2] ?? 0) : value)),
    };
    expect(refusal(twice)).toThrow("two tiles of the bag lie at one place");
  });
});
