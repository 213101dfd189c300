import type { LabelRow } from "../cohort/parse-labels.ts";

/** How many folds the rows of a labels table have by a column of folds or by splits that are folds; undefined where they have none. */
export function foldsOfTable(rows: readonly Pick<LabelRow, "fold" | "foldParts">[]): number | undefined {
  const parts = rows.find(({ foldParts }) => foldParts !== undefined)?.foldParts;
  if (parts !== undefined) return parts.length;
  const names = new Set(rows.flatMap(({ fold }) => fold ?? []));
  return names.size === 0 ? undefined : names.size;
}
