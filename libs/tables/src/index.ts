export { type CsvOptions, encodeCsv, streamCsv } from "./encode-csv.ts";
export { encodeParquet, streamParquet } from "./encode-parquet.ts";
export { streamText } from "./pieces.ts";
export { readRecords } from "./read-records.ts";
export { streamJsonl } from "./stream-jsonl.ts";
export { type Cell, type Column, type ColumnType, type LazyTable, lazyRows, type Row, type Table } from "./table.ts";
export type { TableRecord } from "./table-record.ts";
