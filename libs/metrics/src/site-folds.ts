/**
 * Site-preserved folds: all patients of a site (hospital, scanner, batch) are in one fold, so that no model is tested on a site
 * it has learnt from, and the classes are as balanced over the folds as the sites allow.
 *
 * Source: Howard et al. 2021 (Nature Communications 12:4423), preserved-site cross-validation as an optimisation. Differs: the
 * distances are relative to each class's share, and they are made small by exchanges from several starts, not by a solver for
 * quadratic programs; {@link SiteFolds} says how well that went. Who validates is drawn by patient of the sites that do not test:
 * whole sites seldom come near the share asked for, and thresholds would be those of one site's mix of classes.
 */
import { DomainError } from "@parfocal/errors";
import { balanceSites, evenShares, type SiteCounts } from "./balance-sites.ts";
import { createRng } from "./rng.ts";
import type { Split } from "./split.ts";
import type { SplitOptions } from "./splits.ts";
import { isMultilabel, positivesOf } from "./splits-iterative.ts";
import { labelSets } from "./splits-strata.ts";
import { testedFolds } from "./tested-folds.ts";

/** What {@link siteFolds} divides. */
export interface SiteFoldsOptions extends Omit<SplitOptions, "plan"> {
  /** Site of each row, `[N]`. */
  readonly sites: readonly string[];
  /** At least 2, at most the number of sites. */
  readonly nFolds: number;
  /** Share of the patients of a fold's other sites that validates, in [0, 1). Default 0: no validation part. */
  readonly validationFraction?: number;
}

/** Folds that keep sites together. */
export interface SiteFolds {
  /** `[K]`: fold k tests; no site of it trains or validates, no patient does both. */
  readonly splits: readonly Split[];
  /**
   * `[K][S]`: patients of each stratum (set of labels) in each fold, strata in the order of their text. Multi-label: all patients,
   * then those of each label that holds for any.
   */
  readonly counts: readonly (readonly number[])[];
  /** Mean over folds and strata of |count - even share| / even share; 0: perfectly balanced. */
  readonly imbalance: number;
  /** Folds without a single patient of some stratum, as when a class comes from fewer sites than there are folds. */
  readonly nFoldsLackingAClass: number;
}

/**
 * Divides sites into folds. Depends on sites, patients, labels and seed, not on the order of rows.
 *
 * Where a class comes from fewer sites than there are folds, no division can give it to every fold: the best one is given and
 * `nFoldsLackingAClass` says so. Fewer sites than folds are refused, and so is a patient of two sites.
 *
 * @throws {DomainError} `SHAPE_MISMATCH` for other lengths; `INVALID_ARGUMENT` for a fold count or a validation share out of range
 * or a patient of two sites, naming rows; `PRECONDITION_FAILED` when a fold leaves too few patients to train and to validate.
 */
export function siteFolds(options: SiteFoldsOptions): SiteFolds {
  const { patients, sites, nFolds, validationFraction = 0, seed } = options;
  assertSites(options);
  const loads = siteLoads(options);
  if (!Number.isInteger(nFolds) || nFolds < 2 || nFolds > loads.length) {
    throw new DomainError(
      "INVALID_ARGUMENT",
      `there are ${nFolds} folds; there must be 2 to ${loads.length}, the number of sites`,
    );
  }
  const siteCounts = loads.map(({ counts }) => counts);
  const { foldOf, totals } = balanceSites(siteCounts, nFolds, createRng(seed).fork("site folds"));
  const foldOfSite = new Map(loads.map(({ site }, s) => [site, foldOf[s] ?? 0]));
  const testedBy = patients.map((_, row) => foldOfSite.get(sites[row] ?? "") ?? 0);
  return {
    splits: testedFolds({ patients, labels: options.labels, testedBy, nFolds, validationFraction, seed }),
    counts: totals,
    imbalance: imbalanceOf(totals, evenShares(siteCounts, nFolds)),
    nFoldsLackingAClass: totals.filter((row) => row.includes(0)).length,
  };
}

/** Sites in the order of their names, with their patients by stratum. */
function siteLoads({
  patients,
  labels,
  sites,
}: SiteFoldsOptions): { readonly site: string; readonly counts: SiteCounts }[] {
  const strata = isMultilabel(labels) ? strataByLabel(patients, labels) : strataBySet(patients, labels);
  const siteOf = new Map(patients.map((patient, row) => [patient, sites[row] ?? ""]));
  const members = Map.groupBy(siteOf.keys(), (patient) => siteOf.get(patient) ?? "");
  return [...members.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([site, group]) => ({
      site,
      counts: strata.map((stratum) => group.filter((patient) => stratum.has(patient)).length),
    }));
}

/** Patients of each set of labels, sets in the order of their text. */
function strataBySet(patients: readonly string[], labels: SplitOptions["labels"]): ReadonlySet<string>[] {
  const sets = labelSets(patients, labels);
  const members = Map.groupBy(sets.keys(), (patient) => sets.get(patient) ?? "");
  return [...members.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, own]) => new Set(own));
}

/** All patients, then those of each label: sets of labels may be as many as patients, which no division would balance. */
function strataByLabel(patients: readonly string[], labels: SplitOptions["labels"]): ReadonlySet<string>[] {
  const positives = positivesOf(patients, labels);
  const held = [...new Set([...positives.values()].flat())].sort((a, b) => a - b);
  const membersOf = (label: number) =>
    [...positives].flatMap(([patient, own]) => (own.includes(label) ? [patient] : []));
  return [new Set(positives.keys()), ...held.map((label) => new Set(membersOf(label)))];
}

function imbalanceOf(counts: readonly (readonly number[])[], shares: readonly number[]): number {
  const off = counts.flatMap((row) => row.map((count, s) => Math.abs(count - (shares[s] ?? 0)) / (shares[s] ?? 1)));
  return off.reduce((total, each) => total + each, 0) / off.length;
}

function assertSites({ patients, labels, sites }: SiteFoldsOptions): void {
  if (sites.length !== patients.length || labels.length !== patients.length) {
    throw new DomainError(
      "SHAPE_MISMATCH",
      `${sites.length} sites and ${labels.length} labels for ${patients.length} rows; they must be as many`,
    );
  }
  const firstRow = new Map<string, number>();
  patients.forEach((patient, row) => {
    const first = firstRow.get(patient) ?? row;
    firstRow.set(patient, first);
    if (sites[first] === sites[row]) return;
    throw new DomainError("INVALID_ARGUMENT", `rows ${first} and ${row} are of one patient and of two sites`);
  });
}
