import {
  type CasePrediction,
  createRng,
  type EvaluationReport,
  type EvaluationTask,
  evaluate,
} from "@parfocal/metrics";
import { commonV1 } from "@parfocal/protocol";
import { DEFAULT_SEED } from "../default-seed.ts";
import { UsageError } from "../exit-codes.ts";
import type { LabelRow } from "./parse-labels.ts";

/** A slide with its truth and its prediction. */
export interface EvaluatedSlide {
  /** Whose slide it is; slides of one patient are resampled together. */
  readonly patient: string;
  /** Absent: unlabelled. */
  readonly truth?: Pick<LabelRow, "labels" | "unknownLabels" | "values" | "survival">;
  /** Absent: the prediction failed. */
  readonly prediction?: commonV1.Prediction;
}

/**
 * All metrics of a model of classes on slides, with 95 % intervals; of other models `measurePredictions` knows. `seed` drives the bootstrap.
 *
 * @throws {UsageError} for a label that is none of the model's classes. @throws {DomainError} see `evaluate`.
 */
export function evaluatePredictions(
  task: commonV1.Task,
  slides: readonly EvaluatedSlide[],
  seed = DEFAULT_SEED,
): EvaluationReport {
  const evaluationTask = evaluationTaskOf(task);
  const cases = slides.map(
    ({ patient, truth, prediction }): CasePrediction => ({
      patient,
      label: truth === undefined ? null : labelOf(task, truth),
      probabilities: prediction === undefined ? null : byClass(task, prediction).map(({ probability }) => probability),
    }),
  );
  const thresholds = thresholdsOf(task, slides);
  return evaluate(evaluationTask, cases, {
    rng: createRng(seed).fork("evaluation"),
    ...(thresholds === undefined ? {} : { thresholds }),
  });
}

/** A task of the contract as metrics know it. */
function evaluationTaskOf({ kind, classes }: commonV1.Task): EvaluationTask {
  const [negative, positive] = classes;
  if (kind === commonV1.Task_Kind.KIND_BINARY && negative !== undefined && positive !== undefined) {
    return { kind: "binary", classes: [negative, positive] };
  }
  if (kind === commonV1.Task_Kind.KIND_ORDINAL) return { kind: "ordinal", classes };
  return { kind: kind === commonV1.Task_Kind.KIND_MULTILABEL ? "multi-label" : "multi-class", classes };
}

/** The truth of a slide as metrics know it: a class index, or for multi-label `[K]` of 0, 1 and null (unknown). */
export function labelOf(
  { kind, classes }: commonV1.Task,
  { labels, unknownLabels }: NonNullable<EvaluatedSlide["truth"]>,
): number | (number | null)[] {
  const foreign = [...labels, ...unknownLabels].find((name) => !classes.includes(name));
  if (foreign !== undefined) {
    throw new UsageError(`the label "${foreign}" is none of the model's classes ${classes.join(", ")}`);
  }
  if (kind === commonV1.Task_Kind.KIND_MULTILABEL) {
    return classes.map((name) => (unknownLabels.includes(name) ? null : Number(labels.includes(name))));
  }
  const [only] = labels;
  if (only === undefined || labels.length !== 1) {
    throw new UsageError(`a slide has ${labels.length} labels; the model's task takes one`);
  }
  return classes.indexOf(only);
}

/** What a prediction says of each class, in the order of the task's classes. */
function byClass({ classes }: commonV1.Task, { probabilities }: commonV1.Prediction): commonV1.ClassProbability[] {
  const known = new Map(probabilities.map((each) => [each.label, each]));
  return classes.map((name) => {
    const found = known.get(name);
    if (found === undefined) throw new UsageError(`a prediction says nothing of the model's class "${name}"`);
    return found;
  });
}

/** The model's thresholds, which every prediction carries: the positive class's, or one per class; none where the greatest probability decides. */
function thresholdsOf(task: commonV1.Task, slides: readonly EvaluatedSlide[]): readonly number[] | undefined {
  const isBinary = task.kind === commonV1.Task_Kind.KIND_BINARY;
  const example = slides.find(({ prediction }) => prediction !== undefined)?.prediction;
  if (example === undefined || !(isBinary || task.kind === commonV1.Task_Kind.KIND_MULTILABEL)) return undefined;
  const values = byClass(task, example).map(({ threshold }) => threshold ?? 0.5);
  return isBinary ? values.slice(1, 2) : values;
}
