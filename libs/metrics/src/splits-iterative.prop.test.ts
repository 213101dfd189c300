import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assertNoLeakage } from "./leakage.ts";
import { createRng } from "./rng.ts";
import { siteFolds } from "./site-folds.ts";
import { PARTS, type Split } from "./split.ts";
import { splitPatients } from "./splits.ts";

interface Cohort {
  /** `[N]`. */
  readonly patients: readonly string[];
  /** `[N][L]`. */
  readonly labels: readonly (readonly (number | null)[])[];
}

const FRACTIONS = { train: 0.7, validation: 0.15, test: 0.15 };
const HOLDOUT = { kind: "holdout", fractions: FRACTIONS } as const;
const N_FOLDS = 5;
const FOLDS = { kind: "folds", nFolds: N_FOLDS, validationFraction: 0.2 } as const;
const seeds = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

/** Small cohorts of any label sets: patients of 1 to 3 slides, some labels unknown. */
const anyCohort: fc.Arbitrary<Cohort> = fc
  .integer({ min: 1, max: 6 })
  .chain((nLabels) => {
    const vector = fc.array(fc.constantFrom(0, 0, 1, null), { minLength: nLabels, maxLength: nLabels });
    return fc.array(fc.array(vector, { minLength: 1, maxLength: 3 }), { minLength: 8, maxLength: 60 });
  })
  .map((members) => ({
    patients: members.flatMap((slides, p) => slides.map(() => `p${p}`)),
    labels: members.flat(),
  }));

/** Patients with labels that are independent of each other, each of so many in 100. */
function independent(nPatients: number, percents: readonly number[], seed: bigint): Cohort {
  const rng = createRng(seed);
  const labels = Array.from({ length: nPatients }, () => percents.map((each) => Number(rng.nextInt(100) < each)));
  return { patients: labels.map((_, p) => `p${p}`), labels };
}

const independentCohort: fc.Arbitrary<Cohort> = fc
  .record({
    seed: seeds,
    nPatients: fc.integer({ min: 150, max: 300 }),
    percents: fc.array(fc.integer({ min: 3, max: 20 }), { minLength: 2, maxLength: 6 }),
  })
  .map(({ seed, nPatients, percents }) => independent(nPatients, percents, seed));

/** Patients who have the label, by any of their slides, among `rows`. */
function countOf({ patients, labels }: Cohort, rows: readonly number[], label: number): number {
  return new Set(rows.filter((row) => labels[row]?.[label] === 1).map((row) => patients[row])).size;
}

const labelsOf = ({ labels }: Cohort): number[] => [...(labels[0] ?? []).keys()];
const spread = (counts: readonly number[]): number => Math.max(...counts) - Math.min(...counts);
const foldCounts = (cohort: Cohort, splits: readonly Split[], label: number): number[] =>
  splits.map(({ test }) => countOf(cohort, test, label));
/** Patients by part of each split, sorted. */
const membersOf = ({ patients }: Cohort, splits: readonly Split[]): string[][][] =>
  splits.map((split) => PARTS.map((part) => [...new Set(split[part].map((row) => patients[row] ?? ""))].sort()));

function mixed({ patients, labels }: Cohort, seed: bigint): Cohort {
  const order = createRng(seed).shuffle([...patients.keys()]);
  return { patients: order.map((row) => patients[row] ?? ""), labels: order.map((row) => labels[row] ?? []) };
}

