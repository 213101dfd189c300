import { commonV1 } from "@parfocal/protocol";
import type { AssignedRow } from "../cohort/assign-parts.ts";
import { slideOf } from "../cohort/prediction-view.ts";
import type { ScoredRow } from "../experiment/score-rows.ts";
import { rowOfSlides } from "../output/decided-together.ts";
import type { PredictionRow } from "../report/index.ts";

/** A row with what decided each label: of multi-label tasks the thresholds of its prediction, by class. */
export function withThresholds(
  row: PredictionRow,
  prediction: commonV1.Prediction | undefined,
  task: Pick<commonV1.Task, "kind"> | undefined,
): PredictionRow {
  if (task?.kind !== commonV1.Task_Kind.KIND_MULTILABEL || prediction === undefined) return row;
  const thresholds = prediction.probabilities.flatMap(({ label, threshold }): [string, number][] =>
    threshold === undefined ? [] : [[label, threshold]],
  );
  return thresholds.length === 0 ? row : { ...row, thresholds: Object.fromEntries(thresholds) };
}

/**
 * Scored rows as the report and its files have them: with the thresholds of labels, and where slides were decided together with all of
 * them.
 *
 * @param rows all of the cohort, among which a unit's other slides are found; absent: every slide was decided by itself.
 */
export function reportRows(
  scored: readonly ScoredRow[],
  task: Pick<commonV1.Task, "kind">,
  rows: readonly AssignedRow[] = [],
): PredictionRow[] {
  const units = Map.groupBy(rows, unitKey);
  return scored.map(({ assigned, row, prediction }) => {
    const slides = units.get(unitKey(assigned))?.map(({ bag }) => slideOf(bag)) ?? [];
    return rowOfSlides(withThresholds(row, prediction, task), slides);
  });
}

/** Whose label it is, within a part: the group's, else the patient's. */
function unitKey({ row, patient, part }: AssignedRow): string {
  return JSON.stringify([part, patient, row.group ?? null]);
}
