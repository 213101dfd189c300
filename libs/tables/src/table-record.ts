/** One row of a table as text. */
export interface TableRecord {
  /** Line of the file that it ends on, from 1. */
  readonly line: number;
  /** Cells by the names of their columns; empty when missing. Blanks around a CSV cell without quotes do not count. */
  readonly values: ReadonlyMap<string, string>;
}
