import { DomainError } from "@parfocal/errors";
import { assertFinite } from "./binary-input.ts";
import { evaluateBinary } from "./evaluate-binary.ts";
import { evaluateMulticlass } from "./evaluate-multiclass.ts";
import { evaluateMultilabel } from "./evaluate-multilabel.ts";
import type {
  CasePrediction,
  CompleteCase,
  EvaluationContext,
  EvaluationOptions,
  EvaluationReport,
  EvaluationTask,
  TaskReport,
} from "./evaluation-types.ts";
import { assertRows } from "./one-vs-rest.ts";

/** Thresholds unless validation cases chose others. */
const DEFAULT_THRESHOLD = 0.5;

/**
 * All metrics of a task with 95 % intervals. Point estimates come from the full sample; AUROC has DeLong's logit interval and
 * proportions Wilson's where each patient has one case, everything else a patient bootstrap. Unlabelled cases and failed
 * predictions are left out and counted. Deterministic for a given generator. ECE has no interval: resampling biases it upwards.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` when no case is left; `SHAPE_MISMATCH` for rows of the wrong length or
 * thresholds of the wrong number; `INVALID_ARGUMENT` for labels or probabilities out of range; `NON_FINITE`.
 */
export function evaluate(
  task: EvaluationTask,
  predictions: readonly CasePrediction[],
  options: EvaluationOptions,
): EvaluationReport {
  const thresholds = resolveThresholds(task, options.thresholds);
  const failed = predictions.filter((prediction) => prediction.probabilities === null).length;
  const cases = predictions.flatMap(completeCase);
  if (cases.length === 0) {
    throw new DomainError(
      "PRECONDITION_FAILED",
      `none of ${predictions.length} predictions can be evaluated (${failed} failed, the rest unlabelled); at least 1 is needed`,
    );
  }
  const nPatients = new Set(cases.map(({ patient }) => patient)).size;
  const context = { ...options, thresholds, areCasesIndependent: nPatients === cases.length };
  return {
    task,
    nCases: cases.length,
    nPatients,
    excluded: { failed, unlabelled: predictions.length - failed - cases.length },
    thresholds,
    areCasesIndependent: context.areCasesIndependent,
    ...evaluateTask(task, cases, context),
  };
}

function completeCase({ patient, label, probabilities }: CasePrediction): CompleteCase[] {
  const isUnlabelled = label === null || (typeof label !== "number" && label.every((entry) => entry === null));
  return isUnlabelled || probabilities === null ? [] : [{ patient, label, probabilities }];
}

function evaluateTask(task: EvaluationTask, cases: readonly CompleteCase[], context: EvaluationContext): TaskReport {
  const patients = cases.map(({ patient }) => patient);
  const nClasses = task.classes.length;
  const rows = cases.map(({ probabilities }) => probabilities);
  rows.forEach(assertProbabilityRow);
  switch (task.kind) {
    case "binary": {
      const nColumns = rows[0]?.length === 1 ? 1 : 2;
      assertRows(rows, cases.length, nColumns);
      const scores = Float64Array.from(rows, (row) => row[nColumns - 1] ?? Number.NaN);
      return evaluateBinary({ name: task.classes[1], patients, labels: classLabels(cases), scores }, context);
    }
    case "multi-class":
    case "ordinal": {
      assertRows(rows, cases.length, nClasses);
      const isOrdered = task.kind === "ordinal";
      return evaluateMulticlass(
        { names: task.classes, patients, labels: classLabels(cases), probabilities: rows, isOrdered },
        context,
      );
    }
    case "multi-label": {
      assertRows(rows, cases.length, nClasses);
      const labels = cases.map(({ label }) => labelVector(label, nClasses));
      return evaluateMultilabel({ names: task.classes, patients, labels, probabilities: rows }, context);
    }
  }
}

function assertProbabilityRow(row: readonly number[], i: number): void {
  assertFinite(row, `row ${i}, probability`);
  const bad = row.find((p) => p < 0 || p > 1);
  if (bad !== undefined) {
    throw new DomainError("INVALID_ARGUMENT", `row ${i} has a probability of ${bad}; it must lie in [0, 1]`);
  }
}

function classLabels(cases: readonly CompleteCase[]): number[] {
  return cases.map(({ label }, i) => {
    if (typeof label === "number") return label;
    throw new DomainError("SHAPE_MISMATCH", `label ${i} has ${label.length} entries; this task has one class per case`);
  });
}

function labelVector(label: CompleteCase["label"], nClasses: number): readonly (number | null)[] {
  const length = typeof label === "number" ? 1 : label.length;
  if (typeof label === "number" || length !== nClasses) {
    throw new DomainError("SHAPE_MISMATCH", `a multi-label truth has ${length} entries; it must have ${nClasses}`);
  }
  return label;
}

function resolveThresholds(task: EvaluationTask, given: readonly number[] | undefined): readonly number[] {
  const wanted = { binary: 1, "multi-class": 0, ordinal: 0, "multi-label": task.classes.length }[task.kind];
  if (given !== undefined && given.length !== wanted) {
    throw new DomainError("SHAPE_MISMATCH", `${given.length} thresholds for a ${task.kind} task; it takes ${wanted}`);
  }
  return given ?? new Array<number>(wanted).fill(DEFAULT_THRESHOLD);
}
