import { commonV1, resourceName } from "@parfocal/protocol";
import type { Column, Row, Table } from "@parfocal/tables";
import type { BatchPlan, CaseFailure, CaseOutcome, PlannedRow } from "./batch-plan.ts";
import { combinePredictions } from "./combine-predictions.ts";
import { predictionCells, predictionColumns } from "./prediction-columns.ts";

/** What came of every row and model: `outcomes[row][model]`. */
export type BatchOutcomes = readonly (readonly CaseOutcome[])[];

const text = (name: string): Column => ({ name, type: "text" });
const count = (name: string): Column => ({ name, type: "integer" });

/** A row with what came of it. */
interface Case {
  readonly index: number;
  readonly row: PlannedRow;
  readonly bag: string;
}

/** Every row of the manifest and every model: a line with what the model says, or with the code of the failure. */
export function predictionsTable(plan: BatchPlan, project: string, outcomes: BatchOutcomes): Table {
  const tasks = plan.models.map(({ task }) => commonV1.Task.fromJSON(task));
  const rows = casesOf(plan, project).flatMap(({ index, row, bag }) =>
    plan.models.map(({ name }, model): Row => {
      const outcome = outcomes[index]![model]!;
      const known = { row: index, line: row.line, slide: slideOf(row), patient: row.patient, bag, model: name };
      return "code" in outcome
        ? { ...known, error: outcome.code }
        : { ...known, ...predictionCells(commonV1.Prediction.fromJSON(outcome.prediction)) };
    }),
  );
  const first = [count("row"), count("line"), text("slide"), text("patient"), text("bag"), text("model")];
  return { columns: [...first, ...predictionColumns(tasks), text("error")], rows };
}

/** Every row and model that gave no prediction, with the reason. */
export function failuresTable(plan: BatchPlan, project: string, outcomes: BatchOutcomes): Table {
  const rows = casesOf(plan, project).flatMap(({ index, row, bag }) =>
    plan.models.flatMap(({ name }, model): Row[] => {
      const outcome = outcomes[index]![model]!;
      if (!("code" in outcome)) return [];
      const { code, message } = outcome;
      return [{ row: index, line: row.line, named: row.name, bag, model: name, code, message }];
    }),
  );
  const names = ["named", "bag", "model", "code", "message"];
  return { columns: [count("row"), count("line"), ...names.map(text)], rows };
}

/**
 * Every patient and model: a line with what the patient's slides say together. A slide without patient id is a patient of its own,
 * named after the slide. Slides that failed are counted and left out.
 */
export function patientsTable(plan: BatchPlan, outcomes: BatchOutcomes): Table {
  const tasks = plan.models.map(({ task }) => commonV1.Task.fromJSON(task));
  const rows = patientsOf(plan).flatMap(({ name, indices }) =>
    plan.models.map((model, at): Row => {
      const scored = indices.flatMap((index) => {
        const outcome = outcomes[index]![at]!;
        return "code" in outcome ? [] : [commonV1.Prediction.fromJSON(outcome.prediction)];
      });
      const counts = { slides: indices.length, failed_slides: indices.length - scored.length };
      const known = { patient: name, model: model.name, rule: plan.rule, ...counts };
      if (scored.length === 0) return known;
      return { ...known, ...predictionCells(combinePredictions(tasks[at]!.kind, scored, plan.rule)) };
    }),
  );
  const first = [text("patient"), text("model"), text("rule"), count("slides"), count("failed_slides")];
  return { columns: [...first, ...predictionColumns(tasks)], rows };
}

/** Patients in the order of their first rows. */
export function patientsOf({ rows }: Pick<BatchPlan, "rows">): { name: string; indices: number[] }[] {
  const patients = new Map<string, { name: string; indices: number[] }>();
  for (const [index, row] of rows.entries()) {
    const key = row.patient === "" ? `slide ${row.bag ?? index}` : `patient ${row.patient}`;
    const patient = patients.get(key) ?? { name: row.patient || slideOf(row), indices: [] };
    patients.set(key, patient);
    patient.indices.push(index);
  }
  return [...patients.values()];
}

/** The outcome of a row that nobody was asked about. */
export const NOT_SCORED: CaseFailure = { code: "INTERNAL", message: "the row was not scored" };

function casesOf({ rows }: BatchPlan, project: string): Case[] {
  return rows.map((row, index) => {
    const bag = row.bag === undefined ? "" : resourceName("bag", { project, bag: row.bag });
    return { index, row, bag };
  });
}

/** How people call the slide: its id, else what the manifest says. */
function slideOf({ slide, name }: PlannedRow): string {
  return slide || name;
}
