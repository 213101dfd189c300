import { DomainError } from "@parfocal/errors";
import { parseAnyResourceName, resourceName } from "@parfocal/protocol";
import { readRecords, type TableRecord } from "@parfocal/tables";
import type { NamedRow } from "./batch-plan.ts";

/** Rows of a manifest at most. */
const MAX_MANIFEST_ROWS = 100_000;

/** Bytes of a manifest at most. */
export const MAX_MANIFEST_BYTES = 64 * 1024 * 1024;

/** Names of columns that mean the same, in the order of preference. */
const COLUMNS = {
  bag: ["bag"],
  slide: ["slide_id", "slide"],
  patient: ["patient_id", "patient", "case_id"],
} as const;

/**
 * The rows of a manifest: a CSV with a heading or JSON lines with `bag` or `slide_id`, and if there is one `patient_id`. Other
 * columns are left alone.
 *
 * @throws {DomainError} as `readRecords`; `INVALID_ARGUMENT` without rows and for a row that names nothing; `RESOURCE_EXHAUSTED`
 *   for more rows or bytes than a manifest may have.
 */
export async function readManifest(chunks: AsyncIterable<Uint8Array>): Promise<NamedRow[]> {
  const rows: NamedRow[] = [];
  for await (const record of readRecords(bounded(chunks))) {
    if (rows.length >= MAX_MANIFEST_ROWS) {
      throw new DomainError("RESOURCE_EXHAUSTED", `the manifest has more than ${MAX_MANIFEST_ROWS} rows; split it`);
    }
    rows.push(rowOf(record));
  }
  if (rows.length === 0) throw new DomainError("INVALID_ARGUMENT", "the manifest has 0 rows; it needs at least 1");
  return rows;
}

async function* bounded(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let nBytes = 0;
  for await (const chunk of chunks) {
    nBytes += chunk.byteLength;
    if (nBytes > MAX_MANIFEST_BYTES) {
      throw new DomainError("RESOURCE_EXHAUSTED", `the manifest has more than ${MAX_MANIFEST_BYTES} bytes; split it`);
    }
    yield chunk;
  }
}

function rowOf({ line, values }: TableRecord): NamedRow {
  const cell = (names: readonly string[]) =>
    names.map((name) => values.get(name)?.trim() ?? "").find((text) => text !== "") ?? "";
  const patient = cell(COLUMNS.patient);
  const bag = cell(COLUMNS.bag);
  if (bag !== "") return { line, by: "bag", name: bag, patient };
  const slide = cell(COLUMNS.slide);
  if (slide !== "") return { line, by: "slide", name: slide, patient };
  throw new DomainError("INVALID_ARGUMENT", `line ${line} of the manifest names no bag; it takes bag or slide_id`);
}

const SHA256 = /^[0-9a-f]{64}$/;

/**
 * The SHA-256 of the bag that a row names by resource name or digest.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a name that is none; `FORBIDDEN` for a bag of another project.
 */
export function bagOfName(project: string, name: string): string {
  const full = SHA256.test(name) ? resourceName("bag", { project, bag: name }) : name;
  const parsed = parseAnyResourceName(["bag"], full, "bag");
  if (parsed.project !== project) throw new DomainError("FORBIDDEN", "the bag belongs to another project");
  return parsed.bag;
}
