import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { judgeProcessMark, ownProcessMark } from "@parfocal/store";

/** What a temporary folder of the gateway is for: what an import downloads, an upload spools, an inference was sent. */
export type TemporaryFolderKind = "import" | "upload" | "inference";

/** Where the maker of a folder cannot be asked (another container or machine, or none is named), it may stand still for this long. */
const UNKNOWN_MAX_AGE_MS = 24 * 60 * 60 * 1000;

/** `parfocal-{kind}-[{mark of the maker}-]{random}` */
const FOLDER_NAME = /^parfocal-(?:import|upload|inference)-(?:(?<mark>.+)-)?[^-]+$/u;

/** Makes an empty folder at `TMPDIR` that names this process as its maker, who removes it. Only this user can look into it. */
export function createTemporaryFolder(kind: TemporaryFolderKind): Promise<string> {
  return mkdtemp(join(tmpdir(), `parfocal-${kind}-${ownProcessMark()}-`));
}

/** Removes a folder and what lies in it. Never fails: an import is not worse for it, and a later start tries again. */
export async function removeTemporaryFolder(path: string): Promise<void> {
  // Its error would name the file, and so perhaps a slide.
  await rm(path, { recursive: true, force: true }).catch(() => undefined);
}

/**
 * Removes the folders at `TMPDIR` that dead gateways left, and those whose maker is not known in which nothing was written for a
 * day. Never fails: what cannot be removed is not ours.
 */
export async function removeStaleFolders(): Promise<void> {
  const parent = tmpdir();
  const entries = await readdir(parent, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const match = FOLDER_NAME.exec(entry.name);
    // A link of this name is somebody else's doing.
    if (match === null || !entry.isDirectory()) continue;
    await removeIfStale(join(parent, entry.name), match.groups?.mark ?? "").catch(() => undefined);
  }
}

async function removeIfStale(path: string, mark: string): Promise<void> {
  const maker = judgeProcessMark(mark);
  const isStale =
    maker === "dead" || (maker === "unknown" && Date.now() - (await lastWriteMs(path)) > UNKNOWN_MAX_AGE_MS);
  if (isStale) await removeTemporaryFolder(path);
}

/** When the folder or one of its files was last written, milliseconds since 1970. */
async function lastWriteMs(path: string): Promise<number> {
  const paths = [path, ...(await readdir(path)).map((name) => join(path, name))];
  const infos = await Promise.all(paths.map((each) => stat(each)));
  return Math.max(...infos.map(({ mtimeMs }) => mtimeMs));
}
