import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { assertNotAborted, DomainError } from "@parfocal/errors";
import { closeableIterable } from "../body.ts";
import { objectNotFound, versionChanged } from "../conditions.ts";
import type { ByteRange, GetOptions, ObjectBytes, ObjectInfo, ObjectStream } from "../object-store.ts";
import { resolveRange } from "../range.ts";
import { fileError, isMissing } from "./file-error.ts";
import { infoFromStats, pathsOfKey } from "./file-info.ts";

/** Large enough that system calls cost nothing, small enough that a signal is noticed soon. */
const READ_BYTES = 16 * 1024 * 1024;

/** Chunks of a stream: what a consumer is likely to hold at once. */
const CHUNK_BYTES = 1024 * 1024;

/** Chunks that are read into their place: nobody holds them beside it, and fewer calls are faster. */
const PLACED_CHUNK_BYTES = 4 * 1024 * 1024;

interface OpenObject {
  readonly handle: FileHandle;
  readonly info: ObjectInfo;
  readonly range: ByteRange;
}

/** Reads an object or a range of it. An overwrite meanwhile goes unnoticed: the old file lives until it is closed. */
export async function readObject(root: string, key: string, options: GetOptions): Promise<ObjectBytes> {
  const { handle, info, range } = await openObject(root, key, options);
  try {
    const bytes = targetOf(range, options.into);
    for (let at = 0; at < bytes.length; at += READ_BYTES) {
      assertNotAborted(options.signal);
      await fill(handle, bytes.subarray(at, at + READ_BYTES), range.start + at);
    }
    return { ...info, bytes };
  } finally {
    await handle.close();
  }
}

/** Reads an object or a range of it as chunks of up to 1 MiB. The file closes when the chunks end or are returned. */
export async function streamObject(root: string, key: string, options: GetOptions): Promise<ObjectStream> {
  const { handle, info, range } = await openObject(root, key, options);
  return { ...info, chunks: closeableIterable(readChunks(handle, range, options), () => handle.close()) };
}

/** The memory of a whole range: the caller's when it is long enough. */
function targetOf({ start, end }: ByteRange, into: Uint8Array | undefined): Uint8Array {
  const length = end - start;
  return into !== undefined && into.length >= length ? into.subarray(0, length) : new Uint8Array(length);
}

async function* readChunks(
  handle: FileHandle,
  { start, end }: ByteRange,
  { into, signal }: GetOptions,
): AsyncGenerator<Uint8Array, undefined> {
  try {
    const chunkBytes = into === undefined ? CHUNK_BYTES : PLACED_CHUNK_BYTES;
    for (let at = start; at < end; at += chunkBytes) {
      assertNotAborted(signal);
      const chunk = targetOf({ start: at, end: Math.min(at + chunkBytes, end) }, into?.subarray(at - start));
      await fill(handle, chunk, at);
      yield chunk;
    }
    assertNotAborted(signal);
  } finally {
    await handle.close();
  }
}

async function openObject(root: string, key: string, options: GetOptions): Promise<OpenObject> {
  assertNotAborted(options.signal);
  const found = await openFile(root, key);
  try {
    if (options.ifMatch !== undefined && options.ifMatch !== found.info.etag) {
      throw versionChanged(options.ifMatch, found.info.etag);
    }
    return { ...found, range: resolveRange(options.range, found.info.sizeBytes) };
  } catch (error) {
    await found.handle.close();
    throw error;
  }
}

async function openFile(root: string, key: string): Promise<{ handle: FileHandle; info: ObjectInfo }> {
  for (const path of pathsOfKey(root, key)) {
    const handle = await openIfThere(path);
    const stats = await handle?.stat({ bigint: true });
    if (handle !== undefined && stats?.isFile()) return { handle, info: infoFromStats(key, stats) };
    await handle?.close();
  }
  throw objectNotFound();
}

/** Does not wait for a writer where the path is a pipe, which is no object. */
async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw fileError(error, "open the object");
  }
}

async function fill(handle: FileHandle, into: Uint8Array, position: number): Promise<void> {
  let nRead = 0;
  while (nRead < into.length) {
    const { bytesRead } = await handle.read(into, nRead, into.length - nRead, position + nRead);
    if (bytesRead === 0) {
      const expected = position + into.length;
      throw new DomainError("TRUNCATED", `the file ends at byte ${position + nRead}, expected at least ${expected}`);
    }
    nRead += bytesRead;
  }
}
