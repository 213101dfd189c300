import type { PredictionRow } from "./report-data.ts";

/** Numbers of a prediction by what they are of; none: it has no such numbers. */
export type NamedNumbers = Readonly<Record<string, number>> | null | undefined;

/** Names of the numbers that any of the rows has, in the order in which they come. */
export function namesIn(rows: readonly PredictionRow[], numbersOf: (row: PredictionRow) => NamedNumbers): string[] {
  return [...new Set(rows.flatMap((row) => Object.keys(numbersOf(row) ?? {})))];
}
