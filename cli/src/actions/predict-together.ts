import { isDomainError } from "@parfocal/errors";
import { type commonV1, gatewayV1 } from "@parfocal/protocol";
import { ENSEMBLE, type EnsemblePrediction, ensemblePrediction } from "@parfocal/service-gateway/ensemble";
import type { BagOutcome } from "../client/predict-bags.ts";
import { asPrediction, viewSpread } from "../cohort/ensemble-view.ts";
import { slideOf } from "../cohort/prediction-view.ts";
import { rowOfSlides } from "../output/decided-together.ts";
import { showPredictions } from "../output/prediction-table.ts";
import type { PredictionRow } from "../report/index.ts";
import type { CommandContext } from "../run-command.ts";
import { recordOf, rowOf, type Truths } from "./predict-rows.ts";

/** What several models say together of one unit, or why nothing. */
type EnsembleOutcome =
  | { readonly kind: "prediction"; readonly first: BagOutcome; readonly said: EnsemblePrediction }
  | { readonly kind: "error"; readonly first: BagOutcome; readonly code: string; readonly message: string };

/** What the models say together of every unit. `byModel`: what each says of the units, in the same order. */
export function predictTogether(
  task: commonV1.Task,
  byModel: readonly (readonly BagOutcome[])[],
): readonly EnsembleOutcome[] {
  const [units = []] = byModel;
  return units.map((first, at) => {
    const outcomes = byModel.flatMap((own) => own[at] ?? []);
    const said = outcomes.flatMap((outcome) =>
      outcome.kind === "prediction" ? (outcome.response.prediction ?? []) : [],
    );
    const nFailed = outcomes.length - said.length;
    if (nFailed === 0) return togetherOrRefusal(task, first, said);
    const message = `${nFailed} of ${outcomes.length} models did not score it; there is no ensemble`;
    return { kind: "error", first, code: "PRECONDITION_FAILED", message };
  });
}

function togetherOrRefusal(
  { kind }: commonV1.Task,
  first: BagOutcome,
  said: readonly commonV1.Prediction[],
): EnsembleOutcome {
  try {
    return { kind: "prediction", first, said: ensemblePrediction(kind, said) };
  } catch (error) {
    if (!isDomainError(error, "PRECONDITION_FAILED")) throw error;
    return { kind: "error", first, code: error.code, message: error.message };
  }
}

/** Prints what models say together, what they do not with the reason; gives rows and outcomes of the former. */
export function showTogether(
  { output }: CommandContext,
  model: gatewayV1.Model,
  together: readonly EnsembleOutcome[],
  { known, slidesOf }: { readonly known: Truths; readonly slidesOf: (at: number) => readonly string[] },
): { readonly rows: PredictionRow[]; readonly outcomes: BagOutcome[] } {
  const whole = { ...model, name: ENSEMBLE };
  const [rows, outcomes]: [PredictionRow[], BagOutcome[]] = [[], []];
  for (const [at, each] of together.entries()) {
    const { bag } = each.first;
    if (each.kind === "error") {
      output.record({ bag: bag.name, model: ENSEMBLE, error: { code: each.code, message: each.message } });
      output.note(`no ensemble: ${slideOf(bag)}: ${each.code}: ${each.message}`);
      continue;
    }
    const outcome = outcomeOf(each);
    const spread = viewSpread(each.said);
    const slides = slidesOf(at);
    output.record({ ...recordOf(outcome, whole), spread, ...(slides.length > 1 && { slides }) });
    outcomes.push(outcome);
    rows.push({ ...rowOfSlides(rowOf(outcome, whole, known), slides), spread });
  }
  output.line(ENSEMBLE);
  showPredictions(output, rows, ENSEMBLE);
  return { rows, outcomes };
}

function outcomeOf({ first: { bag }, said }: Extract<EnsembleOutcome, { kind: "prediction" }>): BagOutcome {
  const response = { prediction: asPrediction(said), model: ENSEMBLE, bag: bag.name };
  return { kind: "prediction", bag, response: gatewayV1.PredictResponse.fromPartial(response) };
}
