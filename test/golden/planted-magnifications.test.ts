import type { Bag } from "@parfocal/bags";
import { describe, expect, it } from "vitest";
import {
  isHot,
  MAGNIFICATION_WIDTH,
  type MagnificationOptions,
  magnificationBag,
  planMagnifications,
} from "../lib/planted-magnifications.ts";

const COHORT: MagnificationOptions = { nTrain: 40, nValidation: 0, nTest: 0, seed: 11n };
const PLANS = Array.from({ length: 40 }, (_, i) => planMagnifications(i, COHORT));

/** A slide's figures of one magnification (0: coarsest), whatever its label: rows of features, sorted so that places are lost. */
function rowsOf(bag: Bag, m: number): number[][] {
  const data = bag.features.data as Float32Array;
  return [...(bag.level ?? [])].flatMap((level, row) =>
    level === 2 - m ? [[...data.slice(row * MAGNIFICATION_WIDTH, (row + 1) * MAGNIFICATION_WIDTH)]] : [],
  );
}

describe("a planted cohort of several magnifications", () => {
  it("has the same counts of types, arrangements and hot tiles in every slide", () => {
    for (const { compartments } of PLANS) {
      expect(compartments).toHaveLength(16);
      expect(compartments.filter(({ type }) => type === 1)).toHaveLength(8);
      expect(compartments.filter(({ arrangement }) => arrangement === "stripes")).toHaveLength(8);
      for (const compartment of compartments) {
        const hot = Array.from({ length: 64 }, (_, at) => isHot(compartment, Math.floor(at / 8), at % 8));
        expect(hot.filter(Boolean)).toHaveLength(32);
      }
    }
  });

  it("tells its classes by which type is striped, in every compartment", () => {
    for (const { label, compartments } of PLANS) {
      for (const { type, arrangement } of compartments) expect(arrangement === "stripes").toBe(type === label);
    }
    expect(PLANS.filter(({ label }) => label === 1)).toHaveLength(20);
  });

  it("has, without noise, the same tiles of each magnification in slides of either class but for where they lie", () => {
    const quiet = { ...COHORT, noise: 0 };
    const sorted = (index: number, m: number) =>
      rowsOf(magnificationBag(index, quiet), m)
        .map((row) => row.join(" "))
        .sort();
    for (const m of [0, 1, 2]) {
      expect(sorted(0, m)).toHaveLength(64 * 4 ** m);
      for (const index of [1, 2, 3]) expect(sorted(index, m)).toEqual(sorted(0, m));
    }
  });

  it("has classes whose means do not differ, in any feature of any magnification", () => {
    for (const m of [0, 1, 2]) {
      const means = PLANS.map((_, index) => {
        const rows = rowsOf(magnificationBag(index, COHORT), m);
        return Array.from(
          { length: MAGNIFICATION_WIDTH },
          (_, k) => rows.reduce((sum, row) => sum + (row[k] ?? 0), 0) / rows.length,
        );
      });
      for (let k = 0; k < MAGNIFICATION_WIDTH; k++) {
        const [a, b] = [0, 1].map((label) =>
          means.flatMap((row, i) => (PLANS[i]?.label === label ? [row[k] ?? 0] : [])),
        );
        // 20 slides a class: means of that many means of noise differ by little more than this many standard errors.
        const error = Math.sqrt(2 / (20 * 64 * 4 ** m));
        expect(Math.abs(mean(a) - mean(b)) / error).toBeLessThan(4);
      }
    }
  });

  it("shows the type in the coarsest tiles and the arrangement in the finest, and lies in block order", () => {
    const bag = magnificationBag(3, { ...COHORT, noise: 0 });
    const { compartments } = planMagnifications(3, COHORT);
    const feature = (row: number, k: number) => bag.features.data[row * MAGNIFICATION_WIDTH + k];
    expect([...(bag.level ?? [])].slice(0, 21)).toEqual([
      2,
      ...new Array<number>(4).fill(1),
      ...new Array<number>(16).fill(0),
    ]);
    for (const [cell, compartment] of [
      [0, compartments[0]],
      [2, compartments[1]],
      [16, compartments[4]],
    ] as const) {
      if (compartment === undefined) throw new Error("the plan is shorter than it should be");
      expect(feature(21 * cell, 0)).toBe(compartment.type === 1 ? 3 : -3);
      const fine = Array.from({ length: 16 }, (_, slot) => feature(21 * cell + 5 + slot, 1));
      expect(fine).toEqual(fine.map((_, slot) => (isHot(compartment, Math.floor(slot / 4), slot % 4) ? 3 : -3)));
    }
    expect([...(bag.coords ?? [])].slice(42, 44)).toEqual([1024, 0]);
  });
});

function mean(values: readonly number[] | undefined): number {
  return (values ?? []).reduce((sum, value) => sum + value, 0) / (values?.length ?? 1);
}
