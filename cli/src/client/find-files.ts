import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../exit-codes.ts";

/** Endings of files that the importers read. */
const BAG_ENDINGS = /\.(?:h5|hdf5|pt|pth|npy|npz|safetensors|csv)$/i;
/** A labels table beside the bags is no bag itself. */
const NOT_BAGS = /^(?:labels|slide_table|clini_table|splits?)\.csv$/i;

/** A file to import, as the user named it. */
export interface FoundFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/**
 * The files that `paths` name: files themselves whatever their ending, folders with everything below them that may be a bag,
 * sorted by path.
 *
 * @throws {UsageError} for a path that is not there.
 */
export async function findFiles(paths: readonly string[]): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  for (const path of paths) {
    const info = await stat(path).catch(() => undefined);
    if (info === undefined) throw new UsageError(`there is no file or folder ${path}`);
    if (info.isDirectory()) found.push(...(await filesBelow(path)));
    else found.push({ path, sizeBytes: info.size });
  }
  return found;
}

async function filesBelow(folder: string): Promise<FoundFile[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const paths = entries
    .filter((entry) => entry.isFile() && BAG_ENDINGS.test(entry.name) && !NOT_BAGS.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return Promise.all(paths.map(async (path) => ({ path, sizeBytes: (await stat(path)).size })));
}
