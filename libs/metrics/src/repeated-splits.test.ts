import { describe, expect, it } from "vitest";
import { assertDistinctContent, assertNoLeakage } from "./leakage.ts";
import { monteCarloSplits, repeatedFolds } from "./repeated-splits.ts";
import { splitPatients } from "./splits.ts";

const patients = Array.from({ length: 60 }, (_, i) => `p${i >> 1}`);
const labels = patients.map((_, i) => (i >> 1) % 3);
const cohort = { patients, labels, seed: 5n };

describe("repeated folds", () => {
  const repeats = repeatedFolds({ ...cohort, nFolds: 5, nRepeats: 4, validationFraction: 0.2 });

  it("test every patient once in each repeat, by other folds", () => {
    expect(repeats).toHaveLength(4);
    for (const splits of repeats) {
      expect(splits.flatMap(({ test }) => test).sort((a, b) => a - b)).toEqual(patients.map((_, row) => row));
      for (const split of splits) expect(() => assertNoLeakage(patients, split)).not.toThrow();
    }
    expect(new Set(repeats.map((splits) => JSON.stringify(splits))).size).toBe(4);
  });

  it("begin with the plain folds, and do not depend on how many follow", () => {
    const plan = { kind: "folds", nFolds: 5, validationFraction: 0.2 } as const;
    expect(repeats[0]).toEqual(splitPatients({ ...cohort, plan }));
    expect(repeatedFolds({ ...cohort, nFolds: 5, nRepeats: 2, validationFraction: 0.2 })).toEqual(repeats.slice(0, 2));
    expect(() => repeatedFolds({ ...cohort, nFolds: 5, nRepeats: 0 })).toThrow("there are 0 repeats");
  });
});

describe("Monte-Carlo splits", () => {
  it("are stratified holdouts, each drawn anew", () => {
    const fractions = { train: 0.6, validation: 0.2, test: 0.2 };
    const splits = monteCarloSplits({ ...cohort, fractions, nSplits: 6 });
    expect(new Set(splits.map(({ test }) => test.join())).size).toBe(6);
    for (const { test } of splits) {
      const byClass = [0, 1, 2].map(
        (c) => new Set(test.filter((row) => labels[row] === c).map((row) => patients[row])).size,
      );
      expect(byClass).toEqual([2, 2, 2]);
    }
  });
});

describe("leakage", () => {
  const split = { train: [0, 1], validation: [2], test: [3] };

  it("names the rows of a patient in two parts, never the patient", () => {
    const attempt = () => assertNoLeakage(["secret", "b", "c", "secret"], split);
    expect(attempt).toThrow("1 patients are in both train and test; 0 may be (rows 0, 3)");
    expect(attempt).not.toThrow("secret");
  });

  it("names the rows of one bag under two patients, even within a part", () => {
    const attempt = () => assertDistinctContent(["a", "b", "c", "d"], ["x", "x", "y", "z"], split);
    expect(attempt).toThrow("rows 0, 1 are the same bag under different patients");
  });

  it("names the rows of one bag in two parts, and lets a patient's bag be listed twice in one", () => {
    const attempt = () => assertDistinctContent(["a", "b", "c", "a"], ["x", "y", "z", "x"], split);
    expect(attempt).toThrow("rows 0, 3 are the same bag, in both train and test");
    expect(() => assertDistinctContent(["a", "a", "c", "d"], ["x", "x", "y", "z"], split)).not.toThrow();
    expect(() => assertDistinctContent(["a"], [], split)).toThrow("0 contents for 1 rows");
  });
});
