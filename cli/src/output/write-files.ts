import { randomBytes } from "node:crypto";
import { open, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { getSystemErrorMessage } from "node:util";
import { DomainError } from "@parfocal/errors";
import { codeOfSystemError } from "../exit-codes.ts";

/** A file to be written. */
export interface FileToWrite {
  readonly path: string;
  /** All of it, or its bytes as they come. */
  readonly content: string | Uint8Array | AsyncIterable<Uint8Array>;
  /** What on the command line named the place (`--csv`), for errors; absent: nothing did. */
  readonly option?: string;
}

/**
 * Writes files under temporary names in their folders, and gives them their names when the last one is complete: until then, and after
 * any failure, the files of before are as they were. Files are taken from `files` one after another. A pipe or a device is written itself.
 *
 * @throws {DomainError} naming path and option, for errors of the file system; what `files` and their contents throw, as it is.
 */
export async function writeFiles(files: Iterable<FileToWrite>): Promise<void> {
  const written: WrittenFile[] = [];
  try {
    for (const file of files) written.push(...(await orPlaceError(file, () => writeOne(file))));
    for (const { file, temp, target } of written) await orPlaceError(file, () => rename(temp, target));
  } finally {
    for (const { temp } of written) await rm(temp, { force: true });
  }
}

/**
 * Does what `work` does at a place.
 *
 * @throws {DomainError} naming path and option, for errors of the file system; every other error as it is.
 */
export async function orPlaceError<T>(
  { path, option }: Pick<FileToWrite, "path" | "option">,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = codeOfSystemError(error);
    if (code === undefined) throw error;
    const place = option === undefined ? path : `${option} ${path}`;
    throw new DomainError(code, `${place} cannot be written: ${systemReason(error)}`, { cause: error });
  }
}

/** What the system says of an error: `no space left on device (ENOSPC)`. */
export function systemReason(error: unknown): string {
  const { errno, code } = error as NodeJS.ErrnoException;
  return errno === undefined ? String(code) : `${getSystemErrorMessage(errno)} (${code})`;
}

/** A complete file that does not have its name yet. */
interface WrittenFile {
  readonly file: FileToWrite;
  readonly temp: string;
  readonly target: string;
}

/** Nothing is left to be named where the bytes went into a pipe or a device. */
async function writeOne(file: FileToWrite): Promise<WrittenFile[]> {
  const { path, content } = file;
  const found = await stat(path).catch(orAbsent);
  if (found !== undefined && isWrittenItself(path, found)) {
    await writeFile(path, content);
    return [];
  }
  // Of a link what it means is replaced, not the link.
  const target = found === undefined ? path : await realpath(path);
  const temp = join(dirname(target), `.parfocal-${randomBytes(8).toString("hex")}.part`);
  await writeTemp(temp, content, found?.mode);
  return [{ file, temp, target }];
}

/** Whether a path is no file that another one could replace: a pipe, a device, an open file's name (`/dev/stdout`), a folder. */
export function isWrittenItself(path: string, found: { isFile(): boolean }): boolean {
  return !found.isFile() || /^\/(?:dev|proc)\//.test(path);
}

/** With the permissions of the file that it will replace: what only its owner may read stays so. */
async function writeTemp(temp: string, content: FileToWrite["content"], mode = 0o666): Promise<void> {
  const handle = await open(temp, "wx", mode & 0o777);
  try {
    await writeFile(handle, content);
    // Some file systems tell of a full disk only now.
    await handle.sync();
  } catch (error) {
    await rm(temp, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

function orAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
