/**
 * Paired comparison of several models on the same cases. For each metric, all pairs of models are one family, and their p
 * values are adjusted by Holm's method; metrics are not corrected for being several, so name the one that counts beforehand.
 *
 * AUROC of a binary task goes by DeLong's test and accuracy by McNemar's where every patient has one case; everything else,
 * and everything where patients have several, by the paired bootstrap over patients.
 */
import { DomainError } from "@parfocal/errors";
import type { BinaryLabels } from "./binary-input.ts";
import { type DelongTest, delongTest } from "./delong.ts";
import type { MetricName } from "./evaluation-types.ts";
import { holmAdjusted } from "./holm.ts";
import type { Interval } from "./interval.ts";
import { mcnemarTest } from "./mcnemar.ts";
import { Z_95 } from "./normal-distribution.ts";
import { type PairedDifference, pairedBootstrap } from "./paired-bootstrap.ts";
import type { Rng } from "./rng.ts";

/** One of the models compared, by what it says of the cases. */
export interface Contender {
  /** Its metrics on the sample in which case i occurs `weights[i]` times; all contenders give the same names. */
  readonly statistics: (weights: Float64Array) => Readonly<Partial<Record<MetricName, number | null>>>;
  /** Whether it decides each case rightly, `[N]`; absent where nothing is decided. */
  readonly isRight?: readonly boolean[];
  /** Binary tasks: scores of the positive class, `[N]`. */
  readonly scores?: ArrayLike<number>;
}

/** The cases that all contenders were asked about. */
export interface ComparedCases {
  /** `[N]`. Never printed. */
  readonly patients: readonly string[];
  /** Binary tasks: the truth, `[N]`. */
  readonly labels?: BinaryLabels;
  /** Whether a resample counts; default: always. */
  readonly isUsable?: (weights: Float64Array) => boolean;
}

/** How one metric of two models differs. */
export interface Comparison extends PairedDifference {
  /** Places of the two among the contenders; the difference is the first's value less the second's. */
  readonly first: number;
  readonly second: number;
  readonly metric: MetricName;
  readonly method: "delong" | "mcnemar" | "paired-bootstrap";
  /** The p value adjusted for all pairs of models in this metric. */
  readonly adjustedP: number | null;
}

/** Settings of {@link compareContenders}. */
export interface CompareOptions {
  /** Drives the bootstrap; every pair is given the same resamples. */
  readonly rng: Rng;
  /** Default 1 000. */
  readonly nResamples?: number;
}

/**
 * Compares every pair of at least two contenders in every metric: rows by metric, then by pair.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for fewer than two contenders or no cases.
 */
export function compareContenders(
  contenders: readonly Contender[],
  cases: ComparedCases,
  options: CompareOptions,
): Comparison[] {
  if (contenders.length < 2 || cases.patients.length === 0) {
    throw new DomainError(
      "INVALID_ARGUMENT",
      `${contenders.length} models on ${cases.patients.length} cases; a comparison takes at least 2 on at least 1`,
    );
  }
  const pairs = contenders.flatMap((a, first) =>
    contenders.slice(first + 1).map((b, offset) => ({ a, b, first, second: first + 1 + offset })),
  );
  const rows = pairs.flatMap(({ a, b, first, second }) =>
    comparePair(a, b, cases, options).map((row) => ({ ...row, first, second })),
  );
  const byMetric = Map.groupBy(rows, ({ metric }) => metric);
  return [...byMetric.values()].flatMap((family) => {
    const adjusted = holmAdjusted(family.map(({ pValue }) => pValue));
    return family.map((row, i) => ({ ...row, adjustedP: adjusted[i] ?? null }));
  });
}

type PairRow = Omit<Comparison, "first" | "second" | "adjustedP">;

function comparePair(a: Contender, b: Contender, cases: ComparedCases, { rng, nResamples }: CompareOptions): PairRow[] {
  const differences = pairedBootstrap<string>({
    patients: cases.patients,
    first: complete(a),
    second: complete(b),
    ...(cases.isUsable && { isUsable: cases.isUsable }),
    // The same stream for every pair.
    rng: rng.fork("paired bootstrap"),
    ...(nResamples === undefined ? {} : { nResamples }),
  });
  const exact = exactTests(a, b, cases);
  return Object.entries(differences).map(([name, row]): PairRow => {
    const metric = name as MetricName;
    return { ...row, metric, method: "paired-bootstrap", ...exact[metric]?.(row) };
  });
}

function complete({ statistics }: Contender): (weights: Float64Array) => Readonly<Record<string, number | null>> {
  return (weights) =>
    Object.fromEntries(Object.entries(statistics(weights)).map(([name, value]) => [name, value ?? null]));
}

type ExactTest = (row: PairedDifference) => Pick<Comparison, "method" | "pValue"> & { interval?: Interval | null };

/** Tests that hold where every patient has one case; they replace the bootstrap's p value where they can be made. */
function exactTests(
  a: Contender,
  b: Contender,
  { patients, labels }: ComparedCases,
): Partial<Record<MetricName, ExactTest | undefined>> {
  if (new Set(patients).size < patients.length) return {};
  const delong = labels && a.scores && b.scores ? delongTest(labels, a.scores, b.scores) : null;
  const mcnemar = a.isRight && b.isRight ? mcnemarTest(a.isRight, b.isRight) : null;
  return {
    ...(delong && { auroc: () => ({ method: "delong", pValue: delong.pValue, interval: waldInterval(delong) }) }),
    ...(mcnemar && { accuracy: () => ({ method: "mcnemar", pValue: mcnemar.pValue }) }),
    ...(mcnemar && { exactMatch: () => ({ method: "mcnemar", pValue: mcnemar.pValue }) }),
  };
}

/** A difference of areas is not bound to [0, 1], so the plain scale does. */
function waldInterval({ difference, standardError }: DelongTest): Interval {
  const half = Z_95 * standardError;
  return { low: difference - half, high: difference + half, method: "delong-wald" };
}
