import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { DomainError } from "@parfocal/errors";
import { MAX_FEATURE_BYTES } from "../bag-limits.ts";

/** A file in memory, at the start of a buffer of its own. */
export interface WholeFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** SHA-256 of the bytes, lower-case hex. */
  readonly digest: string;
}

/** Bytes per read: long enough for full disk speed, short enough to hash while they are in the cache. */
const BLOCK_BYTES = 4 * 1024 * 1024;

/** Largest file read as one piece: the largest features, doubled for F64 sources, and some room for a header. */
const MAX_FILE_BYTES = 2 * MAX_FEATURE_BYTES;

/**
 * Reads a regular file whole and hashes it on the way.
 *
 * @throws {DomainError} NOT_FOUND, FORBIDDEN; TRUNCATED when it is empty or shrinks meanwhile; RESOURCE_EXHAUSTED beyond
 * 16 GiB; INVALID_ARGUMENT when it is no regular file.
 */
export async function readWholeFile(path: string): Promise<WholeFile> {
  const file = await openForReading(path);
  try {
    const bytes = new Uint8Array(new ArrayBuffer(await sizeOf(file)));
    return { bytes, digest: await fill(file, bytes) };
  } finally {
    await file.close();
  }
}

async function fill(file: FileHandle, bytes: Uint8Array): Promise<string> {
  const hash = createHash("sha256");
  for (let offset = 0; offset < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, offset, Math.min(BLOCK_BYTES, bytes.length - offset), offset);
    if (bytesRead === 0) throw new DomainError("TRUNCATED", `the file ended at byte ${offset} of ${bytes.length}`);
    hash.update(bytes.subarray(offset, offset + bytesRead));
    offset += bytesRead;
  }
  return hash.digest("hex");
}

async function sizeOf(file: FileHandle): Promise<number> {
  const stats = await file.stat();
  if (!stats.isFile()) throw new DomainError("INVALID_ARGUMENT", "the path to import is no regular file");
  if (stats.size === 0) throw new DomainError("TRUNCATED", "the file has 0 bytes");
  if (stats.size > MAX_FILE_BYTES) {
    throw new DomainError("RESOURCE_EXHAUSTED", `the file has ${stats.size} bytes, the bound is ${MAX_FILE_BYTES}`);
  }
  return stats.size;
}

/** Messages leave out the path: it often holds a slide's name. */
async function openForReading(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") throw new DomainError("NOT_FOUND", "there is no such file", { cause });
    if (code === "EACCES" || code === "EPERM")
      throw new DomainError("FORBIDDEN", "the file may not be read", { cause });
    throw new DomainError("INVALID_ARGUMENT", `the file cannot be opened (${code ?? "unknown reason"})`, { cause });
  }
}
