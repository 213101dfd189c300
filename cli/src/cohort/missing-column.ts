import { nearestName } from "../nearest-name.ts";
import type { TextTable } from "./read-table.ts";

/** Names that are shorter are near to, or part of, almost anything. */
const MIN_LETTERS = 3;

/**
 * The sentence about a table that lacks a column: the columns that it has, and the one that was meant if one is near.
 *
 * @param wanted as it was asked for.
 */
export function missingColumnText({ what, heading }: Pick<TextTable, "what" | "heading">, wanted: string): string {
  const near = nearColumn(heading, wanted);
  const hint = near === undefined ? "" : `; did you mean ${near}?`;
  return `${what} has no column ${wanted}, only ${heading.join(", ")}${hint}`;
}

/** The column whose name is nearest, as the table spells it; capitals do not count. */
function nearColumn(heading: readonly string[], wanted: string): string | undefined {
  const names = heading.filter(({ length }) => length >= MIN_LETTERS);
  const lower = names.map((name) => name.toLowerCase());
  const near = nearestName(wanted.toLowerCase(), lower);
  return near === undefined ? undefined : names[lower.indexOf(near)];
}
