import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assertNoLeakage } from "./leakage.ts";
import type { Split } from "./split.ts";
import { splitPatients } from "./splits.ts";

/** Slides of patients: each patient has one label and 1 to 3 slides; rows in a mixed order. */
const cohort = fc
  .array(fc.record({ label: fc.integer({ min: 0, max: 2 }), nSlides: fc.integer({ min: 1, max: 3 }) }), {
    minLength: 10,
    maxLength: 60,
  })
  .map((members) => {
    const rows = members.flatMap(({ label, nSlides }, p) =>
      Array.from({ length: nSlides }, () => ({ patient: `p${p}`, label })),
    );
    const mixed = rows.map((row, i) => ({ row, key: (i * 7919) % 1009 })).sort((a, b) => a.key - b.key);
    return { patients: mixed.map(({ row }) => row.patient), labels: mixed.map(({ row }) => row.label) };
  });
const seeds = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const FRACTIONS = { train: 0.7, validation: 0.15, test: 0.15 };

const rowsOf = (split: Split): number[] => [...split.train, ...split.validation, ...split.test].sort((a, b) => a - b);
const patientsOf = (patients: readonly string[], rows: readonly number[]): string[] => [
  ...new Set(rows.map((row) => patients[row] ?? "")),
];
const countLabel = (
  labels: readonly number[],
  patients: readonly string[],
  rows: readonly number[],
  label: number,
): number =>
  patientsOf(
    patients,
    rows.filter((row) => labels[row] === label),
  ).length;

describe("a holdout split", () => {
  it("is a partition of the rows with no patient in two parts", () => {
    fc.assert(
      fc.property(cohort, seeds, ({ patients, labels }, seed) => {
        const [split] = splitPatients({ patients, labels, seed, plan: { kind: "holdout", fractions: FRACTIONS } });
        if (split === undefined) throw new Error("one split is expected");
        expect(rowsOf(split)).toEqual(patients.map((_, row) => row));
        expect(() => assertNoLeakage(patients, split)).not.toThrow();
      }),
    );
  });

  it("keeps each class within 2 patients of its share, and rare classes in every part", () => {
    fc.assert(
      fc.property(cohort, seeds, ({ patients, labels }, seed) => {
        const [split] = splitPatients({ patients, labels, seed, plan: { kind: "holdout", fractions: FRACTIONS } });
        for (const label of [0, 1, 2]) {
          const n = countLabel(
            labels,
            patients,
            patients.map((_, row) => row),
            label,
          );
          for (const part of ["train", "validation", "test"] as const) {
            const count = countLabel(labels, patients, split?.[part] ?? [], label);
            expect(Math.abs(count - FRACTIONS[part] * n)).toBeLessThan(2);
            if (n >= 3) expect(count).toBeGreaterThanOrEqual(1);
          }
        }
      }),
    );
  });

  it("does not depend on the order of the rows", () => {
    fc.assert(
      fc.property(cohort, seeds, ({ patients, labels }, seed) => {
        const plan = { kind: "holdout", fractions: FRACTIONS } as const;
        const [forward] = splitPatients({ patients, labels, seed, plan });
        const reversed = patients.toReversed();
        const [backward] = splitPatients({ patients: reversed, labels: labels.toReversed(), seed, plan });
        expect(patientsOf(reversed, backward?.test ?? []).sort()).toEqual(
          patientsOf(patients, forward?.test ?? []).sort(),
        );
      }),
    );
  });
});

describe("folds", () => {
  it("test every row once, share no patient, and balance classes to one patient", () => {
    fc.assert(
      fc.property(cohort, seeds, fc.integer({ min: 2, max: 5 }), ({ patients, labels }, seed, nFolds) => {
        const splits = splitPatients({ patients, labels, seed, plan: { kind: "folds", nFolds } });
        expect(splits).toHaveLength(nFolds);
        expect(splits.flatMap(({ test }) => test).sort((a, b) => a - b)).toEqual(patients.map((_, row) => row));
        for (const split of splits) {
          expect(rowsOf(split)).toEqual(patients.map((_, row) => row));
          expect(split.validation).toEqual([]);
          assertNoLeakage(patients, split);
        }
        for (const label of [0, 1, 2]) {
          const counts = splits.map(({ test }) => countLabel(labels, patients, test, label));
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        }
        const sizes = splits.map(({ test }) => patientsOf(patients, test).length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("take validation patients out of training, never out of the tested fold", () => {
    fc.assert(
      fc.property(cohort, seeds, ({ patients, labels }, seed) => {
        const plan = { kind: "folds", nFolds: 3, validationFraction: 0.25 } as const;
        for (const split of splitPatients({ patients, labels, seed, plan })) {
          expect(split.validation.length).toBeGreaterThan(0);
          expect(rowsOf(split)).toEqual(patients.map((_, row) => row));
          assertNoLeakage(patients, split);
        }
      }),
    );
  });
});
