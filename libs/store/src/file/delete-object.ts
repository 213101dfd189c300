import { rm, rmdir } from "node:fs/promises";
import { dirname } from "node:path";
import { isMissing, systemCodeOf } from "./file-error.ts";
import { findFile, pathsOfKey } from "./file-info.ts";
import type { KeyLocks } from "./key-lock.ts";
import { syncFolder } from "./write-object.ts";

/** Deletes an object and the folders that it leaves empty. Deleting what is not there succeeds. */
export async function deleteObject(
  root: string,
  locks: KeyLocks,
  key: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  if ((await findFile(root, key)) === undefined) return;
  await locks.withLock(key, signal, async () => {
    for (const path of pathsOfKey(root, key)) await deleteFile(path);
  });
  for (const path of pathsOfKey(root, key)) await pruneFolders(root, dirname(path));
}

async function deleteFile(path: string): Promise<void> {
  try {
    await rm(path);
    await syncFolder(dirname(path));
  } catch (error) {
    // A folder that somebody named like this object is no object.
    if (!isMissing(error) && systemCodeOf(error) !== "ERR_FS_EISDIR") throw error;
  }
}

async function pruneFolders(root: string, folder: string): Promise<void> {
  for (let path = folder; path.length > root.length; path = dirname(path)) {
    try {
      await rmdir(path);
    } catch {
      // Not empty, already gone, or not ours to remove: in every case there is nothing left to do above it.
      return;
    }
  }
}
