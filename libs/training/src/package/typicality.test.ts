import { createRng, type Rng } from "@parfocal/metrics";
import { describe, expect, it } from "vitest";
import { type BagMoments, fitTypicality, judgeBag, type Typicality } from "./typicality.ts";

const D = 32;

/** A bag whose features are `shift` off and `stretch` times as wide as usual; even features share a slide's stain. */
function drawBag(rng: Rng, { shift = 0, stretch = 1 } = {}): BagMoments {
  const stain = rng.normal();
  const mean = Array.from({ length: D }, (_, k) => shift + (k % 2 === 0 ? stain : 0) + 0.3 * rng.normal());
  const variance = mean.map((_, k) => stretch ** 2 * (1 + k) * Math.exp(0.2 * rng.normal()));
  return { mean, variance };
}

function fit(nBags: number, rng: Rng): Typicality {
  const typicality = fitTypicality(Array.from({ length: nBags }, () => drawBag(rng)));
  if (typicality === null) throw new Error("there are enough bags");
  return typicality;
}

describe("how a bag compares with the training bags", () => {
  it("is uniform for bags like them, whatever their number", () => {
    for (const nBags of [30, 200]) {
      const rng = createRng(BigInt(nBags));
      const percentiles = Array.from({ length: 20 }, () => fit(nBags, rng)).flatMap((typicality) =>
        Array.from({ length: 50 }, () => judgeBag(typicality, drawBag(rng)).percentile),
      );
      // 1 000 judgements by 20 fits: the share above each mark within 0.05, four standard errors if they were independent.
      for (const mark of [50, 90]) {
        const share = percentiles.filter((percentile) => percentile >= mark).length / percentiles.length;
        expect(Math.abs(share - (1 - mark / 100))).toBeLessThan(0.05);
      }
    }
  });

  it("finds bags of another mean and of another spread, and tells which", () => {
    const rng = createRng(2n);
    const typicality = fit(100, rng);
    const shifted = judgeBag(typicality, drawBag(rng, { shift: 3 }));
    expect(shifted).toMatchObject({ percentile: 100, furthest: "mean" });
    expect(shifted.distance).toBeGreaterThan(2);
    expect(judgeBag(typicality, drawBag(rng, { stretch: 4 }))).toMatchObject({ percentile: 100, furthest: "spread" });
  });

  it("finds a feature that was constant in training", () => {
    const rng = createRng(3n);
    const withConstant = ({ mean, variance }: BagMoments, value: number): BagMoments => ({
      mean: [...Array.from(mean), value],
      variance: [...Array.from(variance), 0],
    });
    const typicality = fitTypicality(Array.from({ length: 100 }, () => withConstant(drawBag(rng), 0)));
    if (typicality === null) throw new Error("there are enough bags");
    expect(judgeBag(typicality, withConstant(drawBag(rng), 0)).percentile).toBeLessThan(100);
    expect(judgeBag(typicality, withConstant(drawBag(rng), 50)).percentile).toBe(100);
  });

  it("keeps at most 1 001 distances, and the same percentiles", () => {
    const typicality = fit(1500, createRng(4n));
    expect(typicality.distances).toHaveLength(1001);
    const rng = createRng(5n);
    const above = Array.from({ length: 500 }, () => judgeBag(typicality, drawBag(rng)).percentile);
    const share = above.filter((percentile) => percentile > 90).length / 500;
    expect(Math.abs(share - 0.1)).toBeLessThan(0.055);
  });

  it("says nothing of fewer than 20 bags, and is finite for bags that are all one", () => {
    const rng = createRng(6n);
    expect(fitTypicality(Array.from({ length: 19 }, () => drawBag(rng)))).toBeNull();
    const one = { mean: [1, 2], variance: [0, 0] };
    const typicality = fitTypicality(new Array<BagMoments>(20).fill(one));
    if (typicality === null) throw new Error("there are enough bags");
    expect(judgeBag(typicality, one).percentile).toBe(0);
    expect(judgeBag(typicality, { mean: [1, 9], variance: [0, 0] }).percentile).toBe(100);
  });
});
