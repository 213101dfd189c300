import { DomainError } from "@parfocal/errors";
import { assertNoLeakage } from "./leakage.ts";
import { createRng, type Rng } from "./rng.ts";
import { PARTS, type Part, type Split } from "./split.ts";

/** Shares of patients, each in [0, 1], summing to 1. */
export type SplitFractions = Readonly<Record<Part, number>>;

/** What {@link splitPatients} divides. */
export interface SplitOptions {
  /** Patient of each row (slide), `[N]`. To keep whole sites together, pass the site instead. */
  readonly patients: readonly string[];
  /** Truth of each row, `[N]`: class index, or for multi-label a vector of 0, 1 or null; null = unlabelled. */
  readonly labels: readonly (number | readonly (number | null)[] | null)[];
  /** One holdout split, or `nFolds` of them in which each patient is tested once. */
  readonly plan:
    | { readonly kind: "holdout"; readonly fractions: SplitFractions }
    | {
        readonly kind: "folds";
        /** At least 2, at most the number of patients. */
        readonly nFolds: number;
        /** Share of each fold's training patients that validates, in [0, 1). Default 0: no validation part. */
        readonly validationFraction?: number;
      };
  /** Unsigned 64-bit. */
  readonly seed: bigint;
}

/**
 * Divides rows by patient, stratified by label: no patient is ever in two parts. Returns one split for `holdout`, `nFolds`
 * for `folds`. Depends on the set of patients and their labels, not on the order of the rows.
 *
 * A stratum is the set of labels a patient has. Folds: counts per stratum, and in total, differ by at most 1 between folds.
 * Holdout: a part holds its share of each stratum to less than 1 patient, except that a stratum with a patient for each part
 * puts at least one into each, so that rare classes can be evaluated.
 *
 * @throws {DomainError} `SHAPE_MISMATCH` when labels and patients differ in number; `INVALID_ARGUMENT` for fractions that do
 * not sum to 1 or a fold count out of range; `PRECONDITION_FAILED` when a part that should hold patients stays empty.
 */
export function splitPatients(options: SplitOptions): readonly Split[] {
  const { patients, labels, plan } = options;
  if (patients.length !== labels.length) {
    throw new DomainError(
      "SHAPE_MISMATCH",
      `${labels.length} labels for ${patients.length} rows; they must be as many`,
    );
  }
  const rng = createRng(options.seed).fork("split patients");
  const strata = strataOf(patients, labels);
  const partOfPatient =
    plan.kind === "holdout"
      ? [holdout(strata, plan.fractions, rng)]
      : folds(strata, plan.nFolds, plan.validationFraction ?? 0, rng);
  return partOfPatient.map((partOf) => {
    const split = splitOfRows(patients, partOf);
    assertNoLeakage(patients, split);
    return split;
  });
}

/** Patients that share a set of labels, sorted, so that the row order does not matter. */
type Stratum = readonly string[];

function strataOf(patients: readonly string[], labels: SplitOptions["labels"]): Stratum[] {
  const setOf = labelSets(patients, labels);
  const byStratum = Map.groupBy([...setOf.keys()].sort(), (patient) => setOf.get(patient) ?? "");
  return [...byStratum.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, members]) => members);
}

/** The set of labels that each patient has, as text. */
export function labelSets(patients: readonly string[], labels: SplitOptions["labels"]): Map<string, string> {
  const labelsOf = new Map<string, Set<string>>();
  patients.forEach((patient, row) => {
    const seen = labelsOf.get(patient) ?? new Set();
    labelsOf.set(patient, seen.add(JSON.stringify(labels[row] ?? null)));
  });
  return new Map([...labelsOf].map(([patient, set]) => [patient, [...set].sort().join("|")]));
}

type PartOfPatient = ReadonlyMap<string, Part>;

