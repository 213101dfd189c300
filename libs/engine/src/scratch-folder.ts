import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync } from "node:fs";
import { rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DomainError } from "@parfocal/errors";
import type { CapturedGraph } from "@parfocal/tensor";

/** Files that the engine and its process share. */
export interface ScratchFolder {
  /** Where tensors too large for a message pass through. */
  readonly transferDir: string;
  /** The path of the graph's model, written when it is not there (yet, or since the system tidied its folder). */
  modelPathOf(graph: CapturedGraph): Promise<string>;
  /** Removes what was passing through, and the models unless they are kept in a folder of the caller's. */
  close(): Promise<void>;
}

/**
 * Keeps models under `<folder>/<digest>.onnx`; without a folder, under a new private one.
 *
 * @throws {DomainError} INVALID_ARGUMENT when the folder cannot be made or written
 */
export function createScratchFolder(folder?: string): ScratchFolder {
  const root = makeRoot(folder);
  const transferDir = mkdtempSync(join(root, "transfer-"));
  /** Those being written: two callers of one graph write it once. */
  const paths = new Map<string, Promise<string>>();
  return {
    transferDir,
    modelPathOf(graph) {
      const writing = paths.get(graph.digest) ?? writeModel(root, graph);
      paths.set(graph.digest, writing);
      return writing.finally(() => paths.delete(graph.digest));
    },
    async close() {
      await Promise.allSettled(paths.values());
      await rm(folder === undefined ? root : transferDir, { recursive: true, force: true });
    },
  };
}

function makeRoot(folder: string | undefined): string {
  try {
    if (folder === undefined) return mkdtempSync(join(tmpdir(), "parfocal-engine-"));
    mkdirSync(folder, { recursive: true });
    return folder;
  } catch (error) {
    throw new DomainError("INVALID_ARGUMENT", `scratchDir "${folder ?? tmpdir()}" cannot be written`, { cause: error });
  }
}

async function writeModel(root: string, graph: CapturedGraph): Promise<string> {
  const path = join(root, `${graph.digest}.onnx`);
  const present = await stat(path).catch(() => undefined);
  // Files are renamed into place whole and their name is their digest: the one that is there is the one needed.
  if (present?.size === graph.model.byteLength) return path;
  const partial = `${path}.${randomUUID()}`;
  await writeFile(partial, graph.model);
  await rename(partial, path);
  return path;
}
