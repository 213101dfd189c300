import {
  alignToHalf,
  type CasePrediction,
  censoringCurve,
  createRng,
  DECISION_METRICS,
  type EvaluationReport,
  evaluate,
  evaluateSurvival,
  type MetricName,
  type MetricTable,
} from "@parfocal/metrics";
import { hasClasses, type Task } from "@parfocal/models";
import type { PartReport } from "./job.ts";
import { eventOf, type Label } from "./label.ts";
import { classCase, evaluationTask, reportOnGroups } from "./report.ts";

/** A case with what was said of it before. */
export interface MeasuredCase {
  readonly patient: string;
  readonly label: Label;
  /** Probabilities `[C]` or values; survival and Cox: nothing. */
  readonly answer: readonly number[];
  /** Survival and Cox: larger is sooner. */
  readonly risk?: number;
  /** What it is decided by: one for binary, one per class for multi-label, none for other tasks. */
  readonly thresholds: readonly number[];
}

/** The bootstrap: the same cases give the same intervals. */
const SEED = 1n;

/**
 * All metrics of predictions that several models may have made, each decided by the thresholds it came with. Of survival only what
 * ranks is measured: models differ in their intervals.
 *
 * @throws {DomainError} As the evaluation of the kind of task in `@parfocal/metrics`.
 */
export function measureCases(task: Task, cases: readonly MeasuredCase[]): PartReport {
  if (task.kind === "regression") {
    const scored = cases.map((each) => ({ ...each, logits: [] }));
    return reportOnGroups(task, scored, null, { thresholds: [], seed: SEED });
  }
  return hasClasses(task) ? measureClasses(task, cases) : measureEvents(cases);
}

function measureClasses(task: Task, cases: readonly MeasuredCase[]): EvaluationReport {
  const measured = (thresholds: readonly number[], of: readonly CasePrediction[]) =>
    evaluate(evaluationTask(task), of, { rng: createRng(SEED).fork("bootstrap"), thresholds });
  const plain = cases.map((each) => classCase({ ...each, logits: [] }));
  const [first] = cases;
  const isShared = cases.every(({ thresholds }) => thresholds.every((value, k) => value === first?.thresholds[k]));
  if (isShared) return measured(first?.thresholds ?? [], plain);
  // Moved to one half, the thresholds of all cases are one; order within a case's model and the side of it stay.
  const halves = (first?.thresholds ?? []).map(() => 0.5);
  const aligned = plain.map((each, i) => {
    const { thresholds } = cases[i]!;
    return {
      ...each,
      probabilities: (each.probabilities ?? []).map((p, k) => alignToHalf(p, thresholdAt(task, thresholds, k))),
    };
  });
  return withDecisions(measured(halves, plain), measured(halves, aligned));
}

/** A binary task has one threshold, of the positive class: the negative one's is what is left. */
function thresholdAt({ kind }: Task, thresholds: readonly number[], k: number): number {
  if (kind !== "binary") return thresholds[k] ?? 0.5;
  const positive = thresholds[0] ?? 0.5;
  return k === 0 ? 1 - positive : positive;
}

/** A report whose decisions are those of another. */
function withDecisions(plain: EvaluationReport, decided: EvaluationReport): EvaluationReport {
  return {
    ...plain,
    thresholds: [],
    metrics: pickDecisions(plain.metrics, decided.metrics),
    classes: plain.classes.map((of, k) => {
      const other = decided.classes[k];
      return other === undefined ? of : { ...of, metrics: pickDecisions(of.metrics, other.metrics) };
    }),
    confusion: decided.confusion,
  };
}

function pickDecisions(plain: MetricTable, decided: MetricTable): MetricTable {
  const entries = Object.entries(plain) as [MetricName, MetricTable[MetricName]][];
  return Object.fromEntries(entries.map(([name, of]) => [name, DECISION_METRICS.has(name) ? decided[name] : of]));
}

function measureEvents(cases: readonly MeasuredCase[]): PartReport {
  const known = cases.flatMap(({ label, patient, risk }) => {
    const event = eventOf(label);
    return event === null || risk === undefined ? [] : [{ patient, risk, event }];
  });
  const outcomes = {
    times: known.map(({ event }) => event.time),
    events: known.map(({ event }) => Number(event.isEvent)),
  };
  const { nCases, nPatients, nEvents, metrics } = evaluateSurvival(
    {
      patients: known.map(({ patient }) => patient),
      outcomes,
      risks: known.map(({ risk }) => risk),
      censoring: censoringCurve(outcomes),
    },
    { rng: createRng(SEED).fork("bootstrap") },
  );
  return { nCases, nPatients, nEvents, censoring: "evaluated", metrics, classes: [], confusion: null };
}
