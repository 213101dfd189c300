/**
 * Folds that tables give, in place of folds that are drawn.
 */
import { UsageError } from "../exit-codes.ts";
import { plural } from "../output/units.ts";
import { patientOf } from "./assign-parts.ts";
import type { MatchedRow } from "./match-bags.ts";

/** Folds of a cross-validation that are given. */
export interface FixedFolds {
  /** 2 to 100. */
  readonly count: number;
  /** Fold that tests each row, 1 to {@link count}, in the order of the rows. */
  readonly testedBy: readonly number[];
  /** What the user should know of them, without a name of a slide or patient. */
  readonly notes: readonly string[];
}

/** Most folds that the contract takes. */
const MAX_FOLDS = 100;

/** What the contract's folds can say. */
const RULE = "folds that are given test every slide once and train on all others";

/**
 * The folds that rows have by a column of folds or by splits that are folds; undefined where they have none. A fold is the slides that
 * it tests: which of the others validate is drawn.
 *
 * @param hasGroups whether slides of a group without a patient are one patient.
 * @throws {UsageError} with counts: fewer than 2 folds or more than 100, a slide that no fold tests, or several, or that a fold leaves
 * out, a patient in two parts of a fold, a fold that tests nothing.
 */
export function fixedFoldsOf(rows: readonly MatchedRow[], hasGroups: boolean): FixedFolds | undefined {
  const patients = rows.map((row) => patientOf(row, hasGroups));
  if (rows.some(({ row }) => row.foldParts !== undefined)) return foldsOfParts(rows, patients);
  return rows.some(({ row }) => row.fold !== undefined) ? foldsOfNames(rows, patients) : undefined;
}

/**
 * Refuses splits that are folds where there is one training.
 *
 * @throws {UsageError} saying how many folds there are.
 */
export function assertNoFoldParts(rows: readonly MatchedRow[]): void {
  const folds = rows[0]?.row.foldParts;
  if (folds === undefined) return;
  const found = plural(folds.length, "fold");
  throw new UsageError(`the splits are ${found}, which 'parfocal crossval' takes; a training takes one splits file`);
}

function foldsOfNames(rows: readonly MatchedRow[], patients: readonly string[]): FixedFolds {
  const without = rows.filter(({ row }) => row.fold === undefined);
  const line = without[0]?.row.line;
  if (line !== undefined)
    throw new UsageError(`${without.length} of ${rows.length} labelled rows have no fold, the first on line ${line}`);
  const own = rows.map(({ row }) => row.fold ?? "");
  const names = [...new Set(own)].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  assertCount(names.length);
  const nDivided = countDivided(patients, own);
  if (nDivided > 0) throw new UsageError(`${plural(nDivided, "patient")} in several folds; a patient is in one`);
  const testedBy = own.map((name) => names.indexOf(name) + 1);
  return { count: names.length, testedBy, notes: [`folds of the labels table, in this order: ${names.join(", ")}`] };
}

function foldsOfParts(rows: readonly MatchedRow[], patients: readonly string[]): FixedFolds {
  const parts = rows.map(({ row }) => row.foldParts ?? []);
  const count = parts[0]?.length ?? 0;
  assertCount(count);
  assertTestedOnce(parts);
  for (const fold of Array(count).keys()) {
    const own = parts.map((each) => each[fold] ?? "");
    const nDivided = countDivided(patients, own);
    if (nDivided > 0) throw new UsageError(`fold ${fold + 1}: ${plural(nDivided, "patient")} in two of its parts`);
    if (!own.includes("test")) throw new UsageError(`fold ${fold + 1} of ${count} tests no labelled slide`);
  }
  const isValidated = parts.some((each) => each.includes("validation"));
  const note =
    "the validation parts of the splits are left aside: who validates is drawn of the slides that a fold does not test";
  return { count, testedBy: parts.map((each) => each.indexOf("test") + 1), notes: isValidated ? [note] : [] };
}

function assertCount(count: number): void {
  if (count < 2 || count > MAX_FOLDS)
    throw new UsageError(`the tables give ${plural(count, "fold")}; a cross-validation has 2 to ${MAX_FOLDS}`);
}

function assertTestedOnce(parts: readonly (readonly unknown[])[]): void {
  const nTests = parts.map((each) => each.filter((part) => part === "test").length);
  const refuse = (count: number, what: string, advice = "") => {
    if (count > 0) throw new UsageError(`${count} of ${plural(parts.length, "slide")} ${what}; ${RULE}${advice}`);
  };
  const advice = "; draws that overlap are a training each: 'parfocal train --splits' of each file";
  refuse(nTests.filter((n) => n > 1).length, "are in the test parts of several folds", advice);
  refuse(nTests.filter((n) => n === 0).length, "are in the test part of no fold");
  refuse(parts.filter((each) => each.includes(undefined)).length, "are left out of some folds");
}

/** Patients whose slides are of several kinds. */
function countDivided(patients: readonly string[], kinds: readonly string[]): number {
  const byPatient = Map.groupBy(kinds.keys(), (row) => patients[row] ?? "");
  return [...byPatient.values()].filter((own) => new Set(own.map((row) => kinds[row])).size > 1).length;
}
