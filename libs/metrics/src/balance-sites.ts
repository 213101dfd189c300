/**
 * Dividing sites over folds so that every fold has its even share of every stratum. Legend: S strata, K folds.
 *
 * The cost is the chi-squared distance of the counts from even shares, `sum (count - share)^2 / share`. Sites are dealt greedily
 * in several orders; single moves and swaps then lower the cost until none does.
 */
import type { Rng } from "./rng.ts";

/** Patients of one site by stratum, `[S]`. */
export type SiteCounts = readonly number[];

/** Orders in which sites are dealt, beside the one by size. */
const RESTARTS = 32;
/** Improvements below this are rounding. */
const LEAST_GAIN = 1e-9;

interface Division {
  /** Fold of each site. */
  readonly foldOf: number[];
  /** `[K][S]`. */
  readonly totals: number[][];
  /** Sites in each fold. */
  readonly sizes: number[];
}

/** The even share of each stratum, `[S]`. */
export function evenShares(sites: readonly SiteCounts[], nFolds: number): number[] {
  return (sites[0] ?? []).map((_, s) => sites.reduce((sum, counts) => sum + (counts[s] ?? 0), 0) / nFolds);
}

/** The fold of each site in the best division found, none empty; `sites` are at least `nFolds`. Deterministic. */
export function balanceSites(sites: readonly SiteCounts[], nFolds: number, rng: Rng): Division {
  const shares = evenShares(sites, nFolds);
  const bySize = [...sites.keys()].sort((a, b) => sum(sites[b]) - sum(sites[a]) || a - b);
  const orders = [bySize, ...Array.from({ length: RESTARTS }, () => rng.shuffle([...bySize]))];
  const divisions = orders.map((order) => improve(deal(sites, order, shares, nFolds), sites, shares));
  const costs = divisions.map(({ totals }) => totals.reduce((total, row) => total + cost(row, shares), 0));
  return divisions[costs.indexOf(Math.min(...costs))] ?? deal(sites, bySize, shares, nFolds);
}

/** Each site in turn into the fold where it costs least; into an empty one while only so many sites are left. */
function deal(sites: readonly SiteCounts[], order: readonly number[], shares: readonly number[], nFolds: number) {
  const division: Division = {
    foldOf: new Array<number>(sites.length).fill(-1),
    totals: Array.from({ length: nFolds }, () => shares.map(() => 0)),
    sizes: new Array<number>(nFolds).fill(0),
  };
  order.forEach((site, place) => {
    const nEmpty = division.sizes.filter((size) => size === 0).length;
    const mustFill = order.length - place <= nEmpty;
    const gains = division.totals.map((row, fold) =>
      mustFill && division.sizes[fold] !== 0 ? Infinity : cost(plus(row, sites[site]), shares) - cost(row, shares),
    );
    putInto(division, site, gains.indexOf(Math.min(...gains)), sites);
  });
  return division;
}

/** Takes the first move or swap that lowers the cost, until there is none. */
function improve(division: Division, sites: readonly SiteCounts[], shares: readonly number[]): Division {
  const { foldOf, totals, sizes } = division;
  const isGain = (a: number, b: number, out: SiteCounts | undefined, back: SiteCounts | undefined): boolean => {
    const [rowA = [], rowB = []] = [totals[a], totals[b]];
    const before = cost(rowA, shares) + cost(rowB, shares);
    const after = cost(plus(minus(rowA, out), back), shares) + cost(plus(minus(rowB, back), out), shares);
    return after < before - LEAST_GAIN;
  };
  const findChange = (): (() => void) | undefined => {
    for (const [site, own] of foldOf.entries()) {
      for (let fold = 0; fold < totals.length; fold += 1) {
        if (fold === own || sizes[own] === 1 || !isGain(own, fold, sites[site], undefined)) continue;
        return () => putInto(division, site, fold, sites);
      }
      for (let other = site + 1; other < foldOf.length; other += 1) {
        const fold = foldOf[other] ?? own;
        if (fold === own || !isGain(own, fold, sites[site], sites[other])) continue;
        return () => {
          putInto(division, site, fold, sites);
          putInto(division, other, own, sites);
        };
      }
    }
    return undefined;
  };
  for (let change = findChange(); change !== undefined; change = findChange()) change();
  return division;
}

/** Puts a site into a fold, out of the one it was in. */
function putInto({ foldOf, totals, sizes }: Division, site: number, fold: number, sites: readonly SiteCounts[]): void {
  const before = foldOf[site] ?? -1;
  if (before >= 0) {
    totals[before] = minus(totals[before] ?? [], sites[site]);
    sizes[before] = (sizes[before] ?? 0) - 1;
  }
  foldOf[site] = fold;
  totals[fold] = plus(totals[fold] ?? [], sites[site]);
  sizes[fold] = (sizes[fold] ?? 0) + 1;
}

function cost(counts: readonly number[], shares: readonly number[]): number {
  return counts.reduce((total, count, s) => total + (count - (shares[s] ?? 0)) ** 2 / (shares[s] ?? 1), 0);
}

function plus(row: readonly number[], counts: SiteCounts | undefined): number[] {
  return row.map((count, s) => count + (counts?.[s] ?? 0));
}

function minus(row: readonly number[], counts: SiteCounts | undefined): number[] {
  return row.map((count, s) => count - (counts?.[s] ?? 0));
}

function sum(counts: SiteCounts | undefined): number {
  return (counts ?? []).reduce((total, count) => total + count, 0);
}
