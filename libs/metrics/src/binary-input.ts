import { DomainError } from "@parfocal/errors";

/** Binary truth, one entry per case: 1 (or true) positive, 0 (or false) negative. */
export type BinaryLabels = ArrayLike<number>;

/**
 * Throws unless `labels` are 0 or 1 and `scores` finite, both of one length. Every ranking metric starts here.
 *
 * @throws {DomainError} `SHAPE_MISMATCH` for different lengths; `INVALID_ARGUMENT` for another label; `NON_FINITE` for a score.
 */
export function assertBinaryInput(labels: BinaryLabels, scores: ArrayLike<number>): void {
  if (labels.length !== scores.length) {
    throw new DomainError(
      "SHAPE_MISMATCH",
      `${labels.length} labels for ${scores.length} scores; they must be as many`,
    );
  }
  assertFinite(scores, "score");
  for (let i = 0; i < labels.length; i += 1) {
    const label = labels[i];
    if (label !== 0 && label !== 1)
      throw new DomainError("INVALID_ARGUMENT", `label ${i} is ${label}; it must be 0 or 1`);
  }
}

/**
 * Throws unless every value is finite; `noun` names one in the message.
 *
 * @throws {DomainError} `NON_FINITE` giving the first index and value that is not.
 */
export function assertFinite(values: ArrayLike<number>, noun: string): void {
  for (let i = 0; i < values.length; i += 1) {
    if (!Number.isFinite(values[i]))
      throw new DomainError("NON_FINITE", `${noun} ${i} is ${values[i]}; it must be finite`);
  }
}

/** Number of positives in `labels`, each counted `weights[i]` times (once without weights). */
export function countPositives(labels: BinaryLabels, weights?: ArrayLike<number>): number {
  let count = 0;
  for (let i = 0; i < labels.length; i += 1) if (labels[i] === 1) count += weights?.[i] ?? 1;
  return count;
}
