import { DomainError } from "@parfocal/errors";
import type { Interval } from "./interval.ts";
import { quantileSorted } from "./quantile.ts";
import type { Rng } from "./rng.ts";

/** Resamples unless told otherwise; use 2 000 for a publication. */
export const DEFAULT_RESAMPLES = 1000;
/** Draws allowed per resample wanted. At 20, a class that 1 draw in 20 contains still gets its resamples. */
const DRAWS_PER_RESAMPLE = 20;

/** What {@link bootstrapIntervals} resamples. */
export interface BootstrapOptions<Name extends string> {
  /** Patient of each case, `[N]`. Patients are drawn with replacement and bring all of their cases. */
  readonly patients: readonly string[];
  /**
   * The statistics of a resample in which case i occurs `weights[i]` times; null where one is undefined there. The vector is
   * reused between calls.
   */
  readonly statistics: (weights: Float64Array) => Readonly<Record<Name, number | null>>;
  /** Whether a resample counts; one that does not (a class is missing) is drawn again. Default: always. */
  readonly isUsable?: (weights: Float64Array) => boolean;
  readonly rng: Rng;
  /** Default 1 000. */
  readonly nResamples?: number;
}

/** Percentile intervals by name and how many draws they took. */
export interface BootstrapResult<Name extends string> {
  /** Null where a statistic is undefined on most resamples, where there is one patient, or when the draws ran out. */
  readonly intervals: Readonly<Record<Name, Interval | null>>;
  readonly nResamples: number;
  /** Draws thrown away because they were not usable. */
  readonly nRedraws: number;
}

/**
 * 95 % percentile intervals (2.5 and 97.5, type-7 quantiles) by resampling patients. All statistics share the same
 * resamples. Draws at most 20 times per resample wanted; if the usable ones then fall short, every interval is null.
 * Deterministic for a given generator state and order of cases.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` unless `nResamples` is at least 1.
 * Source: Efron & Tibshirani 1993, chapter 13; Field & Welsh 2007 (cluster bootstrap).
 */
export function bootstrapIntervals<Name extends string>(options: BootstrapOptions<Name>): BootstrapResult<Name> {
  const nResamples = checkedResamples(options.nResamples);
  const full = options.statistics(new Float64Array(options.patients.length).fill(1));
  const { samples, nRedraws } = drawSamples(options, nResamples);
  const named = (Object.keys(full) as Name[]).map((name) => {
    const values = samples.map((sample) => sample[name]).filter((value) => value !== null);
    return [name, full[name] === null ? null : percentileInterval(values, nResamples)] as const;
  });
  return { intervals: Object.fromEntries(named) as Record<Name, Interval | null>, nResamples, nRedraws };
}

interface Draws<Name extends string> {
  /** The statistics of each resample; empty when the draws ran out. */
  readonly samples: readonly Readonly<Record<Name, number | null>>[];
  readonly nRedraws: number;
}

function drawSamples<Name extends string>(options: BootstrapOptions<Name>, nResamples: number): Draws<Name> {
  const patientOf = patientNumbers(options.patients);
  const nPatients = patientOf.reduce((most, patient) => Math.max(most, patient + 1), 0);
  if (nPatients < 2) return { samples: [], nRedraws: 0 };
  const samples: Readonly<Record<Name, number | null>>[] = [];
  const weights = new Float64Array(patientOf.length);
  let nRedraws = 0;
  while (samples.length < nResamples) {
    resampleInto(weights, patientOf, nPatients, options.rng);
    if (options.isUsable?.(weights) ?? true) samples.push(options.statistics(weights));
    else nRedraws += 1;
    if (samples.length + nRedraws >= DRAWS_PER_RESAMPLE * nResamples) break;
  }
  return { samples: samples.length < nResamples ? [] : samples, nRedraws };
}

/** Overwrites `weights` with how often each case occurs when `nPatients` patients are drawn with replacement. */
function resampleInto(weights: Float64Array, patientOf: Uint32Array, nPatients: number, rng: Rng): void {
  const times = new Uint32Array(nPatients);
  for (let draw = 0; draw < nPatients; draw += 1) {
    const patient = rng.nextInt(nPatients);
    times[patient] = (times[patient] ?? 0) + 1;
  }
  for (let i = 0; i < patientOf.length; i += 1) weights[i] = times[patientOf[i] ?? 0] ?? 0;
}

/** Numbers `patients` by first appearance. */
function patientNumbers(patients: readonly string[]): Uint32Array {
  const numbers = new Map<string, number>();
  return Uint32Array.from(patients, (patient) => {
    const number = numbers.get(patient) ?? numbers.size;
    numbers.set(patient, number);
    return number;
  });
}

/**
 * The statistics of each resample, drawn as {@link bootstrapIntervals} draws; empty when the draws ran out.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` unless `nResamples` is at least 1.
 */
export function bootstrapSamples<Name extends string>(options: BootstrapOptions<Name>): Draws<Name>["samples"] {
  return drawSamples(options, checkedResamples(options.nResamples)).samples;
}

function checkedResamples(nResamples = DEFAULT_RESAMPLES): number {
  if (Number.isInteger(nResamples) && nResamples >= 1) return nResamples;
  throw new DomainError("INVALID_ARGUMENT", `there are ${nResamples} resamples; there must be at least 1`);
}

/** Null when fewer than half of the resamples define the statistic: quantiles of the rest would be of another population. */
export function percentileInterval(values: readonly number[], nResamples: number): Interval | null {
  if (values.length === 0 || values.length < nResamples / 2) return null;
  const sorted = Float64Array.from(values).sort();
  return { low: quantileSorted(sorted, 0.025), high: quantileSorted(sorted, 0.975), method: "patient-bootstrap" };
}
