import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { levelSide, slotCount } from "@parfocal/geometry";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BlockIndex } from "./block-index.ts";
import { blockIndexFromBlocks, tilesOf } from "./block-index-of.ts";
import { type OriginOptions, regionOrigins } from "./region-origins.ts";

/** Cells of a slide: some close together, some far apart, the first row and column not empty as in every region bag. */
const cellSets = fc
  .uniqueArray(fc.tuple(coordinate(), coordinate()), { minLength: 1, maxLength: 60, selector: ([i, j]) => `${i},${j}` })
  .map((cells) => cells.sort(([a, b], [c, d]) => a - c || b - d));

function coordinate(): fc.Arbitrary<number> {
  return fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 0, max: 9 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 1_000_000 }) },
  );
}

const indices = fc
  .tuple(cellSets, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1 }), fc.boolean())
  .map(([cells, levelCount, seed, hasPseudo]): BlockIndex => {
    const nSlots = slotCount(levelCount);
    const wordCount = Math.ceil(nSlots / 32);
    const [present, pseudo] = [0, 1].map(() => new Uint32Array(cells.length * wordCount)) as [Uint32Array, Uint32Array];
    let state = seed;
    const draw = (bound: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state % bound;
    };
    for (let block = 0; block < cells.length; block++) {
      const share = draw(5);
      for (let slot = 0; slot < nSlots; slot++) {
        const [word, bit] = [block * wordCount + (slot >> 5), 1 << (slot & 31)];
        if ((draw(65_536) >> 8) % 4 < share) present[word] = ((present[word] ?? 0) | bit) >>> 0;
        if (hasPseudo && (draw(65_536) >> 8) % 3 === 0) pseudo[word] = ((pseudo[word] ?? 0) | bit) >>> 0;
      }
    }
    const grid = { levelCount, coarsePx: 1792, anchorPx: [0, 0] } as const;
    const blocks = { cells: Int32Array.from(cells.flat()), present };
    return blockIndexFromBlocks(grid, { ...blocks, pseudo: pseudo.map((word, at) => word & (present[at] ?? 0)) });
  });

/** The oracle: counts the tiles of every square in a map, as was done before the squares were swept. */
function countedOrigins(
  index: BlockIndex,
  { regionTiles, step, minPresence = 0, ...options }: OriginOptions,
): number[] {
  const { cells, tileCounts } = index;
  const levels = (options.levels ?? [...tileCounts.keys()]).filter((m) => (tileCounts[m] ?? 0) > 0);
  const counts = new Map<string, number[]>();
  for (let block = 0; block < index.blockCount; block++) {
    const [line, column] = [cells[2 * block] ?? 0, cells[2 * block + 1] ?? 0];
    for (const [i, j] of originsOver(line, column, regionTiles, step)) {
      const before = counts.get(`${i},${j}`) ?? levels.map(() => 0);
      counts.set(
        `${i},${j}`,
        before.map((count, at) => count + tilesOf(index, block, levels[at] ?? 0)),
      );
    }
  }
  const needed = levels.map((m) => minPresence * levelSide(m, regionTiles) ** 2);
  return [...counts]
    .filter(([, own]) => own.some((count) => count > 0) && own.every((count, at) => count >= (needed[at] ?? 0)))
    .map(([key]) => key.split(",").map(Number) as [number, number])
    .sort(([a, b], [c, d]) => a - c || b - d)
    .flat();
}

function originsOver(line: number, column: number, side: number, step: OriginOptions["step"]): [number, number][] {
  if (step === "grid") return [[line - (line % side), column - (column % side)]];
  return Array.from({ length: side * side }, (_, at) => [line - Math.floor(at / side), column - (at % side)]);
}

const options = fc.record({
  regionTiles: fc.integer({ min: 1, max: 5 }),
  step: fc.constantFrom("grid" as const, "every" as const),
  minPresence: fc.constantFrom(0, 0.1, 0.3, 0.65, 1),
});

describe("origins of regions", () => {
  it("are those of counting every square, however far apart cells lie", () => {
    fc.assert(
      fc.property(indices, options, fc.option(fc.subarray([0, 1, 2, 3])), (index, given, some) => {
        const levels = some?.filter((m) => m < index.levelCount);
        const wanted = { ...given, ...(levels && { levels }) };
        expect([...regionOrigins(index, wanted)]).toEqual(countedOrigins(index, wanted));
      }),
      { numRuns: 300 },
    );
  });

  it("may take stand-ins for absent", () => {
    fc.assert(
      fc.property(indices, options, (index, given) => {
        const { cells, present, pseudo } = index;
        const real = blockIndexFromBlocks(index, {
          cells,
          present: present.map((word, at) => word & ~(pseudo?.[at] ?? 0)),
        });
        const found = regionOrigins(index, { ...given, skipPseudo: true });
        expect([...found]).toEqual(countedOrigins(real, given));
      }),
      { numRuns: 100 },
    );
  });

  it("of a million blocks are found in a thread that may hold 32 MB of objects: what grows lies in typed arrays", async () => {
    const thread = new Worker(new URL("../testing/count-origins.ts", import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 8 },
    });
    const [nOrigins] = (await once(thread, "message")) as [number];
    // From one cell before the first to one before the last, but for the corners, whose regions have four of nine cells.
    expect(nOrigins).toBe(999_996);
  }, 30_000);
});
