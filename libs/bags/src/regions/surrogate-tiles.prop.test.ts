import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Bag } from "../bag.ts";
import { plantSlide } from "../testing/planted-slide.ts";
import { groundBags } from "./ground-bags.ts";
import { resolveRegionOptions } from "./region-options.ts";
import { TILE_FLAGS } from "./tile-flags.ts";

const MPPS = [4, 2, 1, 0.5];

describe("tiles of magnifications that are made up", () => {
  it("are flagged, are there just where four children are, and change nothing of the others", () => {
    const setting = fc.record({
      levelCount: fc.integer({ min: 2, max: 4 }),
      rows: fc.integer({ min: 1, max: 3 }),
      columns: fc.integer({ min: 1, max: 3 }),
      given: fc.subarray([0, 1, 2], { minLength: 0 }),
      salt: fc.nat(1000),
      share: fc.integer({ min: 0, max: 4 }),
    });
    fc.assert(
      fc.property(setting, ({ levelCount, rows, columns, given, salt, share }) => {
        // The tile at the corner stays, so that all grids begin there.
        const has = (m: number, i: number, j: number) => i + j === 0 || (m * 7 + i * 13 + j * 29 + salt) % 11 >= share;
        const planted = plantSlide({ levelCount, size: [rows, columns], d: 1, coarsePx: 224 * 2 ** levelCount, has });
        const kept = [...new Set([...given.filter((m) => m < levelCount - 1), levelCount - 1])];
        const bags = kept.flatMap((m): Bag[] => {
          const bag = planted[m];
          return bag === undefined
            ? []
            : [{ ...bag, metadata: { ...bag.metadata, mpp: MPPS.at(m - levelCount) ?? 0 } }];
        });
        const levelMpps = MPPS.slice(-levelCount);
        const plain = groundBags(bags, resolveRegionOptions({ levelMpps }, bags.length));
        const made = groundBags(bags, resolveRegionOptions({ levelMpps, surrogateLevels: true }, bags.length));
        const isMade = (row: number) => ((made.flags[row] ?? 0) & TILE_FLAGS.pseudo) !== 0;
        const magnification = (row: number) => levelCount - 1 - (made.level[row] ?? 0);
        const all = [...made.level.keys()];
        for (const row of all) expect(isMade(row)).toBe(!kept.includes(magnification(row)));
        const real = all.filter((row) => !isMade(row));
        expect(real.map((row) => [made.bag[row], made.row[row], made.flags[row]])).toEqual(
          [...plain.level.keys()].map((row) => [plain.bag[row], plain.row[row], plain.flags[row]]),
        );
        // Every made-up tile names four tiles of the next finer level inside of it; every four such tiles have one.
        const place = (row: number) => `${magnification(row)} ${made.coords[2 * row]} ${made.coords[2 * row + 1]}`;
        const where = new Map(all.map((row) => [place(row), row]));
        expect(where.size).toBe(made.n);
        const childrenOf = (m: number, x: number, y: number) => {
          const side = made.coarsePx / 2 ** (m + 1);
          return [0, 1, 2, 3].map((c) => where.get(`${m + 1} ${x + (c % 2) * side} ${y + (c >> 1) * side}`));
        };
        for (const row of all.filter(isMade)) {
          const [x = 0, y = 0] = made.coords.subarray(2 * row, 2 * row + 2);
          const first = 4 * (made.row[row] ?? 0);
          expect([...made.children.subarray(first, first + 4)]).toEqual(childrenOf(magnification(row), x, y));
        }
        const lacking = [...Array(levelCount).keys()].filter((m) => !kept.includes(m));
        for (const m of lacking) {
          const side = made.coarsePx / 2 ** m;
          const parents = new Set(
            all
              .filter((row) => magnification(row) === m + 1)
              .map((row) => {
                const [x, y] = [0, 1].map((axis) => {
                  const corner = made.anchorPx[axis] ?? 0;
                  return corner + Math.floor(((made.coords[2 * row + axis] ?? 0) - corner) / side) * side;
                });
                return `${x} ${y}`;
              }),
          );
          for (const parent of parents) {
            const [x = 0, y = 0] = parent.split(" ").map(Number);
            expect(where.has(`${m} ${parent}`)).toBe(!childrenOf(m, x, y).includes(undefined));
          }
        }
        expect(made.report.surrogateLevels).toEqual(lacking.filter((m) => (made.report.tileCounts[m] ?? 0) > 0));
      }),
      { numRuns: 200 },
    );
  });
});
