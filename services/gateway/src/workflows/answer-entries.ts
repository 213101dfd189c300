import { commonV1 } from "@parfocal/protocol";
import type { ObjectStore } from "@parfocal/store";
import type { Json, WorkflowContext } from "@parfocal/workflows";
import { writeResult } from "../batch/result-tables.ts";
import { keys } from "../catalog/keys.ts";

/** Entries that an answer holds, bytes of JSON: a client with gRPC's own bound takes messages of 4 MiB, and listings hold several. */
const MAX_INLINE_BYTES = 1024 * 1024;

/** The entries of an answer: all, or the first of them and where all are. */
export interface AnswerEntries {
  readonly entries: readonly Json[];
  /** A `parfocal.common.v1.ObjectReference` in JSON. */
  readonly listing?: Json;
}

/**
 * What the answer of an operation holds of `entries`, messages in the contract's JSON: all of them up to 1 MiB. Of more the first
 * 1 MiB, and a step of its own writes all of them, one a line, as `file` among the results of the operation.
 */
export async function answerEntries(
  store: ObjectStore,
  context: WorkflowContext,
  file: string,
  entries: readonly Json[],
): Promise<AnswerEntries> {
  const lines = entries.map((entry) => Buffer.from(`${JSON.stringify(entry)}\n`));
  const nInline = countWithin(lines, MAX_INLINE_BYTES);
  if (nInline === entries.length) return { entries };
  const key = `${keys.resultFolder(context.project, context.operationId)}/${file}`;
  const listing = await context.step("listing", async ({ signal }) => {
    const options = { contentType: "application/x-ndjson", signal };
    return commonV1.ObjectReference.toJSON(await writeResult(store, key, Buffer.concat(lines), options)) as Json;
  });
  return { entries: entries.slice(0, nInline), listing };
}

/** How many of the first `parts` have at most `maxBytes` together. */
function countWithin(parts: readonly Uint8Array[], maxBytes: number): number {
  let left = maxBytes;
  const first = parts.findIndex(({ byteLength }) => {
    left -= byteLength;
    return left < 0;
  });
  return first === -1 ? parts.length : first;
}
