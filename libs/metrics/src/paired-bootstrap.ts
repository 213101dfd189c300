import { type BootstrapOptions, bootstrapSamples, DEFAULT_RESAMPLES, percentileInterval } from "./bootstrap.ts";
import type { Interval } from "./interval.ts";

/** A difference between two models on the same cases. */
export interface PairedDifference {
  /** First less second, on the full sample; null where either is undefined. */
  readonly difference: number | null;
  /** 95 % percentile interval over resamples of patients. */
  readonly interval: Interval | null;
  /** Two-sided: twice the smaller share of resamples on one side of 0, both ends counted in; at least 2 / (B + 1). */
  readonly pValue: number | null;
}

/** What {@link pairedBootstrap} compares: the two models' statistics of the same weighted cases. */
export interface PairedBootstrapOptions<Name extends string> extends Omit<BootstrapOptions<Name>, "statistics"> {
  readonly first: BootstrapOptions<Name>["statistics"];
  readonly second: BootstrapOptions<Name>["statistics"];
}

/**
 * Differences of two models by name: every resample of patients is given to both, so what they share cancels.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` unless `nResamples` is at least 1.
 * Source: Efron & Tibshirani 1993, chapters 13 and 16; Davison & Hinkley 1997 for the (k + 1) / (B + 1).
 */
export function pairedBootstrap<Name extends string>(
  options: PairedBootstrapOptions<Name>,
): Readonly<Record<Name, PairedDifference>> {
  const { first, second, ...rest } = options;
  const statistics = (weights: Float64Array): Record<Name, number | null> => subtract(first(weights), second(weights));
  const full = statistics(new Float64Array(options.patients.length).fill(1));
  const samples = bootstrapSamples({ ...rest, statistics });
  const nResamples = options.nResamples ?? DEFAULT_RESAMPLES;
  const named = (Object.keys(full) as Name[]).map((name) => {
    const values = samples.map((sample) => sample[name]).filter((value) => value !== null);
    const interval = full[name] === null ? null : percentileInterval(values, nResamples);
    const pValue = interval === null ? null : twoSidedShare(values);
    return [name, { difference: full[name], interval, pValue }] as const;
  });
  return Object.fromEntries(named) as Record<Name, PairedDifference>;
}

function subtract<Name extends string>(
  a: Readonly<Record<Name, number | null>>,
  b: Readonly<Record<Name, number | null>>,
): Record<Name, number | null> {
  const named = (Object.keys(a) as Name[]).map((name) => {
    const [of, less] = [a[name], b[name]];
    return [name, of === null || less === null ? null : of - less] as const;
  });
  return Object.fromEntries(named) as Record<Name, number | null>;
}

function twoSidedShare(values: readonly number[]): number {
  const atOrBelow = values.filter((value) => value <= 0).length;
  const atOrAbove = values.filter((value) => value >= 0).length;
  return Math.min(1, (2 * (Math.min(atOrBelow, atOrAbove) + 1)) / (values.length + 1));
}
