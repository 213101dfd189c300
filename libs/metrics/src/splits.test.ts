import { DomainError } from "@parfocal/errors";
import { describe, expect, it } from "vitest";
import { assertNoLeakage } from "./leakage.ts";
import { splitPatients } from "./splits.ts";

const patients = Array.from({ length: 20 }, (_, i) => `patient-${i}`);
const labels = patients.map((_, i) => i % 2);
const holdout = (train: number, validation: number, test: number) =>
  ({ kind: "holdout", fractions: { train, validation, test } }) as const;

describe("splitPatients", () => {
  it("gives the same split for the same seed and another for the next", () => {
    const run = (seed: bigint) => splitPatients({ patients, labels, seed, plan: holdout(0.6, 0.2, 0.2) });
    expect(run(1n)).toEqual(run(1n));
    expect(run(1n)).not.toEqual(run(2n));
  });

  it("divides 10 + 10 patients exactly as 6/2/2 of each class", () => {
    const [split] = splitPatients({ patients, labels, seed: 1n, plan: holdout(0.6, 0.2, 0.2) });
    expect([split?.train.length, split?.validation.length, split?.test.length]).toEqual([12, 4, 4]);
    expect(split?.test.filter((row) => labels[row] === 1)).toHaveLength(2);
  });

  it("spreads the positives of multi-label rows among unlabelled ones", () => {
    const mixed = patients.map((_, i) => (i < 10 ? [1, 0] : null));
    const [split] = splitPatients({ patients, labels: mixed, seed: 1n, plan: holdout(0.5, 0, 0.5) });
    expect(split?.test.filter((row) => row < 10)).toHaveLength(5);
    expect(split?.validation).toEqual([]);
  });

  it("refuses fractions, folds and lengths out of range with the value and the bound", () => {
    const split = (plan: Parameters<typeof splitPatients>[0]["plan"]) => () =>
      splitPatients({ patients, labels, seed: 1n, plan });
    expect(split(holdout(0.6, 0.2, 0.3))).toThrow(
      "fractions are 0.6, 0.2, 0.3; each must lie in [0, 1] and they must sum to 1",
    );
    expect(split({ kind: "folds", nFolds: 21 })).toThrow(
      "there are 21 folds; there must be 2 to 20, the number of patients",
    );
    expect(split({ kind: "folds", nFolds: 2, validationFraction: 1 })).toThrow("validation fraction is 1");
    expect(() => splitPatients({ patients, labels: [0], seed: 1n, plan: holdout(1, 0, 0) })).toThrow(
      "1 labels for 20 rows",
    );
  });

  it("refuses a cohort too small to fill its parts", () => {
    const plan = holdout(0.6, 0.2, 0.2);
    expect(() => splitPatients({ patients: ["a", "b"], labels: [0, 0], seed: 1n, plan })).toThrow("0 of 2 patients");
  });
});

describe("assertNoLeakage", () => {
  it("names the parts and how many patients they share, never who", () => {
    const split = { train: [0, 1], validation: [], test: [2, 3] };
    const attempt = () => assertNoLeakage(["a", "b", "b", "a"], split);
    expect(attempt).toThrow(
      new DomainError("LABEL_LEAKAGE", "2 patients are in both train and test; 0 may be (rows 0, 3)", {
        details: { parts: "train,test", patients: "2", rows: "0, 3" },
      }),
    );
  });

  it("refuses a row outside the table", () => {
    expect(() => assertNoLeakage(["a"], { train: [0], validation: [], test: [1] })).toThrow(
      "row 1 is in the split; the table has 1 rows",
    );
  });
});
