import { describe, expect, it } from "vitest";
import { levelWeights, lossShares } from "./level-weights.ts";

describe("weights of magnifications (M6)", () => {
  it("are 7, 1.75 and 0.4375 for a full region, 1 in the mean over tokens", () => {
    const weights = levelWeights([9, 36, 144]);
    expect(weights).toEqual([7, 1.75, 0.4375]);
    expect((9 * 7 + 36 * 1.75 + 144 * 0.4375) / 189).toBe(1);
  });

  it("share what there is among the magnifications that have any", () => {
    expect(levelWeights([0, 2, 6])).toEqual([0, 2, 8 / 12]);
  });

  it("make the mean over all masks the loss without a mask", () => {
    const losses = [0.3, 0.1, 0.9, 0.4, 1.7];
    const levels = [0, 1, 1, 1, 1];
    const masks: number[] = [];
    for (let bits = 0; bits < 32; bits++) {
      const removed = losses.flatMap((_, t) => ((bits >> t) & 1 ? [t] : []));
      if (removed.length !== 3) continue;
      const shares = lossShares(removed.map((t) => levels[t]!), [1, 4], "unbiased"); // biome-ignore format: one line
      masks.push(removed.reduce((sum, t, i) => sum + (shares[i] ?? 0) * (losses[t] ?? 0), 0));
    }
    expect(masks).toHaveLength(10);
    const weights = levelWeights([1, 4]);
    const whole = losses.reduce((sum, loss, t) => sum + (weights[levels[t]!] ?? 0) * loss, 0) / 5;
    expect(whole).toBeCloseTo(0.5375, 12);
    expect(masks.reduce((sum, loss) => sum + loss, 0) / 10).toBeCloseTo(0.5375, 12);
  });
});
