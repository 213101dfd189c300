import { randomBytes } from "node:crypto";
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { OWN_FOLDER } from "./key-path.ts";
import { judgeProcessMark, ownProcessMark } from "./process-mark.ts";

/** Where a temporary file's maker cannot be asked (another container or machine), it is given this long. */
const FOREIGN_MAX_AGE_MS = 24 * 60 * 60 * 1000;

/** The folder of unfinished objects, under the root: same file system, so that publishing is one rename. */
export function tempFolderOf(root: string): string {
  return join(root, OWN_FOLDER, "tmp");
}

/** A new name for a temporary file, beginning with the mark of its maker. */
export function createTempName(): string {
  return `${ownProcessMark()}-${randomBytes(8).toString("hex")}`;
}

/**
 * Removes what dead processes left: files whose maker is gone or whose process id belongs to a younger process now, and
 * files of other process spaces after a day. Never fails: a folder that cannot be cleaned can still be read.
 */
export function cleanTempFiles(root: string): void {
  const folder = tempFolderOf(root);
  try {
    for (const name of readdirSync(folder)) {
      if (isLeftOver(join(folder, name), name)) rmSync(join(folder, name), { force: true });
    }
  } catch {
    // No folder, or not ours to clean.
  }
}

function isLeftOver(path: string, name: string): boolean {
  const maker = judgeProcessMark(name);
  if (maker === "unknown") return Date.now() - statSync(path).mtimeMs > FOREIGN_MAX_AGE_MS;
  return maker === "dead";
}
