import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { DomainError, type DomainErrorCode } from "@parfocal/errors";
import { createTemporaryFolder, removeTemporaryFolder } from "./imports/temporary-folders.ts";

/** Always the same: a name that a client chose could be too long for the file system, and would stand in its errors. */
const SPOOL_NAME = "upload";

/** What an error of the spool means to a caller; every other one is a defect of the machine, `INTERNAL`. */
const CODES: Readonly<Record<string, DomainErrorCode>> = {
  ENOSPC: "RESOURCE_EXHAUSTED",
  EDQUOT: "RESOURCE_EXHAUSTED",
  EFBIG: "RESOURCE_EXHAUSTED",
  EMFILE: "RESOURCE_EXHAUSTED",
  ENFILE: "RESOURCE_EXHAUSTED",
  EIO: "UNREACHABLE",
  ESTALE: "UNREACHABLE",
  ETIMEDOUT: "UNREACHABLE",
};

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

async function orSpoolError<T>(working: Promise<T>): Promise<T> {
  try {
    return await working;
  } catch (error) {
    throw spoolError(error);
  }
}

/** The error of the system is no cause of it: that would carry the path into the log. Other errors stay as they are. */
function spoolError(error: unknown): unknown {
  if (!isSystemError(error)) return error;
  return new DomainError(CODES[error.code] ?? "INTERNAL", `could not keep the upload for its import: ${error.code}`);
}

function isSystemError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && "syscall" in error && "code" in error && typeof error.code === "string";
}
