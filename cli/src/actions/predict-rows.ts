import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import type { BagOutcome } from "../client/predict-bags.ts";
import type { LabelRow } from "../cohort/parse-labels.ts";
import { predictionRowOf, slideOf, viewPrediction } from "../cohort/prediction-view.ts";
import type { PredictionRow } from "../report/index.ts";
import { withThresholds } from "../run-report/report-rows.ts";

/** Labels by the names of bags. */
export type Truths = ReadonlyMap<string, LabelRow>;

function isMultilabel({ task }: gatewayV1.Model): boolean {
  return task?.kind === commonV1.Task_Kind.KIND_MULTILABEL;
}

/** What came of a bag as programs are told it. */
export function recordOf(outcome: BagOutcome, model: gatewayV1.Model): object {
  const bag = outcome.bag.name;
  const slide = slideOf(outcome.bag);
  if (outcome.kind === "error") return { bag, slide, error: { code: outcome.code, message: outcome.message } };
  const { prediction, model: version } = outcome.response;
  if (prediction === undefined) return { bag, slide, error: { code: "INTERNAL", message: "no prediction came" } };
  return { bag, ...viewPrediction(prediction, isMultilabel(model)), model: version, slide };
}

/** What came of a bag as a row of the predictions. */
export function rowOf(outcome: BagOutcome, model: gatewayV1.Model, truths: Truths): PredictionRow {
  const prediction = outcome.kind === "prediction" ? outcome.response.prediction : undefined;
  const shown =
    outcome.kind === "error"
      ? outcome
      : prediction === undefined
        ? ({ kind: "error", code: "INTERNAL", message: "no prediction came" } as const)
        : ({ kind: "prediction", view: viewPrediction(prediction, isMultilabel(model)) } as const);
  const row = predictionRowOf(outcome.bag, model.name, shown, truths.get(outcome.bag.name));
  return withThresholds(row, prediction, model.task);
}
