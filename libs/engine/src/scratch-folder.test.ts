import { existsSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import type { CapturedGraph } from "@parfocal/tensor";
import { afterEach, expect, it } from "vitest";
import { createScratchFolder, type ScratchFolder } from "./scratch-folder.ts";

let scratch: ScratchFolder | undefined;
afterEach(() => scratch?.close());

/** A graph of this name whose model has so many bytes; only size and name matter here. */
function graphOf(digest: string, sizeBytes: number): CapturedGraph {
  return { digest, model: new Uint8Array(sizeBytes), inputs: [], outputs: [] } as unknown as CapturedGraph;
}

it("removes the models that were not asked for for longest once they are many, and writes them anew", async () => {
  scratch = createScratchFolder();
  const sizeBytes = 32 * 1024 * 1024;
  const first = graphOf("first", sizeBytes);
  const paths = [await scratch.modelPathOf(first)];
  for (let i = 0; i < 18; i++) paths.push(await scratch.modelPathOf(graphOf(`${i}`, sizeBytes)));
  const there = () => paths.filter((path) => existsSync(path));
  // 512 MiB: the last sixteen.
  expect(there()).toEqual(paths.slice(-16));
  expect(await scratch.modelPathOf(first)).toBe(paths[0]);
  expect(there()).toEqual([paths[0], ...paths.slice(-15)]);
  expect(readdirSync(dirname(paths[0] ?? "")).filter((name) => name.endsWith(".onnx"))).toHaveLength(16);
});
