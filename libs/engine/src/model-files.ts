import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CapturedGraph } from "@parfocal/tensor";

/** Models as files that the engine process loads by path. */
export interface ModelFiles {
  /** The path of the graph's model, written once per digest. */
  pathOf(graph: CapturedGraph): Promise<string>;
  /** Removes the folder when it was made here. */
  close(): Promise<void>;
}

/** Keeps models under `<folder>/<digest>.onnx`; without a folder, under a new private one. */
export function createModelFiles(folder?: string): ModelFiles {
  const opened = folder === undefined ? mkdtemp(join(tmpdir(), "parfocal-engine-")) : makeFolder(folder);
  opened.catch(() => undefined);
  const paths = new Map<string, Promise<string>>();
  return {
    pathOf(graph) {
      const known = paths.get(graph.digest);
      if (known !== undefined) return known;
      const written = opened.then((root) => writeModel(root, graph));
      paths.set(graph.digest, written);
      written.catch(() => paths.delete(graph.digest));
      return written;
    },
    async close() {
      await Promise.allSettled(paths.values());
      if (folder === undefined) await rm(await opened, { recursive: true, force: true });
    },
  };
}

async function makeFolder(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  return folder;
}

async function writeModel(root: string, graph: CapturedGraph): Promise<string> {
  const path = join(root, `${graph.digest}.onnx`);
  const present = await stat(path).catch(() => undefined);
  // A whole file of this name was renamed into place: its name is its digest.
  if (present?.size === graph.model.byteLength) return path;
  const partial = `${path}.${randomUUID()}`;
  await writeFile(partial, graph.model);
  await rename(partial, path);
  return path;
}
