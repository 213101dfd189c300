import type { ConfusionMatrix } from "./confusion.ts";

/**
 * Kappa of ordered classes, in [-1, 1]: 1 less the observed disagreement over the one expected by chance, each weighing
 * `|a - b|` (linear) or `(a - b)^2` (quadratic) classes apart. Null for an empty matrix or when no disagreement is expected.
 *
 * Source: Cohen 1968. Equals scikit-learn's `cohen_kappa_score` with `weights`. Unweighted: `cohenKappa`.
 */
export function weightedKappa(
  confusion: ConfusionMatrix,
  weights: "linear" | "quadratic" = "quadratic",
): number | null {
  const rows = confusion.map(sum);
  const columns = confusion.map((_, c) => sum(confusion.map((row) => row[c] ?? 0)));
  const total = sum(rows);
  let [observed, expected] = [0, 0];
  confusion.forEach((row, a) => {
    row.forEach((count, b) => {
      const apart = weights === "linear" ? Math.abs(a - b) : (a - b) ** 2;
      observed += apart * count;
      expected += (apart * (rows[a] ?? 0) * (columns[b] ?? 0)) / total;
    });
  });
  return total === 0 || expected === 0 ? null : 1 - observed / expected;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
