import { describe, expect, it } from "vitest";
import { createRng } from "./rng.ts";
import { fitTemperature, temper } from "./temperature.ts";

/** Cases whose labels follow `softmax(logits)`, seen through a model that says `softmax(sharpness * logits)`. */
function miscalibrated(sharpness: number, nClasses: number, n = 4000) {
  const rng = createRng(7n);
  const softmax = (logits: readonly number[]) => {
    const terms = logits.map(Math.exp);
    return terms.map((term) => term / terms.reduce((sum, each) => sum + each, 0));
  };
  const labels: number[] = [];
  const probabilities = Array.from({ length: n }, () => {
    const logits = Array.from({ length: nClasses }, () => 1.5 * rng.normal());
    labels.push(drawClass(softmax(logits), rng.nextFloat()));
    return softmax(logits.map((logit) => sharpness * logit));
  });
  return { labels, probabilities };
}

/** The class into which `u`, uniform in [0, 1), falls. */
function drawClass(probabilities: readonly number[], u: number): number {
  let mass = 0;
  const index = probabilities.findIndex((p) => {
    mass += p;
    return u < mass;
  });
  return Math.max(0, index);
}

describe("fitTemperature", () => {
  it.each([
    [3, 2],
    [3, 4],
    [0.5, 3],
    [1, 2],
  ])("finds that a model is %s times too sure, with %s classes", (sharpness, nClasses) => {
    const { labels, probabilities } = miscalibrated(sharpness, nClasses);
    const fit = fitTemperature(probabilities, labels);
    // 4 000 cases: the standard error of T is about 3 %.
    expect((fit?.temperature ?? 0) / sharpness).toBeGreaterThan(0.9);
    expect((fit?.temperature ?? 0) / sharpness).toBeLessThan(1.1);
    expect(fit?.lossAfter).toBeLessThanOrEqual(fit?.lossBefore ?? Number.NaN);
  });

  it("is at the minimum: no neighbour has a smaller loss", () => {
    const { labels, probabilities } = miscalibrated(2.5, 3, 200);
    const fit = fitTemperature(probabilities, labels);
    const lossAt = (temperature: number) =>
      labels.reduce((sum, y, i) => sum - Math.log(temper(probabilities[i] ?? [], temperature)[y] ?? 0), 0) / 200;
    const { temperature = 0, lossAfter = 0 } = fit ?? {};
    expect(lossAt(temperature)).toBeCloseTo(lossAfter, 12);
    for (const factor of [0.98, 0.999, 1.001, 1.02]) expect(lossAt(temperature * factor)).toBeGreaterThan(lossAfter);
  });

  it("is null when all are decided rightly, with one class and without cases", () => {
    expect(
      fitTemperature(
        [
          [0.9, 0.1],
          [0.3, 0.7],
        ],
        [0, 1],
      ),
    ).toBeNull();
    expect(
      fitTemperature(
        [
          [0.9, 0.1],
          [0.3, 0.7],
        ],
        [0, 0],
      ),
    ).toBeNull();
    expect(fitTemperature([], [])).toBeNull();
  });

  it("stops at 20 for a model that is always wrong, at certain ones too", () => {
    expect(
      fitTemperature(
        [
          [1, 0],
          [0, 1],
        ],
        [1, 0],
      )?.temperature,
    ).toBeCloseTo(20, 12);
  });

  it("refuses labels out of range", () => {
    expect(() => fitTemperature([[0.5, 0.5]], [2])).toThrow("label 0 is 2");
  });
});

describe("temper", () => {
  it("equals dividing logits by the temperature", () => {
    const p = 1 / (1 + Math.exp(-3));
    expect(temper([1 - p, p], 2)[1]).toBeCloseTo(1 / (1 + Math.exp(-1.5)), 12);
    expect(temper([0.2, 0.3, 0.5], 1)[2]).toBeCloseTo(0.5, 12);
  });

  it("gives probabilities from certain ones as well", () => {
    const [none = Number.NaN, all = Number.NaN] = temper([0, 1], 4);
    expect(none).toBeGreaterThan(0);
    expect(none + all).toBeCloseTo(1, 12);
    expect(() => temper([1], 0)).toThrow("temperature is 0");
  });
});
