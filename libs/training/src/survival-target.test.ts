import { runEagerly, tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { hostLoss } from "./host-loss.ts";
import { bagLoss } from "./loss.ts";
import { encodeSurvivalTarget, type SurvivalLabel, survivalRisk } from "./survival-target.ts";

/** Four sigmoids whose loss the targets make a likelihood. */
const SIGMOIDS = { kind: "multilabel", classes: ["0", "1", "2", "3"], link: "sigmoid" } as const;

function lossOf(logits: readonly number[], label: SurvivalLabel, alpha = 0): number {
  return hostLoss(SIGMOIDS, logits, encodeSurvivalTarget(logits.length, label, alpha));
}

function graphLossOf(logits: readonly number[], label: SurvivalLabel): number {
  const target = encodeSurvivalTarget(logits.length, label);
  const { loss } = runEagerly(
    {
      name: "survival",
      inputs: [],
      build: () => ({ loss: bagLoss(SIGMOIDS, tf.tensor1d([...logits]), tf.tensor2d(target, [2, logits.length])) }),
    },
    {},
  );
  return loss?.data[0] ?? Number.NaN;
}

describe("survival in discrete time", () => {
  const LOGITS = [0.2, -0.4, 0.6, -0.1];

  it.each([
    [false, [0.59813887, 1.71115412, 1.74864207, 3.09303873]],
    [true, [0.79813887, 1.31115412, 2.34864207, 2.99303873]],
  ])("has the likelihoods of G20, censored %s", (isCensored, expected) => {
    for (const [bin, value] of expected.entries()) {
      expect(Math.abs(lossOf(LOGITS, { bin, isCensored }) - value)).toBeLessThan(1e-8);
      expect(graphLossOf(LOGITS, { bin, isCensored })).toBeCloseTo(value, 6);
    }
  });

  it("has the risk of G20", () => {
    expect(Math.abs(survivalRisk(LOGITS) - -0.86530845)).toBeLessThan(1e-8);
  });

  const ROWS = [
    [0.2, -0.5, 1, 0.3],
    [-1, 0, 0.5, 2],
    [0.7, 0.1, -0.4, -1.2],
  ] as const;
  const LABELS = [
    { bin: 2, isCensored: false },
    { bin: 1, isCensored: true },
    { bin: 0, isCensored: false },
  ];

  it("has the likelihoods and risks of F18", () => {
    const losses = (alpha: number) => ROWS.map((logits, i) => lossOf(logits, LABELS[i]!, alpha));
    for (const [i, value] of [1.58547754, 1.00640887, 0.40318605].entries()) expect(losses(0)[i]).toBeCloseTo(value, 7);
    for (const [alpha, mean] of [[0, 0.99835749], [0.15, 0.94803704], [0.4, 0.86416964], [0.5, 0.83062267]] as const) // biome-ignore format: one line
      expect(losses(alpha).reduce((sum, loss) => sum + loss / 3, 0)).toBeCloseTo(mean, 7);
    for (const [i, risk] of [-0.83780616, -1.2510403, -0.65631463].entries())
      expect(survivalRisk(ROWS[i]!)).toBeCloseTo(risk, 7);
  });

  it("stays finite where a clamp would bite", () => {
    expect(lossOf([80, -80], { bin: 1, isCensored: false })).toBe(160);
    expect(survivalRisk([800, 800])).toBeCloseTo(0, 12);
  });

  it("refuses bins and weights that are none", () => {
    expect(() => encodeSurvivalTarget(4, { bin: 4, isCensored: false })).toThrow("the bin of time is 4; it is 0 to 3");
    expect(() => encodeSurvivalTarget(4, { bin: 0, isCensored: true }, 1.5)).toThrow("alpha is 1.5");
  });
});
