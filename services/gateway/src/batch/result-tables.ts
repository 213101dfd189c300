import { createHash } from "node:crypto";
import type { commonV1, gatewayV1 } from "@parfocal/protocol";
import { type CallOptions, type ObjectStore, uriFromKey } from "@parfocal/store";
import { encodeCsv, encodeJsonl, encodeParquet, type Table } from "@parfocal/tables";

/** The encodings of a table, by ending of the file. */
const ENCODINGS = {
  csv: { encode: (table: Table) => encodeCsv(table), contentType: "text/csv; charset=utf-8" },
  jsonl: { encode: encodeJsonl, contentType: "application/x-ndjson" },
  parquet: { encode: encodeParquet, contentType: "application/vnd.apache.parquet" },
} as const;

/** Writes a table into the folder in every encoding, as `{name}.csv` and so on. The same table gives the same bytes. */
export async function writeResultTable(
  store: ObjectStore,
  folder: string,
  { name, table }: { readonly name: string; readonly table: Table },
  options: CallOptions,
): Promise<gatewayV1.ResultTable> {
  const write = (ending: keyof typeof ENCODINGS) => {
    const { encode, contentType } = ENCODINGS[ending];
    return writeResult(store, `${folder}/${name}.${ending}`, encode(table), { contentType, ...options });
  };
  return {
    name,
    rowCount: BigInt(table.rows.length),
    csv: await write("csv"),
    jsonl: await write("jsonl"),
    parquet: await write("parquet"),
  };
}

/** Writes a file of an operation's results and gives its reference. */
export async function writeResult(
  store: ObjectStore,
  key: string,
  bytes: Uint8Array,
  options: CallOptions & { readonly contentType: string },
): Promise<commonV1.ObjectReference> {
  await store.put(key, bytes, options);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { uri: uriFromKey(store, key), sha256, sizeBytes: BigInt(bytes.byteLength) };
}
