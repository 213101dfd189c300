/**
 * P values adjusted for being several, in the order given: rejecting those below alpha keeps the chance of any false rejection
 * at alpha, whatever their dependence. Nulls (tests that could not be made) stay null and do not count.
 *
 * Source: Holm 1979, the step-down form of Bonferroni.
 */
export function holmAdjusted(pValues: readonly (number | null)[]): (number | null)[] {
  const made = pValues.flatMap((p, i) => (p === null ? [] : [{ p, i }])).sort((a, b) => a.p - b.p);
  const adjusted: (number | null)[] = pValues.map(() => null);
  let greatest = 0;
  made.forEach(({ p, i }, rank) => {
    greatest = Math.max(greatest, Math.min(1, p * (made.length - rank)));
    adjusted[i] = greatest;
  });
  return adjusted;
}
