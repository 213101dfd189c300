/**
 * Whole numbers that sum to `n`, near `shares` of it, `[P]`. Largest remainders: floor of each share, the rest to those owed most;
 * then one each where there are enough. A share of 0 gets 0.
 */
export function apportion(n: number, shares: readonly number[], owed: readonly number[]): number[] {
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
