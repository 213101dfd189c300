import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import type { GatewayClients } from "../client/clients.ts";
import { type BagOutcome, predictBags } from "../client/predict-bags.ts";
import type { AssignedRow } from "../cohort/assign-parts.ts";
import { predictionRowOf, viewPrediction } from "../cohort/prediction-view.ts";
import type { Output } from "../output/output.ts";
import type { PredictionRow } from "../report/index.ts";

/** A labelled bag with what a model that did not learn from it says. */
export interface ScoredRow {
  readonly assigned: AssignedRow;
  readonly row: PredictionRow;
  /** Absent when the prediction failed. */
  readonly prediction?: commonV1.Prediction;
}

/** Predicts labelled bags; one that fails does not stop the others. */
export async function scoreRows(
  clients: GatewayClients,
  model: gatewayV1.Model,
  rows: readonly AssignedRow[],
  { output, signal }: { readonly output: Output; readonly signal: AbortSignal },
): Promise<ScoredRow[]> {
  const progress = output.progress("predicting");
  const onBag = (_: BagOutcome, nDone: number) =>
    progress.update({ fraction: nDone / rows.length, text: `${nDone} of ${rows.length}` });
  const bags = rows.map(({ bag }) => bag);
  const options = { model: model.name, includeAttention: false, signal, onBag };
  const outcomes = await predictBags(clients, bags, options);
  progress.end();
  return rows.map((assigned, i) => scoredRow(model, assigned, outcomes[i]));
}

function scoredRow(model: gatewayV1.Model, assigned: AssignedRow, outcome: BagOutcome | undefined): ScoredRow {
  const prediction = outcome?.kind === "prediction" ? outcome.response.prediction : undefined;
  const isMultilabel = model.task?.kind === commonV1.Task_Kind.KIND_MULTILABEL;
  const failure = outcome?.kind === "error" ? outcome : { code: "INTERNAL", message: "no prediction came" };
  const shown =
    prediction === undefined
      ? ({ ...failure, kind: "error" } as const)
      : ({ kind: "prediction", view: viewPrediction(prediction, isMultilabel) } as const);
  return {
    assigned,
    row: predictionRowOf(assigned.bag, model.name, shown, assigned.row),
    ...(prediction === undefined ? {} : { prediction }),
  };
}
