/**
 * Survival in discrete time as targets of sigmoids. Legend: K bins of time, one logit each; hazard h = sigmoid(z); survival
 * S_k = Π_{j ≤ k} (1 - h_j). Bin k is [edge_k, edge_{k+1}), so S_k is the probability P(T >= edge_{k+1}) of living to its end.
 */
import { DomainError } from "@parfocal/errors";
import type { SurvivalTask } from "@parfocal/models";

/** What is known of a patient: the bin in which the event came, or in which it had not come yet when watching ended. */
export interface SurvivalLabel {
  /** 0 to K - 1. */
  readonly bin: number;
  readonly isCensored: boolean;
}

/** The interval that a time lies in, 0 to K - 1: a time on an inner edge lies in the later one, a time past the last edge in the last one. */
export function binOfTime({ edges }: Pick<SurvivalTask, "edges">, time: number): number {
  return edges.slice(1, -1).filter((edge) => edge <= time).length;
}

/**
 * Target rows `[2, K]` (targets, weights) of one bag for the sigmoid loss `Σ w (softplus(z) - t z)`, which is then the negative log
 * likelihood: of an event in bin y, -log S_{y-1} - log h_y; of a patient censored in bin y, -log S_y. No clamp is needed: the
 * loss is exact for logits of any size.
 *
 * Source: Zadeh and Schmid 2020, as the public slide-level programs use it; `alpha` (0 to 1, default 0) weighs censored patients
 * down to 1 - alpha. Differs: those programs clamp probabilities at 1e-7.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a bin outside 0 to K - 1 or an alpha outside 0 to 1.
 */
export function encodeSurvivalTarget(
  nBins: number,
  { bin, isCensored }: SurvivalLabel,
  alpha = 0,
): Float32Array<ArrayBuffer> {
  if (!Number.isInteger(bin) || bin < 0 || bin >= nBins)
    throw new DomainError("INVALID_ARGUMENT", `the bin of time is ${bin}; it is 0 to ${nBins - 1}`);
  if (!(alpha >= 0 && alpha <= 1)) throw new DomainError("INVALID_ARGUMENT", `alpha is ${alpha}; it is 0 to 1`);
  const rows = new Float32Array(2 * nBins);
  if (!isCensored) rows[bin] = 1;
  rows.fill(isCensored ? 1 - alpha : 1, nBins, nBins + bin + 1);
  return rows;
}

/** The risk that ranks patients, from logits `[K]`: -Σ S_k, -K to 0; larger is sooner. */
export function survivalRisk(logits: ArrayLike<number>): number {
  let survival = 1;
  let risk = 0;
  for (const logit of Array.from(logits)) {
    survival /= 1 + Math.exp(logit);
    risk -= survival;
  }
  return risk;
}
