import type { Rng } from "./rng.ts";
import type { RowLabel } from "./split.ts";
import { apportion } from "./splits-apportion.ts";
import type { Divider } from "./splits-divider.ts";

/** Patients that share a set of labels, sorted, so that the row order does not matter. */
type Stratum = readonly string[];

/** Divides patients stratum by stratum; a stratum is the set of labels that a patient has. For tasks of one label per row. */
export function createStrataDivider(patients: readonly string[], labels: readonly RowLabel[]): Divider {
  const strata = strataOf(patients, labels);
  return {
    patients: strata.flat(),
    byShares: (members, shares, rng) => dealByShares(strataWithin(strata, members), shares, rng),
    evenly: (nBins, rng) => dealEvenly(strata, nBins, rng),
  };
}

/** The set of labels that each patient has, as text. */
export function labelSets(patients: readonly string[], labels: readonly RowLabel[]): Map<string, string> {
  const labelsOf = new Map<string, Set<string>>();
  patients.forEach((patient, row) => {
    const seen = labelsOf.get(patient) ?? new Set();
    labelsOf.set(patient, seen.add(JSON.stringify(labels[row] ?? null)));
  });
  return new Map([...labelsOf].map(([patient, set]) => [patient, [...set].sort().join("|")]));
}

function strataOf(patients: readonly string[], labels: readonly RowLabel[]): Stratum[] {
  const setOf = labelSets(patients, labels);
  const byStratum = Map.groupBy([...setOf.keys()].sort(), (patient) => setOf.get(patient) ?? "");
  return [...byStratum.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, members]) => members);
}

function strataWithin(strata: readonly Stratum[], members: ReadonlySet<string>): Stratum[] {
  return strata
    .map((stratum) => stratum.filter((patient) => members.has(patient)))
    .filter((stratum) => stratum.length > 0);
}

function dealByShares(strata: readonly Stratum[], shares: readonly number[], rng: Rng): Map<string, number> {
  const binOf = new Map<string, number>();
  // What each bin is owed from the strata before: keeps the totals near their share too.
  let owed = shares.map(() => 0);
  for (const stratum of mixSingles(strata, rng)) {
    const counts = apportion(stratum.length, shares, owed);
    owed = owed.map((debt, p) => debt + (shares[p] ?? 0) * stratum.length - (counts[p] ?? 0));
    const binOfPlace = counts.flatMap((count, p) => new Array<number>(count).fill(p));
    rng.shuffle([...stratum]).forEach((patient, place) => {
      binOf.set(patient, binOfPlace[place] ?? 0);
    });
  }
  return binOf;
}

/** Dealing goes on from stratum to stratum, so sizes of bins differ by at most 1 as well. */
function dealEvenly(strata: readonly Stratum[], nBins: number, rng: Rng): Map<string, number> {
  const dealt = mixSingles(strata, rng).flatMap((stratum) => rng.shuffle([...stratum]));
  return new Map(dealt.map((patient, place) => [patient, place % nBins]));
}

/**
 * The strata of one patient change places among themselves: within them there is nothing to shuffle, and their places say where
 * they go. A stream of their own leaves the draws of all others as they are.
 */
function mixSingles(strata: readonly Stratum[], rng: Rng): Stratum[] {
  const singles = rng.fork("strata of one patient").shuffle(strata.filter(({ length }) => length === 1));
  let place = 0;
  return strata.map((stratum) => (stratum.length === 1 ? (singles[place++] ?? stratum) : stratum));
}
