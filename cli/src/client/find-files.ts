import { isUtf8 } from "node:buffer";
import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DomainError } from "@parfocal/errors";
import { codeOfSystemError, UsageError } from "../exit-codes.ts";

/** Endings of files that the importers read. */
const BAG_ENDINGS = /\.(?:h5|hdf5|pt|pth|npy|npz|safetensors|csv)$/i;
/** A labels table beside the bags is no bag itself. */
const NOT_BAGS = /^(?:labels|slide_table|clini_table|splits?)\.csv$/i;

/** What stands in a name for bytes that are not UTF-8. */
const REPLACEMENT = "\uFFFD";

/** A file to import, as the user named it. */
export interface FoundFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Why it cannot be read, if that showed already; it may be a folder then. */
  readonly problem?: DomainError;
}

/**
 * The files that `paths` name: files themselves whatever their ending, folders with everything below them that may be a bag,
 * sorted by path. What cannot be looked at below a folder is given with the reason.
 *
 * @throws {UsageError} for a path that is not there.
 */
export async function findFiles(paths: readonly string[]): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  for (const path of paths) {
    const info = await stat(path).catch(() => undefined);
    if (info === undefined) throw new UsageError(`there is no file or folder ${path}${remarkOn(path)}`);
    if (info.isDirectory()) found.push(...(await filesBelow(path)).sort(byPath));
    else found.push({ path, sizeBytes: info.size });
  }
  return found;
}

/** What the command line makes of a name that is not UTF-8 is the name of nothing. */
function remarkOn(path: string): string {
  return path.includes(REPLACEMENT) ? "; a file whose name is not UTF-8 must be renamed first" : "";
}

function byPath(a: FoundFile, b: FoundFile): number {
  return a.path < b.path ? -1 : Number(a.path > b.path);
}

async function filesBelow(folder: string): Promise<FoundFile[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true, encoding: "buffer" });
    return (await Promise.all(entries.map((entry) => filesAt(folder, entry)))).flat();
  } catch (error) {
    return [unreadable(folder, error)];
  }
}

/** The bags that an entry of a folder is or holds. */
async function filesAt(folder: string, entry: Dirent<Buffer>): Promise<FoundFile[]> {
  const name = entry.name.toString();
  const path = join(folder, name);
  if (!entry.isDirectory() && !(entry.isFile() && BAG_ENDINGS.test(name) && !NOT_BAGS.test(name))) return [];
  if (!isUtf8(entry.name)) {
    const message = "its name is not UTF-8; rename it";
    return [{ path, sizeBytes: 0, problem: new DomainError("INVALID_ARGUMENT", message) }];
  }
  if (entry.isDirectory()) return filesBelow(path);
  return [
    await stat(path).then(
      ({ size }) => ({ path, sizeBytes: size }),
      (error) => unreadable(path, error),
    ),
  ];
}

function unreadable(path: string, cause: unknown): FoundFile {
  const code = codeOfSystemError(cause) ?? "INTERNAL";
  const reason = (cause as NodeJS.ErrnoException).code ?? "unknown reason";
  const message = code === "NOT_FOUND" ? "it is no longer there" : `it cannot be read (${reason})`;
  return { path, sizeBytes: 0, problem: new DomainError(code, message, { cause }) };
}
