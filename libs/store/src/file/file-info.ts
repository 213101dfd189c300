import type { BigIntStats } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { ObjectInfo } from "../object-store.ts";
import { isMissing } from "./file-error.ts";
import { foreignPathOfKey, pathOfKey } from "./key-path.ts";

/** A file that stands for an object. */
export interface FoundFile {
  readonly path: string;
  readonly info: ObjectInfo;
}

/**
 * What a file's status says of its object. The tag is inode, modification time (ns) and size. Every put makes a new
 * file, so an overwrite changes the inode while the old one still exists; an inode that is used again later comes with
 * another time, because puts set their times with more than the kernel's tick (see `write-object.ts`). Reading it costs
 * one `stat`, whatever the size of the object.
 */
export function infoFromStats(key: string, stats: BigIntStats): ObjectInfo {
  const etag = [stats.ino, stats.mtimeNs, stats.size].map((part) => part.toString(36)).join("-");
  return { key, sizeBytes: Number(stats.size), etag, lastModifiedMs: Number(stats.mtimeNs / 1_000_000n) };
}

/** The paths that may hold a key's object, in the order of their precedence. */
export function pathsOfKey(root: string, key: string): readonly string[] {
  const foreign = foreignPathOfKey(key);
  const own = join(root, pathOfKey(key));
  return foreign === undefined ? [own] : [own, join(root, foreign)];
}

/** The file of a key's object, or `undefined` when there is none. */
export async function findFile(root: string, key: string): Promise<FoundFile | undefined> {
  for (const path of pathsOfKey(root, key)) {
    const info = await statObject(path, key);
    if (info !== undefined) return { path, info };
  }
  return undefined;
}

/** What the file at `path` says of its object; `undefined` when it is no file. */
async function statObject(path: string, key: string): Promise<ObjectInfo | undefined> {
  try {
    const stats = await stat(path, { bigint: true });
    return stats.isFile() ? infoFromStats(key, stats) : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