function holdout(strata: readonly Stratum[], fractions: SplitFractions, rng: Rng): PartOfPatient {
  const shares = PARTS.map((part) => fractions[part]);
  const total = shares.reduce((sum, share) => sum + share, 0);
  if (shares.some((share) => !(share >= 0 && share <= 1)) || Math.abs(total - 1) > 1e-9) {
    throw new DomainError(
      "INVALID_ARGUMENT",
      `fractions are ${shares.join(", ")}; each must lie in [0, 1] and they must sum to 1`,
    );
  }
  const partOf = new Map<string, Part>();
  // What each part is owed from the strata before: keeps the totals near their share too.
  let owed = shares.map(() => 0);
  for (const stratum of strata) {
    const counts = apportion(stratum.length, shares, owed);
    owed = owed.map((debt, p) => debt + (shares[p] ?? 0) * stratum.length - (counts[p] ?? 0));
    const shuffled = rng.shuffle([...stratum]);
    const partOfPlace = counts.flatMap((count, p) => new Array<Part>(count).fill(PARTS[p] ?? "train"));
    shuffled.forEach((patient, place) => {
      partOf.set(patient, partOfPlace[place] ?? "train");
    });
  }
  assertFilled(shares, [...partOf.values()]);
  return partOf;
}

/** Largest remainders: floor of each share, the rest to those owed most; then one each where there are enough. */
function apportion(n: number, shares: readonly number[], owed: readonly number[]): number[] {
  const counts = shares.map((share) => Math.floor(share * n + 1e-9));
  const claims = shares.map((share, p) => ({ p, share, claim: share * n - (counts[p] ?? 0) + (owed[p] ?? 0) }));
  const bySize = claims.filter(({ share }) => share > 0).sort((a, b) => b.claim - a.claim || b.share - a.share);
  let left = n - counts.reduce((sum, count) => sum + count, 0);
  for (const { p } of bySize) {
    if (left === 0) break;
    counts[p] = (counts[p] ?? 0) + 1;
    left -= 1;
  }
  if (n < bySize.length) return counts;
  for (const { p } of bySize.filter((each) => counts[each.p] === 0)) {
    counts[counts.indexOf(Math.max(...counts))] = Math.max(...counts) - 1;
    counts[p] = 1;
  }
  return counts;
}

function folds(strata: readonly Stratum[], nFolds: number, validationFraction: number, rng: Rng): PartOfPatient[] {
  const nPatients = strata.flat().length;
  if (!Number.isInteger(nFolds) || nFolds < 2 || nFolds > nPatients) {
    throw new DomainError(
      "INVALID_ARGUMENT",
      `there are ${nFolds} folds; there must be 2 to ${nPatients}, the number of patients`,
    );
  }
  if (!(validationFraction >= 0 && validationFraction < 1)) {
    throw new DomainError("INVALID_ARGUMENT", `validation fraction is ${validationFraction}; it must lie in [0, 1)`);
  }
  // Dealing goes on from stratum to stratum, so fold sizes differ by at most 1 as well.
  const dealt = strata.flatMap((stratum) => rng.shuffle([...stratum]));
  const foldOf = new Map(dealt.map((patient, place) => [patient, place % nFolds]));
  return Array.from({ length: nFolds }, (_, fold) => {
    const rest = strata.map((stratum) => stratum.filter((patient) => foldOf.get(patient) !== fold));
    const shares = { train: 1 - validationFraction, validation: validationFraction, test: 0 };
    const inner = holdout(
      rest.filter((stratum) => stratum.length > 0),
      shares,
      rng.fork(`fold ${fold}`),
    );
    return new Map(dealt.map((patient) => [patient, inner.get(patient) ?? "test"]));
  });
}

function assertFilled(shares: readonly number[], parts: readonly Part[]): void {
  PARTS.forEach((part, p) => {
    if ((shares[p] ?? 0) === 0 || parts.includes(part)) return;
    throw new DomainError(
      "PRECONDITION_FAILED",
      `${part} got 0 of ${parts.length} patients at fraction ${shares[p]}; it needs at least 1`,
    );
  });
}

function splitOfRows(patients: readonly string[], partOf: PartOfPatient): Split {
  const rows = (part: Part): number[] =>
    patients.flatMap((patient, row) => (partOf.get(patient) === part ? [row] : []));
  return { train: rows("train"), validation: rows("validation"), test: rows("test") };
}