describe("splits of multi-label rows", () => {
  it("have every row once, no patient in two parts, and no fold empty", () => {
    fc.assert(
      fc.property(anyCohort, seeds, (cohort, seed) => {
        const folds = splitPatients({ ...cohort, seed, plan: FOLDS });
        expect(folds.flatMap(({ test }) => test).sort((a, b) => a - b)).toEqual([...cohort.patients.keys()]);
        for (const split of [...folds, ...splitPatients({ ...cohort, seed, plan: HOLDOUT })]) {
          const rows = PARTS.flatMap((part) => split[part]).sort((a, b) => a - b);
          expect(rows).toEqual([...cohort.patients.keys()]);
          for (const part of PARTS) expect(split[part]).not.toEqual([]);
          assertNoLeakage(cohort.patients, split);
        }
      }),
    );
  });

  it("do not depend on the order of rows", () => {
    fc.assert(
      fc.property(anyCohort, seeds, (cohort, seed) => {
        const other = mixed(cohort, seed);
        for (const plan of [HOLDOUT, FOLDS]) {
          const splits = splitPatients({ ...cohort, seed, plan });
          expect(membersOf(other, splitPatients({ ...other, seed, plan }))).toEqual(membersOf(cohort, splits));
        }
      }),
    );
  });

  it("count a label that is not known for nothing", () => {
    fc.assert(
      fc.property(anyCohort, seeds, (cohort, seed) => {
        const labels = cohort.labels.map((vector) => vector.map((value) => value ?? 0));
        for (const plan of [HOLDOUT, FOLDS]) {
          expect(splitPatients({ ...cohort, seed, plan })).toEqual(splitPatients({ ...cohort, labels, seed, plan }));
        }
      }),
    );
  });

  it("give every fold the rarest label to within one patient, whatever the sets", () => {
    fc.assert(
      fc.property(anyCohort, seeds, (cohort, seed) => {
        const all = [...cohort.patients.keys()];
        const held = labelsOf(cohort).filter((label) => countOf(cohort, all, label) > 0);
        fc.pre(held.length > 0);
        const [rarest = 0] = held.sort((a, b) => countOf(cohort, all, a) - countOf(cohort, all, b) || a - b);
        const splits = splitPatients({ ...cohort, seed, plan: FOLDS });
        expect(spread(foldCounts(cohort, splits, rarest))).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("spread independent labels to within 2 patients over folds", () => {
    fc.assert(
      fc.property(independentCohort, seeds, (cohort, seed) => {
        const folds = splitPatients({ ...cohort, seed, plan: FOLDS });
        for (const label of labelsOf(cohort)) {
          expect(spread(foldCounts(cohort, folds, label))).toBeLessThanOrEqual(2);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("have each label by its share in the parts, to half a patient in the mean, and rare labels in every part", () => {
    const offs = Array.from({ length: 20 }, (_, seed) => {
      const cohort = independent(200, [30, 20, 20, 10, 5, 3], BigInt(seed));
      const [split] = splitPatients({ ...cohort, seed: BigInt(seed), plan: HOLDOUT });
      return labelsOf(cohort).flatMap((label) => {
        const counts = PARTS.map((part) => countOf(cohort, split?.[part] ?? [], label));
        const n = counts.reduce((sum, count) => sum + count, 0);
        if (n >= PARTS.length) expect(Math.min(...counts)).toBeGreaterThanOrEqual(1);
        return PARTS.map((part, p) => Math.abs((counts[p] ?? 0) - FRACTIONS[part] * n));
      });
    }).flat();
    expect(offs.reduce((sum, off) => sum + off, 0) / offs.length).toBeLessThan(0.5);
  });
});

/** 60 patients, all of different sets of 7 labels. */
const distinct: Cohort = {
  patients: Array.from({ length: 60 }, (_, p) => `p${p}`),
  labels: createRng(3n)
    .shuffle([...Array(128).keys()])
    .slice(0, 60)
    .map((set) => Array.from({ length: 7 }, (_, label) => (set >> label) & 1)),
};

describe("patients who all have different labels", () => {
  it("are divided otherwise by every seed", () => {
    const tenSeeds = Array.from({ length: 10 }, (_, seed) => BigInt(seed));
    for (const plan of [HOLDOUT, FOLDS]) {
      const partitions = tenSeeds.map((seed) => {
        const tests = membersOf(distinct, splitPatients({ ...distinct, seed, plan })).map(([, , test]) => test?.join());
        return tests.sort().join("|");
      });
      expect(new Set(partitions).size).toBe(10);
    }
  });

  it("are divided otherwise by every seed where each is alone in a class", () => {
    const { patients } = distinct;
    const labels = [...patients.keys()];
    const partitions = [1n, 2n, 3n, 4n].map((seed) => {
      const folds = splitPatients({ patients, labels, seed, plan: FOLDS });
      expect(folds.map(({ test }) => test.length)).toEqual([12, 12, 12, 12, 12]);
      return folds.map(({ test }) => test.join()).sort();
    });
    expect(new Set(partitions.map((each) => each.join("|"))).size).toBe(4);
    const tests = [1n, 2n, 3n].map((seed) => splitPatients({ patients, labels, seed, plan: HOLDOUT })[0]?.test.join());
    expect(new Set(tests).size).toBe(3);
  });

  it("have labels spread far better than at random, even those of half of the patients", () => {
    const sums = Array.from({ length: 20 }, (_, seed) => {
      const folds = splitPatients({ ...distinct, seed: BigInt(seed), plan: FOLDS });
      const random = createRng(BigInt(seed)).shuffle([...distinct.patients.keys()]);
      const dealt = folds.map((_split, fold) => random.filter((_row, place) => place % N_FOLDS === fold));
      const own = labelsOf(distinct).map((label) => spread(foldCounts(distinct, folds, label)));
      const other = labelsOf(distinct).map((label) => spread(dealt.map((rows) => countOf(distinct, rows, label))));
      return { own: own.reduce((a, b) => a + b, 0), other: other.reduce((a, b) => a + b, 0) };
    });
    const total = (key: "own" | "other") => sums.reduce((sum, each) => sum + each[key], 0);
    expect(total("own")).toBeLessThan(total("other") / 2);
  });

  it("come into site-preserved folds of like labels, whatever the order of rows", () => {
    const sitesOf = ({ patients }: Cohort) => patients.map((patient) => `s${Number(patient.slice(1)) % 30}`);
    const draw = (cohort: Cohort) => siteFolds({ ...cohort, sites: sitesOf(cohort), nFolds: 3, seed: 1n });
    const { splits, counts, imbalance } = draw(distinct);
    expect(counts.map(([patients]) => patients)).toEqual(splits.map(({ test }) => test.length));
    for (const label of labelsOf(distinct)) {
      expect(counts.map((row) => row[label + 1])).toEqual(foldCounts(distinct, splits, label));
      expect(spread(foldCounts(distinct, splits, label))).toBeLessThanOrEqual(3);
    }
    expect(imbalance).toBeLessThan(0.1);
    const other = mixed(distinct, 5n);
    expect(membersOf(other, draw(other).splits)).toEqual(membersOf(distinct, splits));
  });
});
