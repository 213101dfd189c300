import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assertNoLeakage } from "./leakage.ts";
import { createRng } from "./rng.ts";
import { siteFolds } from "./site-folds.ts";

/** Patients of `nSites` hospitals of very different size and mix of classes. */
function cohort(nSites: number, seed = 1n) {
  const rng = createRng(seed);
  const rows = Array.from({ length: nSites }, (_, s) => {
    const rate = rng.nextFloat();
    return Array.from({ length: 3 + rng.nextInt(40) }, (__, p) => ({
      patient: `${s}-${p}`,
      site: `s${s}`,
      label: Number(rng.nextFloat() < rate),
    }));
  }).flat();
  return {
    patients: rows.map(({ patient }) => patient),
    sites: rows.map(({ site }) => site),
    labels: rows.map(({ label }) => label),
  };
}

/** From folds of one site each to folds of several. */
const cohorts = fc
  .record({ nFolds: fc.integer({ min: 2, max: 6 }), nMore: fc.integer({ min: 0, max: 8 }), seed: fc.bigInt(1n, 999n) })
  .map(({ nFolds, nMore, seed }) => ({ nFolds, nSites: nFolds + nMore, seed }));

describe("site-preserved folds", () => {
  it("never test a site that trains or validates, nor divide a patient, and test every row once", () => {
    fc.assert(
      fc.property(cohorts, fc.double({ min: 0, max: 0.5, noNaN: true }), ({ nSites, nFolds, seed }, share) => {
        const { patients, sites, labels } = cohort(nSites, seed);
        const { splits } = siteFolds({ patients, sites, labels, nFolds, validationFraction: share, seed });
        expect(splits.flatMap(({ test }) => test).sort((a, b) => a - b)).toEqual(patients.map((_, row) => row));
        for (const split of splits) {
          const { train, validation, test } = split;
          const tested = new Set(test.map((row) => sites[row]));
          expect([...train, ...validation].filter((row) => tested.has(sites[row]))).toEqual([]);
          expect([...train, ...validation, ...test].sort((a, b) => a - b)).toEqual([...patients.keys()]);
          expect(() => assertNoLeakage(patients, split)).not.toThrow();
        }
      }),
      { numRuns: 30 },
    );
  });

  it("validate the share asked for, whatever the sizes of sites, and both classes", () => {
    fc.assert(
      fc.property(cohorts, fc.constantFrom(0.1, 0.15, 0.3), ({ nSites, nFolds, seed }, share) => {
        const { patients, sites, labels } = cohort(nSites, seed);
        const { splits } = siteFolds({ patients, sites, labels, nFolds, validationFraction: share, seed });
        for (const { train, validation } of splits) {
          const rest = [...train, ...validation];
          // To less than a patient of each class, and one of a class that has two.
          expect(Math.abs(validation.length - share * rest.length)).toBeLessThan(2);
          const held = (rows: readonly number[], label: number) => rows.filter((row) => labels[row] === label).length;
          for (const label of [0, 1].filter((each) => held(rest, each) > 1))
            expect(Math.min(held(train, label), held(validation, label))).toBeGreaterThan(0);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("validate a tenth where four sites are as large as each other, and of two sites the one that is left", () => {
    const sites = Array.from({ length: 120 }, (_, row) => `s${row % 4}`);
    const patients = sites.map((_, row) => `p${row}`);
    const given = { patients, labels: sites.map((_, row) => (row >> 2) % 2), validationFraction: 0.1, seed: 1n };
    const sizes = (names: readonly string[], nFolds: number) =>
      siteFolds({ ...given, sites: names, nFolds }).splits.map(({ train, validation }) => [
        train.length,
        validation.length,
      ]);
    for (const [train, validation] of sizes(sites, 4)) expect([train, validation]).toEqual([81, 9]);
    const halves = sites.map((site) => (site < "s2" ? "a" : "b"));
    expect(sizes(halves, 2)).toEqual([
      [54, 6],
      [54, 6],
    ]);
  });

  it("balance the classes: with 30 sites to within 2 % of even shares, far better than dealing at random", () => {
    const { patients, sites, labels } = cohort(30);
    const { imbalance, counts, nFoldsLackingAClass } = siteFolds({ patients, sites, labels, nFolds: 5, seed: 1n });
    expect(imbalance).toBeLessThan(0.02);
    expect(nFoldsLackingAClass).toBe(0);
    expect(counts.flat().reduce((sum, count) => sum + count, 0)).toBe(patients.length);
    const names = [...new Set(sites)];
    const atRandom = counts.map(
      (_, fold) => labels.filter((label, i) => label === 1 && names.indexOf(sites[i] ?? "") % 5 === fold).length,
    );
    const spread = (values: readonly number[]) => Math.max(...values) - Math.min(...values);
    expect(spread(counts.map(([, positives = 0]) => positives))).toBeLessThan(spread(atRandom) / 3);
  });

  it("find the perfect division where there is one", () => {
    // Sizes 5, 4, 3, 3, 3 in two folds: only {5, 4} against {3, 3, 3}; a greedy deal ends at 8 against 10.
    const sizes = [5, 4, 3, 3, 3];
    const sites = sizes.flatMap((size, s) => new Array<string>(size).fill(`s${s}`));
    const patients = sites.map((_, i) => `p${i}`);
    const { counts, imbalance } = siteFolds({ patients, sites, labels: sites.map(() => 0), nFolds: 2, seed: 3n });
    expect(counts).toEqual([[9], [9]]);
    expect(imbalance).toBe(0);
  });

  it("depend on the seed and the cohort, not on the order of rows", () => {
    const { patients, sites, labels } = cohort(12);
    const order = createRng(9n).shuffle(patients.map((_, i) => i));
    const mixed = {
      patients: order.map((i) => patients[i] ?? ""),
      sites: order.map((i) => sites[i] ?? ""),
      labels: order.map((i) => labels[i] ?? 0),
    };
    const testers = (of: typeof mixed) =>
      siteFolds({ ...of, nFolds: 4, seed: 7n }).splits.map(({ test }) => test.map((i) => of.patients[i]).sort());
    expect(testers(mixed)).toEqual(testers({ patients, sites, labels }));
  });

  it("say so where a class comes from fewer sites than there are folds", () => {
    const sites = ["a", "a", "b", "b", "c", "c"];
    const labels = [0, 1, 0, 0, 0, 0];
    const patients = sites.map((_, i) => `p${i}`);
    expect(siteFolds({ patients, sites, labels, nFolds: 3, seed: 1n }).nFoldsLackingAClass).toBe(2);
  });

  it("refuse fewer sites than folds, and a patient of two sites by its rows", () => {
    const few = { patients: ["p", "q"], sites: ["a", "b"], labels: [0, 1], seed: 1n };
    expect(() => siteFolds({ ...few, nFolds: 3 })).toThrow(
      "there are 3 folds; there must be 2 to 2, the number of sites",
    );
    expect(() => siteFolds({ ...few, nFolds: 2, validationFraction: 0.5 })).toThrow(
      "validation got 0 of 1 patients at fraction 0.5; it needs at least 1",
    );
    expect(() => siteFolds({ ...few, nFolds: 2, validationFraction: 1 })).toThrow("validation fraction is 1;");
    expect(() => siteFolds({ ...few, patients: ["p", "p"], nFolds: 2 })).toThrow(
      "rows 0 and 1 are of one patient and of two sites",
    );
    expect(() => siteFolds({ ...few, sites: ["a"], nFolds: 2 })).toThrow("1 sites and 2 labels for 2 rows");
  });
});
