import {
  censoringCurve,
  createRng,
  type EvaluationReport,
  evaluateRegression,
  evaluateSurvival,
  type MetricTable,
} from "@parfocal/metrics";
import { commonV1 } from "@parfocal/protocol";
import { DEFAULT_SEED } from "../default-seed.ts";
import { type EvaluatedSlide, evaluatePredictions } from "./evaluate-predictions.ts";

/** Figures with 95 % intervals, of all slides or of one number of a regression. */
export interface MeasuredFigures extends Pick<EvaluationReport, "nCases" | "nPatients"> {
  /** The number; absent: of the whole task. */
  readonly name?: string;
  readonly metrics: MetricTable;
}

/**
 * How a model does on slides, whatever its task. Unlabelled slides and failed predictions are left out. Survival is weighed by the
 * censoring of these slides, as that of the training is not known here.
 *
 * @throws {UsageError} for a label that is none of the model's. @throws {DomainError} as the evaluations of `@parfocal/metrics`.
 */
export function measurePredictions(
  task: commonV1.Task,
  slides: readonly EvaluatedSlide[],
  seed = DEFAULT_SEED,
): MeasuredFigures[] {
  const { KIND_COX, KIND_REGRESSION, KIND_SURVIVAL } = commonV1.Task_Kind;
  if (task.kind === KIND_REGRESSION) return numberFigures(task, slides, seed);
  if (task.kind === KIND_SURVIVAL || task.kind === KIND_COX) return [eventFigures(slides, seed)];
  return [evaluatePredictions(task, slides, seed)];
}

function numberFigures({ classes }: commonV1.Task, slides: readonly EvaluatedSlide[], seed: bigint): MeasuredFigures[] {
  const known = slides.flatMap(({ patient, truth, prediction }) =>
    truth?.values === undefined || prediction === undefined ? [] : [{ patient, truth: truth.values, prediction }],
  );
  const { nPatients, targets } = evaluateRegression(
    {
      names: classes,
      patients: known.map(({ patient }) => patient),
      targets: known.map(({ truth }) => classes.map((name) => truth[name] ?? null)),
      predicted: known.map(({ prediction }) => prediction.values.map(({ value }) => value)),
    },
    { rng: createRng(seed).fork("evaluation") },
  );
  return targets.map(({ name, nCases, metrics }) => ({ name, nCases, nPatients, metrics }));
}

function eventFigures(slides: readonly EvaluatedSlide[], seed: bigint): MeasuredFigures {
  const known = slides.flatMap(({ patient, truth, prediction }) =>
    truth?.survival === undefined || prediction?.survival === undefined
      ? []
      : [{ patient, outcome: truth.survival, risk: prediction.survival.risk }],
  );
  const outcomes = {
    times: known.map(({ outcome }) => outcome.time),
    events: known.map(({ outcome }) => Number(outcome.event)),
  };
  return evaluateSurvival(
    {
      patients: known.map(({ patient }) => patient),
      outcomes,
      risks: known.map(({ risk }) => risk),
      censoring: censoringCurve(outcomes),
    },
    { rng: createRng(seed).fork("evaluation") },
  );
}
