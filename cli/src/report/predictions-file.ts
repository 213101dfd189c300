import { type Column, type CsvOptions, encodeCsv, encodeParquet, type Row, type Table } from "@parfocal/tables";
import { type NamedNumbers, namesIn } from "./named-numbers.ts";
import type { PredictionRow } from "./report-data.ts";
import { truthText } from "./row-words.ts";

/**
 * Predictions as a table: slide, patient, truth, decision, one `probability_<class>` per class, threshold, model, error. Before the
 * threshold stand, where there are any, `slides`, what {@link certaintyColumns} has, `seen` (the part of the model's training that had the slide), `fold`, numbers as `value_<name>` and `true_value_<name>`,
 * and `risk`, `time`, `event`; behind it `threshold_<class>` and, of an ensemble, what {@link spreadCells} has. Lists have "; " between. The truth is as {@link truthText} says it.
 */
function predictionsTable(rows: readonly PredictionRow[]): Table {
  const classes = namesIn(rows, ({ probabilities }) => probabilities);
  const numbers = namesIn(rows, ({ values, trueValues }) => ({ ...trueValues, ...values }));
  const isSurvival = rows.some(({ risk, outcome }) => risk !== undefined || outcome !== undefined);
  const columns: readonly Column[] = [
    ...columnsOf("text", ["slide", ...(rows.some(({ slides }) => slides !== undefined) ? ["slides"] : [])]),
    ...columnsOf("text", ["patient", "truth", "decision"]),
    ...columnsOf("text", rows.some(({ fold }) => fold !== undefined) ? ["fold"] : []),
    ...columnsOf("number", classes.map(probabilityColumn)),
    ...columnsOf("number", [...numbers.map(valueColumn), ...numbers.map(trueValueColumn)]),
    ...columnsOf("number", isSurvival ? ["risk", "time"] : []),
    ...columnsOf("boolean", isSurvival ? ["event"] : []),
    ...certaintyColumns(rows),
    ...columnsOf("text", rows.some(({ seen }) => seen !== undefined) ? ["seen"] : []),
    ...columnsOf("number", ["threshold", ...namesIn(rows, ({ thresholds }) => thresholds).map(thresholdColumn)]),
    ...columnsOf("number", [...new Set(rows.flatMap(({ spread }) => Object.keys(spreadCells(spread))))]),
    ...columnsOf("text", ["model", "error"]),
  ];
  return { columns, rows: rows.map(tableRow) };
}

/** Predictions as CSV; see `encodeCsv`. */
export function encodePredictionsCsv(rows: readonly PredictionRow[], options: CsvOptions = {}): Uint8Array {
  return encodeCsv(predictionsTable(rows), options);
}

/** Predictions as Parquet. */
export function encodePredictionsParquet(rows: readonly PredictionRow[]): Uint8Array {
  return encodeParquet(predictionsTable(rows));
}

/** Predictions as a JSON array with one object per line, so that it is one document and yet can be compared by line. */
export function encodePredictionsJson(rows: readonly PredictionRow[]): string {
  return `[\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]\n`;
}

/**
 * Where any row has them: `calibrated_<class>`, `prediction_set` and `absent_set`, `lower_<name>` and `upper_<name>`, `coverage`, and
 * `training_percentile` with `unlike_training`.
 */
function certaintyColumns(rows: readonly PredictionRow[]): Column[] {
  const classes = namesIn(rows, ({ certainty }) => certainty?.calibrated);
  const cells = rows.map(({ certainty }) => certaintyCells(certainty));
  const present = (name: string) => (cells.some((row) => row[name] !== undefined) ? [name] : []);
  const numbers = [...new Set(rows.flatMap(({ certainty }) => Object.keys(certainty?.intervals ?? {})))];
  return [
    ...columnsOf("number", classes.map(calibratedColumn)),
    ...columnsOf("text", [...present("prediction_set"), ...present("absent_set")]),
    ...columnsOf("number", [...numbers.map(lowerColumn), ...numbers.map(upperColumn), ...present("coverage")]),
    ...columnsOf("number", present("training_percentile")),
    ...columnsOf("boolean", present("unlike_training")),
  ];
}

function certaintyCells(certainty: PredictionRow["certainty"]): Row {
  const { calibrated, set, absent, intervals = {}, coverage, typicality } = certainty ?? {};
  const ends = Object.entries(intervals);
  return {
    ...renamed(calibrated, calibratedColumn),
    ...{ prediction_set: set?.join("; "), absent_set: absent?.join("; "), coverage },
    ...Object.fromEntries(ends.map(([name, [lower]]) => [lowerColumn(name), lower])),
    ...Object.fromEntries(ends.map(([name, [, upper]]) => [upperColumn(name), upper])),
    ...{ training_percentile: typicality?.percentile, unlike_training: typicality?.unlike },
  };
}

/** `spread_<class>`, `calibrated_spread_<class>`, `spread_<name>`, `spread_risk`: standard deviations over the models of an ensemble. */
function spreadCells({ probabilities, calibrated, values, risk }: PredictionRow["spread"] = {}): Row {
  return {
    ...renamed(probabilities, (name) => `spread_${name}`),
    ...renamed(calibrated, (name) => `calibrated_spread_${name}`),
    ...renamed(values, (name) => `spread_${name}`),
    ...(risk !== undefined && { spread_risk: risk }),
  };
}

const calibratedColumn = (name: string) => `calibrated_${name}`;
const lowerColumn = (name: string) => `lower_${name}`;
const upperColumn = (name: string) => `upper_${name}`;
const probabilityColumn = (name: string) => `probability_${name}`;
const valueColumn = (name: string) => `value_${name}`;
const thresholdColumn = (name: string) => `threshold_${name}`;
const trueValueColumn = (name: string) => `true_value_${name}`;

function columnsOf(type: Column["type"], names: readonly string[]): Column[] {
  return names.map((name) => ({ name, type }));
}

function tableRow(row: PredictionRow): Row {
  const { slide, slides, patient, decision, fold, risk, outcome, seen, threshold, model, error } = row;
  return {
    // A slide that stands alone is all of its own.
    ...{ slide, slides: (slides ?? [slide]).join("; "), patient, truth: truthText(row) },
    ...{ decision, fold, risk, seen, threshold, model },
    ...renamed(row.thresholds, thresholdColumn),
    ...renamed(row.probabilities, probabilityColumn),
    ...renamed(row.values, valueColumn),
    ...renamed(row.trueValues, trueValueColumn),
    ...{ time: outcome?.time, event: outcome?.event },
    ...certaintyCells(row.certainty),
    ...spreadCells(row.spread),
    error: error === undefined ? null : `${error.code}: ${error.message}`,
  };
}

function renamed(numbers: NamedNumbers, nameOf: (name: string) => string): Row {
  return Object.fromEntries(Object.entries(numbers ?? {}).map(([name, value]) => [nameOf(name), value]));
}
