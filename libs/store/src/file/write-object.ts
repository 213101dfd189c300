import { type FileHandle, link, mkdir, open, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DomainError } from "@parfocal/errors";
import { chunksOfBody, type PutBody } from "../body.ts";
import { assertCondition, objectExists } from "../conditions.ts";
import type { ObjectInfo, PutOptions } from "../object-store.ts";
import { fileError, isMissing, systemCodeOf } from "./file-error.ts";
import { type FoundFile, findFile, infoFromStats } from "./file-info.ts";
import type { KeyLocks } from "./key-lock.ts";
import { pathOfKey } from "./key-path.ts";
import { createTempName, tempFolderOf } from "./temp-files.ts";

/** A delete that empties a folder removes it; a put that needs the folder just then makes it again, at most so often. */
const MAX_FOLDER_RACES = 100;

/** Times are doubles of seconds: one step today is 0.24 us, so this always moves them on. */
const TIME_STEP_MS = 0.001;

/**
 * Writes an object: bytes into a temporary file, `fsync`, one atomic rename or link into place, `fsync` of the folder.
 * A crash at any point leaves the old object or the new one. Creating (`ifNoneMatch`) is `link(2)`, which cannot
 * replace; replacing happens under the key's lock, so that `ifMatch` and every other writer come one after the other.
 */
export async function writeObject(
  root: string,
  locks: KeyLocks,
  key: string,
  body: PutBody,
  options: PutOptions,
): Promise<ObjectInfo> {
  // Fails early; the check that counts is made when the object is put into place.
  assertCondition((await findFile(root, key))?.info.etag, options);
  const temp = await writeTemp(root, body, options.signal);
  try {
    return options.ifNoneMatch === "*"
      ? await create(root, key, temp)
      : await locks.withLock(key, options.signal, () => replace(root, key, temp, options));
  } finally {
    await rm(temp, { force: true });
  }
}

async function create(root: string, key: string, temp: string): Promise<ObjectInfo> {
  const path = join(root, pathOfKey(key));
  const stats = await stat(temp, { bigint: true });
  try {
    await intoPlace(path, () => link(temp, path));
  } catch (error) {
    throw systemCodeOf(error) === "EEXIST" ? objectExists(error) : error;
  }
  return infoFromStats(key, stats);
}

async function replace(root: string, key: string, temp: string, options: PutOptions): Promise<ObjectInfo> {
  const current = await findFile(root, key);
  assertCondition(current?.info.etag, options);
  await setTime(temp, current);
  const stats = await stat(temp, { bigint: true });
  const path = join(root, pathOfKey(key));
  await intoPlace(path, () => rename(temp, path));
  return infoFromStats(key, stats);
}

/** Puts a file into place and makes that durable, making the folders it needs. */
async function intoPlace(path: string, move: () => Promise<void>): Promise<void> {
  for (let nRaces = 0; ; nRaces += 1) {
    try {
      await makeFolder(dirname(path));
      await move();
      return await syncFolder(dirname(path));
    } catch (error) {
      const code = systemCodeOf(error);
      if (code === "ENOTDIR") throw fileInTheWay(error);
      if (code !== "ENOENT" || nRaces >= MAX_FOLDER_RACES) throw error;
    }
  }
}

function fileInTheWay(cause: unknown): DomainError {
  return new DomainError("CONFLICT", "a file stands where the key needs a folder", { cause });
}

/** Makes a folder with its parents; every folder that gained an entry is synced. */
async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let folder = path; folder.length >= first.length; folder = dirname(folder)) await syncFolder(dirname(folder));
}

/** Makes the entries of a folder durable. A folder that is gone has none. */
export async function syncFolder(path: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, "r");
    await handle.sync();
  } catch (error) {
    // Gone: somebody deleted the object and its folder. EINVAL: a file system that cannot sync folders.
    if (!isMissing(error) && systemCodeOf(error) !== "EINVAL") throw error;
  } finally {
    await handle?.close();
  }
}

async function writeTemp(root: string, body: PutBody, signal: AbortSignal | undefined): Promise<string> {
  const folder = tempFolderOf(root);
  await makeFolder(folder);
  const path = join(folder, createTempName());
  const handle = await open(path, "wx");
  try {
    await writeChunks(handle, body, signal);
    await setTime(path, undefined);
    await handle.sync();
    await handle.close();
    return path;
  } catch (error) {
    await handle.close();
    await rm(path, { force: true });
    throw error;
  }
}

async function writeChunks(handle: FileHandle, body: PutBody, signal: AbortSignal | undefined): Promise<void> {
  for await (const chunk of chunksOfBody(body, signal)) {
    for (let at = 0; at < chunk.length; ) {
      try {
        at += (await handle.write(chunk, at)).bytesWritten;
      } catch (error) {
        throw fileError(error, "write the object");
      }
    }
  }
}

/**
 * Gives a file its modification time: this machine's clock, and later than the version it replaces even when the clock was
 * set back. Tags depend on it, so a fraction is added that tells apart what is written in one millisecond. The time since the
 * start of the process does not do: it stands still while the machine sleeps.
 */
async function setTime(path: string, before: FoundFile | undefined): Promise<void> {
  const nowMs = Date.now() + (performance.now() % 1);
  const beforeMs = before === undefined ? 0 : (await stat(before.path)).mtimeMs + TIME_STEP_MS;
  const timeS = Math.max(nowMs, beforeMs) / 1000;
  await utimes(path, timeS, timeS);
}
