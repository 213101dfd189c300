import { join } from "node:path";
import { DomainError } from "@parfocal/errors";

/** Where the driver keeps its own files, under the root. No object can have this path: leading dots are escaped. */
export const OWN_FOLDER = ".parfocal";

/** The longest file name of Linux file systems. */
const MAX_NAME_BYTES = 255;

/** Marks a file whose name has no dot, and a folder whose name has one: see {@link pathOfKey}. */
const FILE_MARK = "%f";
const FOLDER_MARK = "%d";

/**
 * The path of a key, relative to the root. Objects `a` and `a/b` must both be possible, so the names of files and the
 * names of folders are disjoint: a file's name has a dot (`bag.safetensors`) or ends in `%f` (`LICENSE%f`), a folder's
 * name has no dot (`models`) or ends in `%d` (`v1.0%d`). `%` is written `%25`, a leading dot `%2E`; the rest stands as
 * it is, so that usual keys are usual paths. One key has one path, and the other way round.
 *
 * @throws {DomainError} INVALID_ARGUMENT when a part is longer than 255 bytes as a file name.
 */
export function pathOfKey(key: string): string {
  const parts = key.split("/");
  const names = parts.map((part, index) => (index === parts.length - 1 ? fileNameOf(part) : folderNameOf(part)));
  for (const name of names) assertNameLength(name);
  return join(...names);
}

/**
 * The path of a key in a folder that somebody filled by hand, where names stand unescaped; `undefined` when it is the
 * driver's own path or hidden. Such files can be read, listed, replaced and deleted like objects.
 */
export function foreignPathOfKey(key: string): string | undefined {
  const isHidden = key.split("/").some((part) => part.startsWith("."));
  return isHidden || key === pathOfKey(key) ? undefined : join(...key.split("/"));
}

/** The file name of the last part of a key. */
export function fileNameOf(part: string): string {
  const escaped = escapePart(part);
  return escaped.includes(".") ? escaped : escaped + FILE_MARK;
}

/** The folder name of another part of a key. */
export function folderNameOf(part: string): string {
  const escaped = escapePart(part);
  return escaped.includes(".") ? escaped + FOLDER_MARK : escaped;
}

/** The key part of a name found on disk: ours decoded, a foreign one as it is; `undefined` for hidden names. */
export function partOfName(name: string, kind: "file" | "folder"): string | undefined {
  if (name.startsWith(".")) return undefined;
  const mark = kind === "file" ? FILE_MARK : FOLDER_MARK;
  const bare = name.endsWith(mark) ? name.slice(0, -mark.length) : name;
  const part = bare.replaceAll("%2E", ".").replaceAll("%25", "%");
  const isOurs = (kind === "file" ? fileNameOf(part) : folderNameOf(part)) === name;
  return isOurs ? part : name;
}

function escapePart(part: string): string {
  const escaped = part.replaceAll("%", "%25");
  return escaped.startsWith(".") ? `%2E${escaped.slice(1)}` : escaped;
}

function assertNameLength(name: string): void {
  const nBytes = Buffer.byteLength(name);
  if (nBytes <= MAX_NAME_BYTES) return;
  throw new DomainError(
    "INVALID_ARGUMENT",
    `a part of the key takes ${nBytes} bytes as a file name, the bound is ${MAX_NAME_BYTES}`,
  );
}
