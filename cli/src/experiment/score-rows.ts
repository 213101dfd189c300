import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import type { GatewayClients } from "../client/clients.ts";
import { type BagOutcome, predictBags } from "../client/predict-bags.ts";
import type { AssignedRow } from "../cohort/assign-parts.ts";
import { predictionRowOf, viewPrediction } from "../cohort/prediction-view.ts";
import type { Output } from "../output/output.ts";
import type { PredictionRow } from "../report/index.ts";

/** A labelled bag, or several that are decided together, with what a model that did not learn from it says. */
export interface ScoredRow {
  /** Of several bags the first. */
  readonly assigned: AssignedRow;
  readonly row: PredictionRow;
  /** Absent when the prediction failed. */
  readonly prediction?: commonV1.Prediction;
}

/** What {@link scoreRows} works with. */
export interface ScoreOptions {
  readonly output: Output;
  readonly signal: AbortSignal;
  /** How slides that have a label together are decided; absent: each by itself. */
  readonly groups?: commonV1.GroupRule;
}

const { KIND_JOINED, KIND_MAX, KIND_MEAN } = commonV1.GroupRule_Kind;
/** Rules by which a model decides a group, not each slide. */
const TOGETHER: ReadonlySet<commonV1.GroupRule_Kind> = new Set([KIND_JOINED, KIND_MAX, KIND_MEAN]);

/** Whether a rule decides groups of slides, not each slide. */
export function isTogether(groups: commonV1.GroupRule | undefined): boolean {
  return groups !== undefined && TOGETHER.has(groups.kind);
}

/** Predicts labelled bags; one that fails does not stop the others. */
export async function scoreRows(
  clients: GatewayClients,
  model: gatewayV1.Model,
  rows: readonly AssignedRow[],
  { output, signal, groups }: ScoreOptions,
): Promise<ScoredRow[]> {
  const units = isTogether(groups) ? [...Map.groupBy(rows, groupOf).values()] : rows.map((row) => [row]);
  const others = new Map(units.map(([first, ...more]) => [first?.bag.name, more.map(({ bag }) => bag.name)]));
  const progress = output.progress("predicting");
  const onBag = (_: BagOutcome, nDone: number) =>
    progress.update({ fraction: nDone / units.length, text: `${nDone} of ${units.length}` });
  const bags = units.flatMap(([first]) => (first === undefined ? [] : [first.bag]));
  const moreBagsOf = ({ name }: gatewayV1.Bag) => others.get(name) ?? [];
  const outcomes = await predictBags(clients, bags, {
    model: model.name,
    includeAttention: false,
    signal,
    onBag,
    moreBagsOf,
  });
  progress.end();
  return units.flatMap((unit, i) =>
    unit[0] === undefined ? [] : [scoredRow(model, unit[0], unit.length, outcomes[i])],
  );
}

/** Whose label it is: the group's, else the patient's. */
function groupOf({ row, patient }: AssignedRow): string {
  return JSON.stringify([patient, row.group ?? null]);
}

function scoredRow(
  model: gatewayV1.Model,
  assigned: AssignedRow,
  nBags: number,
  outcome: BagOutcome | undefined,
): ScoredRow {
  const prediction = outcome?.kind === "prediction" ? outcome.response.prediction : undefined;
  const isMultilabel = model.task?.kind === commonV1.Task_Kind.KIND_MULTILABEL;
  const failure = outcome?.kind === "error" ? outcome : { code: "INTERNAL", message: "no prediction came" };
  const shown =
    prediction === undefined
      ? ({ ...failure, kind: "error" } as const)
      : ({ kind: "prediction", view: viewPrediction(prediction, isMultilabel) } as const);
  const row = predictionRowOf(assigned.bag, model.name, shown, assigned.row);
  return {
    assigned,
    row: nBags === 1 ? row : { ...row, slide: `${row.slide} and ${nBags - 1} more` },
    ...(prediction === undefined ? {} : { prediction }),
  };
}
