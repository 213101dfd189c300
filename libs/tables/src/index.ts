export { type CsvOptions, encodeCsv } from "./encode-csv.ts";
export { encodeJsonl } from "./encode-jsonl.ts";
export { encodeParquet } from "./encode-parquet.ts";
export { readRecords } from "./read-records.ts";
export { assertTable, type Cell, type Column, type ColumnType, type Row, type Table } from "./table.ts";
export type { TableRecord } from "./table-record.ts";
