import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { assertNotAborted } from "@parfocal/errors";
import { encodePageToken, pageSizeFromOptions, parsePageToken } from "../conditions.ts";
import { compareKeys, MAX_KEY_BYTES } from "../key.ts";
import type { ListOptions, ListPage, ObjectInfo } from "../object-store.ts";
import { isMissing } from "./file-error.ts";
import { findFile } from "./file-info.ts";
import { partOfName } from "./key-path.ts";

/** One name of a folder in terms of keys: `text` is the key so far, with a `/` at the end of folders. */
interface Branch {
  readonly text: string;
  /** Folders on disk that stand for this part (ours, and one that somebody made by hand); empty for a file. */
  readonly folders: string[];
}

interface Walk {
  readonly root: string;
  readonly prefix: string;
  readonly after: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/** One page of the objects that begin with `prefix`, in the order of their keys' UTF-8 bytes. */
export async function listObjects(root: string, prefix: string, options: ListOptions): Promise<ListPage> {
  const pageSize = pageSizeFromOptions(options);
  const walk = { root, prefix, after: parsePageToken(options.pageToken), signal: options.signal };
  const objects: ObjectInfo[] = [];
  for await (const info of walkFolders(walk, [root], "")) {
    const last = objects.at(-1);
    if (objects.length === pageSize && last !== undefined) {
      return { objects, nextPageToken: encodePageToken(last.key) };
    }
    objects.push(info);
  }
  return { objects };
}

/** Depth first. Folders sort as `name/`, which is where their keys stand among the names of files. */
async function* walkFolders(walk: Walk, folders: readonly string[], text: string): AsyncGenerator<ObjectInfo> {
  assertNotAborted(walk.signal);
  const branches = await readBranches(folders, text);
  for (const branch of [...branches.values()].sort((a, b) => compareKeys(a.text, b.text))) {
    if (!mayHold(walk, branch)) continue;
    if (branch.folders.length > 0) {
      yield* walkFolders(walk, branch.folders, branch.text);
    } else {
      const found = await findFile(walk.root, branch.text);
      if (found !== undefined) yield found.info;
    }
  }
}

/** Whether keys of this branch can be on the page: under the prefix and after the token. */
function mayHold({ prefix, after }: Walk, { text, folders }: Branch): boolean {
  if (Buffer.byteLength(text) > MAX_KEY_BYTES) return false;
  if (folders.length === 0) return text.startsWith(prefix) && (after === undefined || compareKeys(text, after) > 0);
  const isUnderPrefix = text.startsWith(prefix) || prefix.startsWith(text);
  return isUnderPrefix && (after === undefined || after.startsWith(text) || compareKeys(text, after) > 0);
}

async function readBranches(folders: readonly string[], text: string): Promise<Map<string, Branch>> {
  const branches = new Map<string, Branch>();
  for (const folder of folders) {
    for (const { name, isFolder } of await readNames(folder)) {
      const part = partOfName(name, isFolder ? "folder" : "file");
      if (part === undefined) continue;
      const branch = { text: `${text}${part}${isFolder ? "/" : ""}`, folders: [] };
      const known = branches.get(branch.text) ?? branch;
      if (isFolder) known.folders.push(join(folder, name));
      branches.set(branch.text, known);
    }
  }
  return branches;
}

async function readNames(folder: string): Promise<{ name: string; isFolder: boolean }[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return await Promise.all(
      entries.map(async (entry) => ({
        name: entry.name,
        isFolder: entry.isSymbolicLink() ? await leadsToFolder(folder, entry.name) : entry.isDirectory(),
      })),
    );
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Whether a link leads to a folder, other than one that the link lies in: its objects would come again below themselves. */
async function leadsToFolder(folder: string, name: string): Promise<boolean> {
  try {
    const [own, target] = await Promise.all([realpath(folder), realpath(join(folder, name))]);
    return !`${own}/`.startsWith(`${target}/`) && (await stat(target)).isDirectory();
  } catch {
    return false;
  }
}
