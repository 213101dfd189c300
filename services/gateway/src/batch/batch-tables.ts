import { commonV1, resourceName } from "@parfocal/protocol";
import { type Column, type LazyTable, lazyRows, type Row } from "@parfocal/tables";
import type { BatchPlan, CaseFailure, CaseOutcome, PlannedRow } from "./batch-plan.ts";
import { combinePredictions } from "./combine-predictions.ts";
import { ENSEMBLE } from "./ensemble.ts";
import { ensembleOfOutcomes, ensembleOfPatient, spreadColumnsOf } from "./ensemble-outcomes.ts";
import { predictionCells, predictionColumns, spreadCells } from "./prediction-columns.ts";

/** What came of a row, given by its place in the plan: an outcome for each model. */
export type OutcomesOf = (index: number) => readonly CaseOutcome[];

const text = (name: string): Column => ({ name, type: "text" });
const count = (name: string): Column => ({ name, type: "integer" });

/**
 * Every row of the manifest and every model: a line with what the model says, or with the code of the failure; with an ensemble a further line
 * of each row of which all models say something.
 */
export function predictionsTable(plan: BatchPlan, project: string, outcomesOf: OutcomesOf): LazyTable {
  const tasks = plan.models.map(({ task }) => commonV1.Task.fromJSON(task));
  function* rows(): Generator<Row, void, undefined> {
    for (const [index, row] of plan.rows.entries()) {
      const outcomes = outcomesOf(index);
      const bag = bagOf(row, project);
      const of = { row: index, line: row.line, slide: slideOf(row), patient: row.patient, bag };
      for (const [model, { name }] of plan.models.entries()) {
        const outcome = outcomes[model]!;
        const known = { ...of, model: name };
        yield "code" in outcome
          ? { ...known, error: outcome.code }
          : { ...known, ...predictionCells(commonV1.Prediction.fromJSON(outcome.prediction)) };
      }
      const together = ensembleOfOutcomes(plan, outcomes);
      if (together !== undefined && !("code" in together)) {
        yield { ...of, model: ENSEMBLE, ...predictionCells(together.prediction), ...spreadCells(together) };
      }
    }
  }
  const first = [count("row"), count("line"), text("slide"), text("patient"), text("bag"), text("model")];
  const columns = [...first, ...predictionColumns(tasks, plan), ...spreadColumnsOf(plan), text("error")];
  return { columns, rows: lazyRows(rows) };
}

/**
 * Every row and model, the ensemble among them, that gave no prediction, with the reason. `failed` are the places of rows that have such, in
 * order.
 */
export function failuresTable(
  plan: BatchPlan,
  project: string,
  outcomesOf: OutcomesOf,
  failed: readonly number[],
): LazyTable {
  function* rows(): Generator<Row, void, undefined> {
    for (const index of failed) {
      const row = plan.rows[index]!;
      const bag = bagOf(row, project);
      const known = { row: index, line: row.line, named: row.name, bag };
      const outcomes = outcomesOf(index);
      for (const [model, outcome] of outcomes.entries()) {
        if (!("code" in outcome)) continue;
        const { code, message } = outcome;
        yield { ...known, model: plan.models[model]!.name, code, message };
      }
      const together = ensembleOfOutcomes(plan, outcomes);
      if (together !== undefined && "code" in together) yield { ...known, model: ENSEMBLE, ...together };
    }
  }
  const names = ["named", "bag", "model", "code", "message"];
  return { columns: [count("row"), count("line"), ...names.map(text)], rows: lazyRows(rows) };
}

/**
 * Every patient and model: a line with what the patient's slides say together. A slide without patient id is a patient of its own,
 * named after the slide. Slides that failed are counted and left out; of an ensemble those that any model failed.
 */
export function patientsTable(plan: BatchPlan, patients: readonly Patient[], outcomesOf: OutcomesOf): LazyTable {
  const tasks = plan.models.map(({ task }) => commonV1.Task.fromJSON(task));
  function* rows(): Generator<Row, void, undefined> {
    for (const { name, indices } of patients) {
      const slides = indices.map(outcomesOf);
      for (const [at, model] of plan.models.entries()) {
        const scored = slides.flatMap((outcomes) => {
          const outcome = outcomes[at]!;
          return "code" in outcome ? [] : [commonV1.Prediction.fromJSON(outcome.prediction)];
        });
        const counts = { slides: indices.length, failed_slides: indices.length - scored.length };
        const known = { patient: name, model: model.name, rule: plan.rule, ...counts };
        const said = scored.length > 0 && predictionCells(combinePredictions(tasks[at]!.kind, scored, plan.rule));
        yield { ...known, ...said };
      }
      const together = ensembleOfPatient(plan, slides);
      if (together === undefined) continue;
      const { nSlides, said } = together;
      const counts = { slides: indices.length, failed_slides: indices.length - nSlides };
      const cells = said !== undefined && { ...predictionCells(said.prediction), ...spreadCells(said) };
      yield { patient: name, model: ENSEMBLE, rule: plan.rule, ...counts, ...cells };
    }
  }
  const first = [text("patient"), text("model"), text("rule"), count("slides"), count("failed_slides")];
  return { columns: [...first, ...predictionColumns(tasks, plan), ...spreadColumnsOf(plan)], rows: lazyRows(rows) };
}

/** A patient with the places of the slides in the plan. */
export interface Patient {
  readonly name: string;
  readonly indices: readonly number[];
}

/** Patients in the order of their first rows. */
export function patientsOf({ rows }: Pick<BatchPlan, "rows">): Patient[] {
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

function bagOf({ bag }: PlannedRow, project: string): string {
  return bag === undefined ? "" : resourceName("bag", { project, bag });
}

/** How people call the slide: its id, else what the manifest says. */
function slideOf({ slide, name }: PlannedRow): string {
  return slide || name;
}
