import { type BasicType, type ColumnSource, parquetWriteBuffer } from "hyparquet-writer";
import { assertTable, type Cell, type Column, type ColumnType, type Table } from "./table.ts";

const TYPES: Readonly<Record<ColumnType, BasicType>> = {
  text: "STRING",
  number: "DOUBLE",
  integer: "INT64",
  boolean: "BOOLEAN",
};

/**
 * A table as Parquet: every column may be null, pages compressed by Snappy, no times in it, so that the same table gives the same
 * bytes.
 *
 * @throws {DomainError} as {@link assertTable}.
 */
export function encodeParquet(table: Table): Uint8Array {
  assertTable(table);
  const columnData = table.columns.map((column) => sourceOf(column, table));
  return new Uint8Array(parquetWriteBuffer({ columnData, createdBy: "parfocal" }));
}

function sourceOf({ name, type }: Column, { rows }: Table): ColumnSource {
  const data = rows.map((row) => parquetValue(row[name], type));
  return { name, data, type: TYPES[type], nullable: true };
}

function parquetValue(cell: Cell, type: ColumnType): Cell | bigint {
  if (cell === null || cell === undefined) return null;
  return type === "integer" ? BigInt(cell) : cell;
}
