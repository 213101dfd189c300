/**
 * What is fitted on the validation part and published with a model: the temperature of its probabilities, and limits of sets
 * and intervals that hold the truth as often as stated. Legend: C classes, T numbers.
 *
 * Sets are made of raw probabilities: a temperature fitted on the same cases would cost the exactness of the coverage.
 */
import {
  type CasePrediction,
  type ConformalSets,
  conformalSet,
  fitConformalHalfWidth,
  fitConformalSets,
  fitTemperature,
  type TemperatureFit,
  temper,
} from "@parfocal/metrics";
import { hasClasses, type Task } from "@parfocal/models";
import type { CalibrationConfig } from "./calibration-config.ts";

/** Calibration of a model, JSON-safe. Multi-label tasks have an entry per class where others with classes have one. */
export interface ModelCalibration extends CalibrationConfig {
  /** Null where none could be fitted, e.g. because the validation part is decided without a mistake. Empty without classes. */
  readonly temperatures: readonly (TemperatureFit | null)[];
  /** Empty without classes. */
  readonly sets: readonly Pick<ConformalSets, "limits" | "nPatients">[];
  /** Regression: by number, half of the interval in the labels' unit; null for too few patients. Else empty. */
  readonly halfWidths: readonly { readonly halfWidth: number | null; readonly nPatients: number }[];
}

/** A prediction as its calibration sees it. */
export interface CalibratedAnswer {
  /** `[C]` at the fitted temperature; null entries: none was fitted. Empty without classes. */
  readonly probabilities: readonly (number | null)[];
  /** Tasks with classes; absent when the validation part was too small to rule out any: it takes `coverage / (1 - coverage)` patients. */
  readonly set?: PredictionSet;
  /** `[T]`: ends of intervals; null for too few patients. Empty but in regressions. */
  readonly intervals: readonly (readonly [number, number] | null)[];
}

/** Classes that are not ruled out. */
interface PredictionSet {
  /** Classes that may hold. */
  readonly classes: readonly string[];
  /** Multi-label: classes that may not hold. */
  readonly absent: readonly string[];
  /** The fewest patients that any of its limits rests on. */
  readonly nPatients: number;
}

/** Validation cases with what the model says: `answer` is `[C]` probabilities or `[T]` numbers. */
export type AnsweredCase = Pick<CasePrediction, "patient" | "label"> & { readonly answer: readonly number[] };

/**
 * Fits a model's calibration on validation cases; undefined without any, and in tasks of times, where censoring leaves no
 * such promise.
 */
export function fitCalibration(
  task: Task,
  cases: readonly AnsweredCase[],
  config: CalibrationConfig,
): ModelCalibration | undefined {
  if (cases.length === 0) return undefined;
  if (task.kind === "regression") {
    const halfWidths = task.classes.map((_, t) => fitNumber(cases, t, config));
    return { ...config, temperatures: [], sets: [], halfWidths };
  }
  if (!hasClasses(task)) return undefined;
  const problems = problemsOf(task, cases);
  return {
    ...config,
    temperatures: problems.map(({ probabilities, labels }) => fitTemperature(probabilities, labels)),
    sets: problems.map((problem) => {
      const { limits, nPatients } = fitConformalSets(problem, { ...config, alpha: 1 - config.coverage });
      return { limits, nPatients };
    }),
    halfWidths: [],
  };
}

/** What the calibration says of one `answer`. */
export function calibrate(task: Task, calibration: ModelCalibration, answer: readonly number[]): CalibratedAnswer {
  if (task.kind === "regression") return { probabilities: [], intervals: intervalsAround(answer, calibration) };
  const rows = task.kind === "multilabel" ? answer.map(pair) : [answer];
  const tempered = rows.map((row, i) => {
    const fit = calibration.temperatures[i] ?? null;
    return fit === null ? row.map(() => null) : temper(row, fit.temperature);
  });
  const members = rows.map((row, i) => {
    const { limits = [], nPatients = [] } = calibration.sets[i] ?? {};
    return conformalSet(row, { ...calibration, alpha: 1 - calibration.coverage, limits, nPatients });
  });
  // Sets that rule out nothing whatever the bag say nothing.
  const isUseful = calibration.sets.some(({ limits }) => limits.some((limit) => limit !== null));
  const nPatients = Math.min(...calibration.sets.flatMap((each) => each.nPatients));
  if (task.kind !== "multilabel") {
    const classes = (members[0] ?? []).map((c) => task.classes[c] ?? "");
    const set = { classes, absent: [], nPatients };
    return { probabilities: tempered[0] ?? [], ...(isUseful && { set }), intervals: [] };
  }
  const classesWith = (side: number) => task.classes.filter((_, k) => members[k]?.includes(side));
  const set = { classes: classesWith(1), absent: classesWith(0), nPatients };
  return { probabilities: tempered.map(([, p = null]) => p), ...(isUseful && { set }), intervals: [] };
}

interface Problem {
  readonly patients: readonly string[];
  readonly labels: readonly number[];
  readonly probabilities: readonly (readonly number[])[];
}

/** One problem of exclusive classes, or one per class of a multi-label task on the cases that know it. */
function problemsOf(task: Task, cases: readonly AnsweredCase[]): Problem[] {
  if (task.kind !== "multilabel") {
    return [problemOf(cases, ({ label, answer }) => (typeof label === "number" ? { label, row: answer } : null))];
  }
  return task.classes.map((_, k) =>
    problemOf(cases, ({ label, answer }) => {
      const known = typeof label === "object" ? (label?.[k] ?? null) : null;
      return known === null ? null : { label: known, row: pair(answer[k] ?? Number.NaN) };
    }),
  );
}

function problemOf(
  cases: readonly AnsweredCase[],
  view: (each: AnsweredCase) => { readonly label: number; readonly row: readonly number[] } | null,
): Problem {
  const seen = cases.flatMap((each) => {
    const found = view(each);
    return found === null ? [] : [{ ...found, patient: each.patient }];
  });
  return {
    patients: seen.map(({ patient }) => patient),
    labels: seen.map(({ label }) => label),
    probabilities: seen.map(({ row }) => row),
  };
}

function fitNumber(cases: readonly AnsweredCase[], t: number, { coverage }: CalibrationConfig) {
  const known = cases.flatMap(({ patient, label, answer }) => {
    const target = typeof label === "object" ? (label?.[t] ?? null) : null;
    return target === null ? [] : [{ patient, error: (answer[t] ?? Number.NaN) - target }];
  });
  return fitConformalHalfWidth(
    known.map(({ patient }) => patient),
    known.map(({ error }) => error),
    1 - coverage,
  );
}

function intervalsAround(answer: readonly number[], { halfWidths }: ModelCalibration): CalibratedAnswer["intervals"] {
  return answer.map((value, t) => {
    const half = halfWidths[t]?.halfWidth ?? null;
    return half === null ? null : [value - half, value + half];
  });
}

function pair(p: number): readonly [number, number] {
  return [1 - p, p];
}
