import type { commonV1, gatewayV1 } from "@parfocal/protocol";
import { type CallOptions, type ObjectStore, uriFromKey } from "@parfocal/store";
import { type LazyTable, type Row, streamCsv, streamJsonl, streamParquet } from "@parfocal/tables";
import { putDigested } from "./put-digested.ts";

/** The encodings of a table, by ending of the file. */
const ENCODINGS = {
  csv: { stream: (table: LazyTable) => streamCsv(table), contentType: "text/csv; charset=utf-8" },
  jsonl: { stream: streamJsonl, contentType: "application/x-ndjson" },
  parquet: { stream: streamParquet, contentType: "application/vnd.apache.parquet" },
} as const;

/**
 * Writes a table into the folder in every encoding, as `{name}.csv` and so on, chunk by chunk: others have their turn meanwhile, and
 * no file is ever in memory. The rows are made once for each encoding. The same table gives the same bytes.
 *
 * @throws {DomainError} for a table that is none, as the encodings; the store's own codes. The file that was written then is not there.
 */
export async function writeResultTable(
  store: ObjectStore,
  folder: string,
  { name, table }: { readonly name: string; readonly table: LazyTable },
  options: CallOptions,
): Promise<gatewayV1.ResultTable> {
  const write = (ending: keyof typeof ENCODINGS, rows: Iterable<Row>) => {
    const { stream, contentType } = ENCODINGS[ending];
    const chunks = stream({ columns: table.columns, rows });
    return writeResult(store, `${folder}/${name}.${ending}`, chunks, { contentType, ...options });
  };
  let nRows = 0;
  function* counted(): Generator<Row> {
    for (const row of table.rows) {
      nRows += 1;
      yield row;
    }
  }
  const csv = await write("csv", counted());
  const jsonl = await write("jsonl", table.rows);
  const parquet = await write("parquet", table.rows);
  return { name, rowCount: BigInt(nRows), csv, jsonl, parquet };
}

/** Writes a file of an operation's results and gives its reference. */
export async function writeResult(
  store: ObjectStore,
  key: string,
  body: Uint8Array | AsyncIterable<Uint8Array>,
  options: CallOptions & { readonly contentType: string },
): Promise<commonV1.ObjectReference> {
  const { sha256, sizeBytes } = await putDigested(store, key, body, options);
  return { uri: uriFromKey(store, key), sha256, sizeBytes: BigInt(sizeBytes) };
}
