import { describe, expect, it } from "vitest";
import { conformalQuantile, conformalSet, fitConformalHalfWidth, fitConformalSets } from "./conformal.ts";
import { createRng, type Rng } from "./rng.ts";

const LAC = { score: "lac", alpha: 0.1, isClassConditional: false } as const;

/** The class into which `u`, uniform in [0, 1), falls. */
function drawClass(probabilities: readonly number[], u: number): number {
  let mass = 0;
  const index = probabilities.findIndex((p) => {
    mass += p;
    return u < mass;
  });
  return Math.max(0, index);
}

describe("the conformal quantile", () => {
  it("is the ceil((n + 1)(1 - alpha))-th smallest", () => {
    const scores = Array.from({ length: 19 }, (_, i) => i + 1).reverse();
    expect(conformalQuantile(scores, 0.1)).toBe(18);
    expect(conformalQuantile(scores, 0.05)).toBe(19);
    expect(conformalQuantile(scores, 0.04)).toBeNull();
    // (9 + 1)(1 - 0.1) is 9 exactly, though not in binary fractions.
    expect(conformalQuantile(scores.slice(10), 0.1)).toBe(9);
    expect(conformalQuantile([], 0.1)).toBeNull();
    expect(() => conformalQuantile([1], 0)).toThrow("alpha is 0; it must lie in (0, 1)");
  });
});

describe("prediction sets", () => {
  const patients = Array.from({ length: 19 }, (_, i) => `p${i}`);
  const labels = patients.map((_, i) => i % 2);
  const probabilities = labels.map((label, i) => {
    const p = 0.5 + (i + 1) / 40;
    return label === 1 ? [1 - p, p] : [p, 1 - p];
  });

  it("hold the classes whose probability reaches the limit (LAC)", () => {
    const sets = fitConformalSets({ patients, labels, probabilities }, LAC);
    // The 18th smallest of the scores 1 - p, which are 0.025 to 0.475.
    expect(sets.limits[0]).toBeCloseTo(0.45, 12);
    expect(sets.nPatients).toEqual([19]);
    expect(conformalSet([0.2, 0.8], sets)).toEqual([1]);
    expect(conformalSet([0.5, 0.5], sets)).toEqual([]);
    expect(conformalSet([0.5, 0.5], { ...sets, limits: [null] })).toEqual([0, 1]);
  });

  it("hold likelier classes first until the mass is reached (APS)", () => {
    const sets = { ...LAC, score: "aps", limits: [0.85], nPatients: [50] } as const;
    expect(conformalSet([0.1, 0.5, 0.3, 0.1], sets)).toEqual([1, 2]);
    // Of equals the first.
    expect(conformalSet([0.4, 0.4, 0.2], sets)).toEqual([0, 1]);
  });

  it("have a limit for each class, and keep a class that nobody calibrated", () => {
    const three = probabilities.map((row) => [...row, 0]);
    const sets = fitConformalSets({ patients, labels, probabilities: three }, { ...LAC, isClassConditional: true });
    expect(sets.nPatients).toEqual([10, 9, 0]);
    expect(sets.limits[2]).toBeNull();
    expect(conformalSet([0.99, 0.01, 0], sets)).toEqual([0, 2]);
  });

  it("rest on the least conforming case of each patient", () => {
    const pairs = patients.map((_, i) => `p${Math.floor(i / 2)}`);
    const sets = fitConformalSets({ patients: pairs, labels, probabilities }, { ...LAC, alpha: 0.2 });
    expect(sets.nPatients).toEqual([10]);
    // Worst of 10 patients: 0.475, 0.425, ... ; the ceil(11 * 0.8) = 9th smallest.
    expect(sets.limits[0]).toBeCloseTo(0.425, 12);
  });
});

describe("prediction intervals", () => {
  it("are the quantile of the absolute errors to each side", () => {
    const errors = Array.from({ length: 9 }, (_, i) => (i % 2 === 0 ? i + 1 : -i - 1));
    const patients = errors.map((_, i) => `p${i}`);
    expect(fitConformalHalfWidth(patients, errors, 0.1)).toEqual({ halfWidth: 9, nPatients: 9 });
    expect(fitConformalHalfWidth(patients, errors, 0.05).halfWidth).toBeNull();
    expect(() => fitConformalHalfWidth([], [1], 0.1)).toThrow("1 errors for 0 patients");
  });
});

describe("coverage over 1 000 simulated calibrations of 50 patients", () => {
  const softmax = (logits: readonly number[]) => {
    const terms = logits.map(Math.exp);
    return terms.map((term) => term / terms.reduce((sum, each) => sum + each, 0));
  };
  /** A case of a model that is three times too sure: the promise must not need a good model. */
  const draw = (rng: Rng) => {
    const logits = [0, 1, 2].map(() => rng.normal());
    const label = drawClass(softmax(logits), rng.nextFloat());
    return { label, row: softmax(logits.map((logit) => 3 * logit)) };
  };

  it.each(["lac", "aps"] as const)("of %s sets is what is stated", (score) => {
    const rng = createRng(21n).fork(score);
    const alpha = 0.1;
    const patients = Array.from({ length: 50 }, (_, i) => `p${i}`);
    let nCovered = 0;
    for (let trial = 0; trial < 1000; trial += 1) {
      const cases = patients.map(() => draw(rng));
      const sets = fitConformalSets(
        { patients, labels: cases.map(({ label }) => label), probabilities: cases.map(({ row }) => row) },
        { score, alpha, isClassConditional: false },
      );
      const { label, row } = draw(rng);
      nCovered += Number(conformalSet(row, sets).includes(label));
    }
    // Exactly ceil(51 * 0.9) / 51 = 0.902 in expectation where scores do not tie; 4 binomial standard errors are 0.038.
    expect(nCovered / 1000).toBeGreaterThan(0.902 - 0.038);
    expect(nCovered / 1000).toBeLessThan(0.902 + 0.038);
  });
});
