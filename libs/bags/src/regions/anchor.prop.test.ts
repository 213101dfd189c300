import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anchorOf, circularMedian } from "./anchor.ts";

describe("the circular median", () => {
  it("is the one of a cluster wherever the circle begins, beside a few strays", () => {
    const cluster = fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 9, maxLength: 60 });
    const strays = fc.array(fc.integer({ min: 300, max: 700 }), { maxLength: 2 });
    const turns = fc.integer({ min: -5, max: 5 });
    fc.assert(
      fc.property(cluster, strays, fc.integer({ min: 0, max: 999 }), turns, (near, far, shift, nTurns) => {
        const values = Float64Array.from([...near, ...far], (value) => value + shift + 1000 * nTurns);
        const median = circularMedian(values, 1000);
        const distance = Math.min(...[-1000, 0, 1000].map((turn) => Math.abs(median - shift + turn)));
        expect(median).toBeGreaterThanOrEqual(0);
        expect(median).toBeLessThan(1000);
        expect(distance).toBeLessThanOrEqual(20);
      }),
    );
  });

  it("is the lower of the two in the middle", () => {
    expect(circularMedian(Float64Array.of(998, 2, 4, 6), 1000)).toBe(2);
    expect(circularMedian(Float64Array.of(5), 10)).toBe(5);
  });
});

describe("the anchor of a grid", () => {
  it("is found to half a pixel, whatever its side and place, from rounded corners", () => {
    const number = (min: number, max: number) => fc.double({ min, max, noNaN: true });
    const cells = fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 60 })), {
      minLength: 1,
      maxLength: 80,
      selector: ([i, j]) => `${i} ${j}`,
    });
    fc.assert(
      fc.property(number(50, 4000), number(-5000, 5000), number(-5000, 5000), cells, (sidePx, x, y, places) => {
        const coords = places.flatMap(([i, j]) => [Math.round(x + j * sidePx), Math.round(y + i * sidePx)]);
        const anchor = anchorOf({ coords: Int32Array.from(coords), sidePx, overlap: 1 });
        for (const [axis, wanted] of [x, y].entries()) {
          const away = ((anchor[axis] ?? 0) - wanted) / sidePx;
          // Half a pixel of rounding, and the thousandth that anchors are kept to.
          expect(Math.abs(away - Math.round(away)) * sidePx).toBeLessThanOrEqual(0.502);
        }
      }),
    );
  });
});
