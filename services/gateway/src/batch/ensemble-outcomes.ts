import { isDomainError } from "@parfocal/errors";
import { commonV1 } from "@parfocal/protocol";
import type { Column } from "@parfocal/tables";
import type { BatchPlan, CaseFailure, CaseOutcome } from "./batch-plan.ts";
import { combinePredictions } from "./combine-predictions.ts";
import { type EnsemblePrediction, ensemblePrediction } from "./ensemble.ts";
import { spreadColumns } from "./prediction-columns.ts";

type Plan = Pick<BatchPlan, "models" | "rule" | "isEnsemble">;

/** The columns that the spreads of a batch fill; none where no ensemble was asked for. */
export function spreadColumnsOf(plan: Plan): Column[] {
  const task = taskOf(plan);
  return task === undefined ? [] : spreadColumns(task);
}

/** What all models say together of a row, or why nothing; undefined where no ensemble was asked for. */
export function ensembleOfOutcomes(
  plan: Plan,
  outcomes: readonly CaseOutcome[],
): EnsemblePrediction | CaseFailure | undefined {
  const task = taskOf(plan);
  if (task === undefined) return undefined;
  const failures = outcomes.flatMap((outcome) => ("code" in outcome ? [outcome] : []));
  const [first] = failures;
  if (first !== undefined) {
    const message = `${failures.length} of ${outcomes.length} models did not score the row, the first of them by ${first.code}`;
    return { code: "PRECONDITION_FAILED", message };
  }
  return orRefusal(() => ensemblePrediction(task.kind, outcomes.flatMap(saidOf)));
}

/** Whether models that scored a row cannot speak together of it: only curves of survival may be of no common scale. */
export function isEnsembleRefused(plan: Plan, outcomes: readonly CaseOutcome[]): boolean {
  const kind = taskOf(plan)?.kind;
  if (kind !== KIND_COX && kind !== KIND_SURVIVAL) return false;
  const together = ensembleOfOutcomes(plan, outcomes);
  return together !== undefined && "code" in together;
}

/** What all models say together of a patient. */
interface PatientEnsemble {
  /** Slides that every model scored; the others are left out for all of them. */
  readonly nSlides: number;
  /** Absent where there is no such slide, or no common scale. */
  readonly said?: EnsemblePrediction;
}

/**
 * Every model combines the slides of a patient by the rule of the batch, as in its own line; then the models are combined. Undefined where no
 * ensemble was asked for. `slides`: what came of each, by model.
 */
export function ensembleOfPatient(
  plan: Plan,
  slides: readonly (readonly CaseOutcome[])[],
): PatientEnsemble | undefined {
  const task = taskOf(plan);
  if (task === undefined) return undefined;
  const whole = slides.filter((outcomes) => outcomes.every((outcome) => !("code" in outcome)));
  if (whole.length === 0) return { nSlides: 0 };
  const ofModel = (at: number) => whole.flatMap((outcomes) => outcomes.slice(at, at + 1).flatMap(saidOf));
  const combined = plan.models.map((_, at) => combinePredictions(task.kind, ofModel(at), plan.rule));
  const said = orRefusal(() => ensemblePrediction(task.kind, combined));
  return { nSlides: whole.length, ...(!("code" in said) && { said }) };
}

const { KIND_COX, KIND_SURVIVAL } = commonV1.Task_Kind;

/** The one task of an ensemble's models. */
function taskOf({ models: [first], isEnsemble = false }: Plan): commonV1.Task | undefined {
  return isEnsemble && first !== undefined ? commonV1.Task.fromJSON(first.task) : undefined;
}

function saidOf(outcome: CaseOutcome): commonV1.Prediction[] {
  return "code" in outcome ? [] : [commonV1.Prediction.fromJSON(outcome.prediction)];
}

function orRefusal(combine: () => EnsemblePrediction): EnsemblePrediction | CaseFailure {
  try {
    return combine();
  } catch (error) {
    if (!isDomainError(error, "PRECONDITION_FAILED")) throw error;
    return { code: error.code, message: error.message };
  }
}
