import { describe, expect, it } from "vitest";
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

describe("site-preserved folds", () => {
  it("never put a site into two parts, and test every row once", () => {
    const { patients, sites, labels } = cohort(30);
    const { splits } = siteFolds({ patients, sites, labels, nFolds: 5, isValidated: true, seed: 1n });
    expect(splits.flatMap(({ test }) => test).sort((a, b) => a - b)).toEqual(patients.map((_, row) => row));
    for (const { train, validation, test } of splits) {
      const parts = [train, validation, test].map((rows) => new Set(rows.map((row) => sites[row])));
      expect(train.length + validation.length + test.length).toBe(patients.length);
      for (const [a, b] of [
        [0, 1],
        [0, 2],
        [1, 2],
      ] as const) {
        expect([...(parts[a] ?? [])].filter((site) => parts[b]?.has(site))).toEqual([]);
      }
    }
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
    expect(() => siteFolds({ ...few, nFolds: 2, isValidated: true })).toThrow("there must be 3 to 2");
    expect(() => siteFolds({ ...few, patients: ["p", "p"], nFolds: 2 })).toThrow(
      "rows 0 and 1 are of one patient and of two sites",
    );
    expect(() => siteFolds({ ...few, sites: ["a"], nFolds: 2 })).toThrow("1 sites and 2 labels for 2 rows");
  });
});
