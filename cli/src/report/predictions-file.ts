import type { PredictionRow } from "./report-data.ts";

/** Settings of {@link encodePredictionsCsv}. */
export interface PredictionsCsvOptions {
  /**
   * Whether text that a spreadsheet would run as a formula (it starts with =, +, -, @, tab or carriage return) gets an apostrophe in
   * front. Default true; false keeps such slide names byte for byte.
   */
  readonly isFormulaSafe?: boolean;
}

/**
 * Predictions as CSV: slide, patient, truth, decision, one `probability_<class>` per class, threshold, model, error. Numbers in
 * full precision, empty cells for what does not exist.
 *
 * Source: RFC 4180 (CRLF, quotes doubled). No byte-order mark; UTF-8.
 */
export function encodePredictionsCsv(rows: readonly PredictionRow[], options: PredictionsCsvOptions = {}): string {
  const isFormulaSafe = options.isFormulaSafe ?? true;
  const classes = [...new Set(rows.flatMap(({ probabilities }) => Object.keys(probabilities ?? {})))];
  const header = [
    "slide",
    "patient",
    "truth",
    "decision",
    ...classes.map((name) => `probability_${name}`),
    "threshold",
    "model",
    "error",
  ];
  const body = rows.map((row) => [
    row.slide,
    row.patient,
    row.truth,
    row.decision,
    ...classes.map((name) => row.probabilities?.[name]),
    row.threshold,
    row.model,
    row.error && `${row.error.code}: ${row.error.message}`,
  ]);
  return [header, ...body]
    .map((cells) => `${cells.map((cell) => csvCell(cell, isFormulaSafe)).join(",")}\r\n`)
    .join("");
}

/** Predictions as a JSON array with one object per line, so that it is one document and yet can be compared by line. */
export function encodePredictionsJson(rows: readonly PredictionRow[]): string {
  return `[\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]\n`;
}

function csvCell(value: string | number | null | undefined, isFormulaSafe: boolean): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = isFormulaSafe && /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
}
