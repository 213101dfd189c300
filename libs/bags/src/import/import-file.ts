import { resolve } from "node:path";
import { assertNotAborted } from "@parfocal/errors";
import { errorFromReply } from "./import-messages.ts";
import { acquireImportThread } from "./import-thread.ts";
import type { ImportedBag, ImportOptions } from "./imported-bag.ts";

/**
 * Imports the bags of a file: one of `.h5`, `.pt`, `.npy`, `.npz`, `.safetensors`, several of `.csv`. Pickles are read by a
 * restricted reader, never executed.
 *
 * Runs in a thread of its own, so the caller's event loop stays free, and a file that hangs or crashes its reader costs
 * that thread only. Every import running at a time is a thread: bound how many are. Memory: the file and its features.
 * The same file, name and options give the same bag, byte for byte, everywhere.
 *
 * @throws {DomainError} EMPTY_BAG, NON_FINITE, SHAPE_MISMATCH, GEOMETRY_MISMATCH for contents that are no bag; TRUNCATED,
 * CORRUPT for damage; UNSAFE_PICKLE for pickles with anything but tensors; UNSUPPORTED_FORMAT; INVALID_ARGUMENT for options
 * that do not fit; NOT_FOUND, FORBIDDEN, RESOURCE_EXHAUSTED, OUT_OF_MEMORY; CANCELLED, DEADLINE_EXCEEDED.
 */
export function importFile(path: string, options: ImportOptions = {}): AsyncGenerator<ImportedBag> {
  return importWithin(path, options);
}

/** {@link importFile} with another time that a small file may take, in milliseconds. */
export async function* importWithin(
  path: string,
  options: ImportOptions,
  parseBaseMs?: number,
): AsyncGenerator<ImportedBag> {
  const { signal, ...plain } = options;
  assertNotAborted(signal);
  const thread = acquireImportThread(parseBaseMs);
  let isFinished = false;
  try {
    let reply = await thread.ask({ kind: "open", path: resolve(path), options: plain }, signal);
    for (; reply.kind === "bag"; reply = await thread.ask({ kind: "next" }, signal)) yield reply.imported;
    // After an error the reader's memory is not to be trusted: a fresh thread is cheap.
    if (reply.kind === "error") throw errorFromReply(reply);
    isFinished = true;
  } finally {
    if (isFinished) thread.release();
    else await thread.end();
  }
}
