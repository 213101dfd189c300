import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { orSpoolError } from "./imports/spool-error.ts";
import { createTemporaryFolder, removeTemporaryFolder } from "./imports/temporary-folders.ts";

/** Always the same: a name that a client chose could be too long for the file system, and would stand in its errors. */
const SPOOL_NAME = "upload";

/**
 * Writes chunks to a file of this machine as they come (memory stays flat), gives its path to `work`, and removes it.
 *
 * @throws {DomainError} `RESOURCE_EXHAUSTED` when there is no room, `UNREACHABLE`, `INTERNAL` for other errors of the file system,
 *   none with its path; what the chunks and `work` throw.
 */
export async function withSpooledUpload<T>(
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  work: (path: string) => Promise<T>,
): Promise<T> {
  const folder = await orSpoolError(createTemporaryFolder("upload"));
  try {
    const path = join(folder, SPOOL_NAME);
    await orSpoolError(pipeline(chunks, createWriteStream(path), { signal }));
    return await work(path);
  } finally {
    await removeTemporaryFolder(folder);
  }
}
