import { type SplitFractions, splitPatients } from "@parfocal/metrics";
import type { commonV1 } from "@parfocal/protocol";
import { labelOf } from "./evaluate-predictions.ts";
import type { MatchedRow } from "./match-bags.ts";

/** The parts of a split. */
export const PART_NAMES = ["train", "validation", "test"] as const;

/** One of {@link PART_NAMES}. */
export type PartName = (typeof PART_NAMES)[number];

/** A labelled bag with the part it was assigned to. */
export interface AssignedRow extends MatchedRow {
  readonly part: PartName;
  /** Key of the patient; a bag without one is a patient of its own. */
  readonly patient: string;
}

/** How {@link assignParts} divides rows that have no parts of their own. */
export interface AssignOptions {
  /** Shares of the patients. */
  readonly fractions: SplitFractions;
  readonly seed: bigint;
  /** Whether slides of a group without a patient are one patient. */
  readonly hasGroups?: boolean;
}

/** Assigns rows to parts by patient, stratified by label; parts that the labels table gives are kept. */
export function assignParts(
  rows: readonly MatchedRow[],
  task: commonV1.Task,
  { fractions, seed, hasGroups = false }: AssignOptions,
): AssignedRow[] {
  const patients = rows.map((row) => patientOf(row, hasGroups));
  if (rows.every(({ row }) => row.part !== undefined)) {
    return rows.map((row, i) => ({ ...row, part: row.row.part ?? "train", patient: patients[i] ?? "" }));
  }
  const labels = rows.map(({ row }) => stratumOf(task, row));
  const [split] = splitPatients({ patients, labels, plan: { kind: "holdout", fractions }, seed });
  const partOf = new Map(PART_NAMES.flatMap((part) => (split?.[part] ?? []).map((index) => [index, part] as const)));
  return rows.map((row, i) => ({ ...row, part: partOf.get(i) ?? "train", patient: patients[i] ?? "" }));
}

/** By what slides are spread evenly: their classes, whether the event came, nothing for numbers. */
function stratumOf(task: commonV1.Task, row: MatchedRow["row"]): number | (number | null)[] {
  if (row.survival !== undefined) return Number(row.survival.event);
  return row.values === undefined ? labelOf(task, row) : 0;
}

/** Key of a row's patient; with groups, slides of a group without a patient are one. A bag without either is a patient of its own. */
export function patientOf({ row, bag }: MatchedRow, hasGroups: boolean): string {
  const known = row.patient ?? (bag.info?.patientId || undefined);
  if (known !== undefined) return known;
  return hasGroups && row.group !== undefined ? `group ${row.group}` : bag.name;
}
