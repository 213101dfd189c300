import type { EvaluationReport } from "@parfocal/metrics";
import { TERMINAL_METRICS } from "../metric-names.ts";
import {
  formatEstimate,
  formatMetric,
  isDecidedRightly,
  type PredictionRow,
  slideText,
  truthText,
} from "../report/index.ts";
import type { Output } from "./output.ts";
import { countSeen, seenLines } from "./seen-lines.ts";
import { plural } from "./units.ts";

/** Predictions shown one by one; the CSV and the JSON have them all. */
const MAX_ROWS = 40;
/** Classes that still fit on a terminal's line. */
const MAX_CLASSES = 4;

/**
 * Prints predictions as a table, failures first on standard error, and how many slides the model was trained on. `speaker`: whose they are,
 * where several models speak.
 */
export function showPredictions(output: Output, rows: readonly PredictionRow[], speaker?: string): void {
  for (const { slide, error } of rows) {
    if (error !== undefined) output.note(`failed: ${slide}: ${error.code}: ${error.message}`);
  }
  for (const { slide, certainty } of rows) {
    if (certainty?.typicality?.unlike === true)
      output.note(`unlike the training slides: ${slide}: ${certainty.typicality.reason}`);
  }
  for (const line of seenLines(countSeen(rows.flatMap(seenOf)), wordingOf(rows)))
    output.note(speaker === undefined ? line : `${speaker}: ${line}`);
  const good = rows.filter(({ decision }) => decision !== null);
  if (showNumbers(output, good)) return;
  const classes = Object.keys(good[0]?.probabilities ?? {}).slice(0, MAX_CLASSES);
  const hasTruth = good.some(({ truth }) => truth !== null && truth !== undefined);
  const columns = [
    { title: "slide" },
    ...(hasTruth ? [{ title: "truth" }] : []),
    { title: "decision" },
    ...classes.map((name) => ({ title: `p(${name})`, align: "right" }) as const),
    ...setColumns(good),
  ];
  const cells = good
    .slice(0, MAX_ROWS)
    .map((row) => [
      slideText(row),
      ...(hasTruth ? [truthText(row) ?? ""] : []),
      `${row.decision === "" ? "none" : row.decision}${isDecidedRightly(row) === false ? "  ✗" : ""}`,
      ...classes.map((name) => withSpread(row.probabilities?.[name], row.spread?.probabilities?.[name])),
      ...(row.certainty?.set ? [row.certainty.set.length === 0 ? "none" : row.certainty.set.join(", ")] : []),
    ]);
  if (cells.length > 0) output.table(columns, cells);
  if (good.length > MAX_ROWS) output.line(`… and ${plural(good.length - MAX_ROWS, "slide")} more`);
}

/** Which part had the slide, of those that were predicted. */
function seenOf({ error, seen }: PredictionRow): PredictionRow["seen"][] {
  return error === undefined ? [seen] : [];
}

function wordingOf(rows: readonly PredictionRow[]) {
  const noun = rows.some(({ slides }) => slides !== undefined) ? "case" : "slide";
  return rows.some(({ spread }) => spread !== undefined) ? { noun, whose: "one of its models" } : { noun };
}

/** A number, of an ensemble with the standard deviation of its models. */
function withSpread(value: number | undefined, spread: number | undefined): string {
  return spread === undefined ? formatMetric(value) : `${formatMetric(value)} ± ${formatMetric(spread)}`;
}

/** The column of prediction sets, headed by their stated coverage; none for models without. */
function setColumns(rows: readonly PredictionRow[]): readonly { readonly title: string }[] {
  const first = rows.find(({ certainty }) => certainty?.set !== undefined)?.certainty;
  return first === undefined
    ? []
    : [{ title: `not ruled out (${Number((100 * (first.coverage ?? 0)).toFixed(1))} %)` }];
}

/** Prints what a model without classes says; false when it has some. */
function showNumbers(output: Output, rows: readonly PredictionRow[]): boolean {
  const names = Object.keys(rows[0]?.values ?? {}).slice(0, MAX_CLASSES);
  const hasRisk = rows[0]?.risk !== undefined;
  if (names.length === 0 && !hasRisk) return false;
  const columns = [...names, ...(hasRisk ? ["risk"] : [])].map((title) => ({ title, align: "right" }) as const);
  const cells = rows
    .slice(0, MAX_ROWS)
    .map((row) => [
      slideText(row),
      ...names.map((name) => withSpread(row.values?.[name], row.spread?.values?.[name])),
      ...(hasRisk ? [withSpread(row.risk, row.spread?.risk)] : []),
    ]);
  output.table([{ title: "slide" }, ...columns], cells);
  if (rows.length > MAX_ROWS) output.line(`… and ${plural(rows.length - MAX_ROWS, "slide")} more`);
  return true;
}

/** Prints the main figures of an evaluation with their 95 % intervals, under what they are of where it is not the whole task. */
export function showReportMetrics(
  output: Output,
  { metrics, nCases, nPatients }: Pick<EvaluationReport, "metrics" | "nCases" | "nPatients">,
  name?: string,
): void {
  const rows = TERMINAL_METRICS.flatMap(([name, title]) =>
    metrics[name] ? [[title, formatEstimate(metrics[name])]] : [],
  );
  output.line();
  const on = `${plural(nCases, "slide")}, ${plural(nPatients, "patient")} (95 % interval)`;
  output.table([{ title: name ?? "" }, { title: on }], rows);
}
