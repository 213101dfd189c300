import { DomainError } from "@parfocal/errors";
import { twoSidedP } from "./normal-distribution.ts";

/**
 * Upper tail of the chi-squared distribution: `P(X >= statistic)` with `degrees` degrees of freedom, in [0, 1].
 *
 * @throws {DomainError} `INVALID_ARGUMENT` unless `degrees` is an integer of at least 1 and the statistic at least 0.
 * Source: DLMF 8.8.2, Q(a + 1, x) = Q(a, x) + x^a e^-x / Gamma(a + 1), from Q(1/2, x) = erfc(sqrt x) or Q(1, x) = e^-x. All
 * terms are positive, so nothing cancels.
 */
export function chiSquaredP(statistic: number, degrees: number): number {
  if (!Number.isInteger(degrees) || degrees < 1 || !(statistic >= 0)) {
    throw new DomainError(
      "INVALID_ARGUMENT",
      `chi-squared of ${statistic} with ${degrees} degrees of freedom; they must be at least 0 and an integer of at least 1`,
    );
  }
  const x = statistic / 2;
  const isOdd = degrees % 2 === 1;
  let tail = isOdd ? twoSidedP(Math.sqrt(statistic)) : Math.exp(-x);
  // x^a e^-x / Gamma(a + 1) at the first a; Gamma(3/2) = sqrt(pi) / 2.
  let term = isOdd ? 2 * Math.sqrt(x / Math.PI) * Math.exp(-x) : x * Math.exp(-x);
  for (let a = isOdd ? 0.5 : 1; a < degrees / 2; a += 1) {
    tail += term;
    term *= x / (a + 1);
  }
  return Math.min(1, tail);
}
