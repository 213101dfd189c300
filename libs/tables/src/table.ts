import { DomainError } from "@parfocal/errors";

/** What a column holds: text, f64 numbers, whole numbers up to 2^53, or truth values. Every cell may be missing. */
export type ColumnType = "text" | "number" | "integer" | "boolean";

/** A column of a table. */
export interface Column {
  readonly name: string;
  readonly type: ColumnType;
}

/** A value of a table; `null` and `undefined` are a missing one. */
export type Cell = string | number | boolean | null | undefined;

/** One row, by the names of the columns. */
export type Row = Readonly<Record<string, Cell>>;

/** Rows under typed columns. The columns alone say what a file has and in which order; other keys of a row are left out. */
export interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
}

/** A table of which not all rows are in memory: walking over them makes them, the same ones every time. Every {@link Table} is one. */
export interface LazyTable {
  readonly columns: readonly Column[];
  readonly rows: Iterable<Row>;
}

/** Rows that are made anew, the same ones, whenever somebody walks over them. */
export function lazyRows(make: () => Iterator<Row>): Iterable<Row> {
  return { [Symbol.iterator]: make };
}

/**
 * The rows of a table one by one, with names and cells checked, so that every encoding of the table holds the same values.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a column without a name or with one used twice and for a cell of another type;
 *   `NON_FINITE` for NaN and infinity. They name column and row, from 0, never the cell.
 */
export function* checkedRows({ columns, rows }: LazyTable): Generator<Row, void, undefined> {
  const names = new Set(columns.map(({ name }) => name));
  if (columns.length === 0 || names.size !== columns.length || names.has("")) {
    throw new DomainError("INVALID_ARGUMENT", `${columns.length} columns have ${names.size} names; each needs its own`);
  }
  let index = 0;
  for (const row of rows) {
    for (const column of columns) assertCell(row[column.name], column, index);
    yield row;
    index += 1;
  }
}

function assertCell(cell: Cell, { name, type }: Column, row: number): void {
  if (cell === null || cell === undefined || fits(cell, type)) return;
  if (typeof cell === "number" && !Number.isFinite(cell)) {
    throw new DomainError("NON_FINITE", `row ${row} of column ${name} is ${cell}`);
  }
  throw new DomainError(
    "INVALID_ARGUMENT",
    `row ${row} of column ${name} is a ${typeof cell}, the column holds ${type}`,
  );
}

function fits(cell: string | number | boolean, type: ColumnType): boolean {
  switch (type) {
    case "text":
      return typeof cell === "string";
    case "boolean":
      return typeof cell === "boolean";
    case "integer":
      return Number.isSafeInteger(cell);
    case "number":
      return Number.isFinite(cell);
  }
}
