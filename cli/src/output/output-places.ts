import { access, constants, realpath, stat } from "node:fs/promises";
import { dirname, resolve, sep } from "node:path";
import { UsageError } from "../exit-codes.ts";
import { isWrittenItself, systemReason } from "./write-files.ts";

const { W_OK, X_OK } = constants;

/**
 * Checks, before any work, that a file can be written; it is not made.
 *
 * @param option What on the command line named the path (`--csv`).
 * @throws {UsageError} naming the option: for a folder, a file in a folder that is not there, and what may not be written.
 */
export async function assertFilePlace(option: string, path: string): Promise<void> {
  const place = `${option} ${path}`;
  if (path === "") throw new UsageError(`${option} names no file`);
  const found = await orUnusable(place, findPath(path));
  if (found?.isDirectory() === true || path.endsWith(sep)) throw new UsageError(`${place} is a folder; name a file`);
  if (found !== undefined) await orUnusable(place, access(path, W_OK));
  if (found !== undefined && isWrittenItself(path, found)) return;
  const folder = dirname(found === undefined ? path : await orUnusable(place, realpath(path)));
  const around = await orUnusable(place, findPath(folder));
  if (around?.isDirectory() !== true) throw new UsageError(`${place}: there is no folder ${folder}`);
  await orUnusable(place, access(folder, W_OK | X_OK));
}

/**
 * Checks, before any work, that files can be written into a folder, which may still have to be made; it is not made.
 *
 * @param option What on the command line or in a file named the folder (`--out`).
 * @throws {UsageError} naming the option: where a file stands in the way, and for folders that may not be written.
 */
export async function assertFolderPlace(option: string, path: string): Promise<void> {
  const place = `${option} ${path}`;
  if (path === "") throw new UsageError(`${option} names no folder`);
  let folder = resolve(path);
  let found = await orUnusable(place, findPath(folder));
  while (found === undefined) {
    folder = dirname(folder);
    found = await orUnusable(place, findPath(folder));
  }
  if (!found.isDirectory()) throw new UsageError(`${place} cannot be a folder: ${folder} is a file`);
  await orUnusable(place, access(folder, W_OK | X_OK));
}

async function orUnusable<T>(place: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new UsageError(`${place} cannot be written: ${systemReason(error)}`, { cause: error });
  }
}

/** What is at a path; nothing as well where a file stands in the place of one of its folders. */
async function findPath(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}
