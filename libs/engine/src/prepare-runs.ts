import { DomainError } from "@parfocal/errors";
import type { CapturedGraph } from "@parfocal/tensor";
import { assertFeeds, type FeedShape } from "./check-feeds.ts";
import { assertHostTensor } from "./element-types.ts";
import type { RunRequest, TensorSource } from "./engine-port.ts";
import type { ScratchFolder } from "./scratch-folder.ts";
import type { WireGraph, WireRun, WireSource, Work } from "./wire.ts";
import type { TensorPacker } from "./wire-tensor.ts";

/**
 * Checks what can be known of the requests before they are queued.
 *
 * @throws {DomainError} INVALID_ARGUMENT when a feed or fetch does not belong to the graph, or bytes do not fit a shape
 * @throws {DomainError} SHAPE_MISMATCH naming the input, what it got and what it needs
 */
export function assertRuns(requests: readonly RunRequest[]): void {
  for (const request of requests) {
    assertFeeds(request.graph.inputs, feedShapes(request));
    assertFetches(request);
  }
}

/** The requests as work for the engine process: each graph once, its model in a file. */
export async function workFromRuns(
  requests: readonly RunRequest[],
  scratch: ScratchFolder,
  packer: TensorPacker,
): Promise<Work> {
  const indices = new Map<string, number>();
  const graphs: WireGraph[] = [];
  const runs: WireRun[] = [];
  for (const { graph, feeds, fetches } of requests) {
    const known = indices.get(graph.digest) ?? graphs.length;
    if (known === graphs.length) {
      indices.set(graph.digest, known);
      graphs.push(await wireGraph(graph, scratch));
    }
    runs.push({ graph: known, feeds: await wireFeeds(feeds, packer), fetches });
  }
  return { kind: "run", graphs, runs };
}

async function wireGraph(graph: CapturedGraph, scratch: ScratchFolder): Promise<WireGraph> {
  const modelPath = await scratch.modelPathOf(graph);
  return { digest: graph.digest, modelPath, inputs: graph.inputs, outputs: graph.outputs };
}

async function wireFeeds(feeds: RunRequest["feeds"], packer: TensorPacker): Promise<WireRun["feeds"]> {
  const wired: Record<string, WireSource> = {};
  for (const [name, source] of Object.entries(feeds)) {
    wired[name] = source.kind === "inline" ? { kind: "inline", tensor: await packer.pack(source.tensor) } : source;
  }
  return wired;
}

function feedShapes(request: RunRequest): Map<string, FeedShape | undefined> {
  const wanted = new Map(request.graph.inputs.map((input) => [input.name, input.dtype]));
  return new Map(
    Object.entries(request.feeds).map(([name, source]) => [name, shapeOf(name, source, wanted.get(name))] as const),
  );
}

function shapeOf(name: string, source: TensorSource, wanted: string | undefined): FeedShape | undefined {
  switch (source.kind) {
    case "inline":
      assertHostTensor(name, source.tensor);
      return source.tensor;
    case "object":
      return { dtype: source.dtype === "f16" && wanted === "f32" ? "f32" : source.dtype, shape: source.shape };
    case "random":
      return { dtype: "u16", shape: source.shape };
    case "resident":
      return undefined;
  }
}

function assertFetches({ graph, fetches }: RunRequest): void {
  const known = graph.outputs.map((output) => output.name);
  const residents = new Set<string>();
  if (Object.keys(fetches).length === 0)
    throw new DomainError("INVALID_ARGUMENT", "a run must fetch at least 1 output, got 0");
  for (const [name, sink] of Object.entries(fetches)) {
    if (!known.includes(name)) {
      throw new DomainError("INVALID_ARGUMENT", `"${name}" is no output of the graph, which has ${known.join(", ")}`);
    }
    if (sink.kind !== "resident") continue;
    if (residents.has(sink.name)) {
      throw new DomainError(
        "INVALID_ARGUMENT",
        `two outputs of a run are to be kept as "${sink.name}", at most 1 may be`,
      );
    }
    residents.add(sink.name);
  }
}
