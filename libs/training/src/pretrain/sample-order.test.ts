import { createRng } from "@parfocal/metrics";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSampleOrder } from "./sample-order.ts";

describe("the order of samples", () => {
  it("has every region once in a pass, in another order each", () => {
    const order = createSampleOrder(createRng(1n), 50);
    const passes = [0, 1, 2].map((pass) => Array.from({ length: 50 }, (_, i) => order.regionOf(50 * pass + i)));
    for (const pass of passes) expect(pass.toSorted((a, b) => a - b)).toEqual([...Array(50).keys()]);
    expect(passes[1]).not.toEqual(passes[0]);
  });

  it("does not depend on what was asked before", () => {
    fc.assert(
      fc.property(fc.nat(9), fc.array(fc.nat(500), { minLength: 1, maxLength: 30 }), (seed, samples) => {
        const used = createSampleOrder(createRng(BigInt(seed)), 37);
        for (const sample of samples) {
          const fresh = createSampleOrder(createRng(BigInt(seed)), 37);
          expect(used.regionOf(sample)).toBe(fresh.regionOf(sample));
          expect(used.streamOf(sample).nextU32()).toBe(fresh.streamOf(sample).nextU32());
        }
      }),
      { numRuns: 30 },
    );
  });
});
