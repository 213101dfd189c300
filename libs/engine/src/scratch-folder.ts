import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync } from "node:fs";
import { rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DomainError } from "@parfocal/errors";
import type { CapturedGraph } from "@parfocal/tensor";

/** Models that stay, bytes: as files they may be memory. */
const MAX_MODEL_BYTES = 512 * 1024 * 1024;

/** The last models that were asked for stay however large they are: the process at its work, and what it was told of, need them. */
const N_NEEDED = 16;

/** For so long a model that was seen in its place is taken to be there, ms: graphs run hundreds of times a second, folders are tidied by the day. */
const SEEN_MS = 1000;

/** Files that the engine and its process share. */
export interface ScratchFolder {
  /** Where tensors too large for a message pass through. */
  readonly transferDir: string;
  /**
   * The path of the graph's model, written when it is not there (yet, any more, or since the system tidied its folder). Those that
   * were not asked for for long are removed when there are many.
   */
  modelPathOf(graph: CapturedGraph): Promise<string>;
  /** Removes what was passing through, and the models unless they are kept in a folder of the caller's. */
  close(): Promise<void>;
}

/**
 * Keeps models under `<folder>/<digest>.onnx`, all of them; without a folder, up to 512 MiB under a new private one.
 *
 * @throws {DomainError} INVALID_ARGUMENT when the folder cannot be made or written
 */
export function createScratchFolder(folder?: string): ScratchFolder {
  const root = makeRoot(folder);
  const transferDir = mkdtempSync(join(root, "transfer-"));
  /** Those being written: two callers of one graph write it once. */
  const paths = new Map<string, Promise<void>>();
  const kept = createKeptFiles(folder === undefined ? MAX_MODEL_BYTES : Number.POSITIVE_INFINITY);
  /** When each model was last seen in its place, by path, by `performance.now()`. */
  const seenMs = new Map<string, number>();

  async function pathOf(graph: CapturedGraph): Promise<string> {
    const path = pathIn(root, graph);
    if (performance.now() - (seenMs.get(path) ?? Number.NEGATIVE_INFINITY) < SEEN_MS) return path;
    const writing = paths.get(graph.digest) ?? writeModel(path, graph);
    paths.set(graph.digest, writing);
    await writing.finally(() => paths.delete(graph.digest));
    seenMs.set(path, performance.now());
    return path;
  }

  return {
    transferDir,
    async modelPathOf(graph) {
      const path = await pathOf(graph);
      for (const old of kept.add(path, graph.model.byteLength)) {
        seenMs.delete(old);
        await rm(old, { force: true });
      }
      return path;
    },
    async close() {
      await Promise.allSettled(paths.values());
      await rm(folder === undefined ? root : transferDir, { recursive: true, force: true });
    },
  };
}

/** Notes which files were asked for; `add` gives those to remove: the oldest while all together are more than `maxBytes`. */
function createKeptFiles(maxBytes: number) {
  /** Sizes by path, the latest last. */
  const sizes = new Map<string, number>();
  return {
    add(path: string, sizeBytes: number): string[] {
      sizes.delete(path);
      sizes.set(path, sizeBytes);
      let total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
      const removed: string[] = [];
      for (const [oldest, size] of [...sizes].slice(0, -N_NEEDED)) {
        if (total <= maxBytes) break;
        total -= size;
        sizes.delete(oldest);
        removed.push(oldest);
      }
      return removed;
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

function pathIn(root: string, { digest }: CapturedGraph): string {
  return join(root, `${digest}.onnx`);
}

async function writeModel(path: string, graph: CapturedGraph): Promise<void> {
  const present = await stat(path).catch(() => undefined);
  // Files are renamed into place whole and their name is their digest: the one that is there is the one needed.
  if (present?.size === graph.model.byteLength) return;
  const partial = `${path}.${randomUUID()}`;
  await writeFile(partial, graph.model);
  await rename(partial, path);
}
