import { UsageError } from "../exit-codes.ts";
import { about } from "../setting-error.ts";
import { missingColumnText } from "./missing-column.ts";
import { cellOf, findColumn, type TextRow, type TextTable } from "./read-table.ts";

/** Names of the column that says whose a row is. */
export const PATIENT_COLUMNS = ["patient_id", "patient", "case_id", "case", "submitter_id"] as const;

/**
 * A table of slides with the columns that a table of patients has beside the patient, as STAMP keeps them apart. Slides of patients whom it
 * does not know are left out, as are patients without slides.
 *
 * @throws {UsageError} naming table, line and column: no column of patients, a patient twice, no slide left.
 */
export function joinClinical(slides: TextTable, clinical: TextTable): TextTable {
  const slideKey = patientColumn(slides);
  const { clinicalKey, byPatient } = about({ setting: "clinical" }, () => patientsOf(clinical));
  // What the table of slides says itself stays in front: the first column of a name is the one that counts.
  const added = [...clinical.heading.keys()].filter((column) => column !== clinicalKey);
  const rows = slides.rows.flatMap((row) => {
    const known = byPatient.get(cellOf(row, slideKey));
    return known === undefined
      ? []
      : [{ ...row, cells: [...row.cells, ...added.map((column) => cellOf(known, column))] }];
  });
  if (rows.length === 0) throw new UsageError(`no patient of ${slides.what} is in ${clinical.what}`);
  return { ...slides, heading: [...slides.heading, ...added.map((column) => clinical.heading[column] ?? "")], rows };
}

/** The rows of a table of patients by these. */
function patientsOf(clinical: TextTable): { clinicalKey: number; byPatient: ReadonlyMap<string, TextRow> } {
  const clinicalKey = patientColumn(clinical);
  const byPatient = new Map<string, TextRow>();
  for (const row of clinical.rows) {
    const patient = cellOf(row, clinicalKey);
    const before = byPatient.get(patient);
    if (before !== undefined) {
      const column = clinical.heading[clinicalKey];
      throw new UsageError(`lines ${before.line} and ${row.line} of ${clinical.what} are of one patient (${column})`);
    }
    byPatient.set(patient, row);
  }
  return { clinicalKey, byPatient };
}

function patientColumn(table: TextTable): number {
  const column = findColumn(table, PATIENT_COLUMNS);
  if (column >= 0) return column;
  throw new UsageError(missingColumnText(table, "patient_id (or PATIENT, case_id)"));
}
