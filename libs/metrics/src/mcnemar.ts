import { DomainError } from "@parfocal/errors";

/** Outcome of McNemar's test of two decision makers on the same cases. */
export interface McnemarTest {
  /** Cases that only the first decides rightly, and only the second. */
  readonly onlyA: number;
  readonly onlyB: number;
  /** `(onlyA - onlyB) / N`: how much more often the first is right. */
  readonly difference: number;
  /** Two-sided, exact binomial; 1 when they never disagree. */
  readonly pValue: number;
}

/**
 * McNemar's exact test of two accuracies. Assumes independent cases: one per patient. Null without cases.
 *
 * @throws {DomainError} `SHAPE_MISMATCH` for different lengths.
 * Source: McNemar 1947; exact form, not the chi-squared approximation, which is poor below some 25 disagreements.
 */
export function mcnemarTest(isRightA: readonly boolean[], isRightB: readonly boolean[]): McnemarTest | null {
  if (isRightA.length !== isRightB.length) {
    throw new DomainError(
      "SHAPE_MISMATCH",
      `decisions of ${isRightA.length} and ${isRightB.length} cases; paired ones must agree`,
    );
  }
  if (isRightA.length === 0) return null;
  const onlyA = isRightA.filter((isRight, i) => isRight && !isRightB[i]).length;
  const onlyB = isRightB.filter((isRight, i) => isRight && !isRightA[i]).length;
  const pValue = Math.min(1, 2 * fairTail(Math.min(onlyA, onlyB), onlyA + onlyB));
  return { onlyA, onlyB, difference: (onlyA - onlyB) / isRightA.length, pValue };
}

/** P(X <= k) of n fair coins, its terms by their logarithms so that many coins do not underflow. */
function fairTail(k: number, n: number): number {
  let logTerm = -n * Math.LN2;
  let tail = 0;
  for (let x = 0; x <= k; x += 1) {
    tail += Math.exp(logTerm);
    logTerm += Math.log((n - x) / (x + 1));
  }
  return tail;
}
