import { DomainError } from "@parfocal/errors";
import { assertFeeds, type FeedShape } from "../check-feeds.ts";
import type { HostTensor, WrittenObject } from "../engine-port.ts";
import type { WireGraph, WireRun, WireRunResult } from "../wire.ts";
import { createTensorPacker, packTensors } from "../wire-tensor.ts";
import { type FeedContext, type FeedReader, feedFrom } from "./feed-sources.ts";
import type { Tensor } from "./onnxruntime.ts";
import { outputTargets } from "./output-targets.ts";
import type { PendingChecks } from "./pending-checks.ts";
import { createReadAhead, type EarlyFeeds } from "./read-ahead.ts";
import { freeTensor } from "./residents.ts";
import { errorFromRuntime } from "./runtime-errors.ts";
import type { SessionCache } from "./session-cache.ts";
import { elementOf, hostFromTensor } from "./tensors.ts";
import { writeOutput } from "./write-output.ts";

/** What runs need. */
export interface RunContext extends FeedContext {
  readonly sessions: SessionCache;
  /** Where outputs too large for a message pass through. */
  readonly transferDir: string;
}

/**
 * Runs one after the other. Each run of the runtime begins in a turn of the event loop of its own, so a cancel that
 * came meanwhile is seen between two runs.
 *
 * @throws {DomainError} whatever the first failing run did, with its index as the detail `run`
 */
export async function runSequence(
  graphs: readonly WireGraph[],
  runs: readonly WireRun[],
  context: RunContext,
  signal: AbortSignal,
): Promise<WireRunResult[]> {
  const results: WireRunResult[] = [];
  const ahead = createReadAhead(graphs, runs, context, signal);
  try {
    for (const [index, run] of runs.entries()) {
      try {
        results.push(await runOne(graphAt(graphs, run.graph), run, { context, early: ahead.take(index), signal }));
      } catch (error) {
        throw errorOfRun(error, index);
      }
    }
  } finally {
    await ahead.close();
  }
  return results;
}

function errorOfRun(error: unknown, index: number): DomainError {
  const known = errorFromRuntime(error);
  const details = { ...known.details, run: String(index) };
  return new DomainError(known.code, known.message, { details, cause: error });
}

interface Turn {
  readonly context: RunContext;
  readonly early: EarlyFeeds;
  readonly signal: AbortSignal;
}

async function runOne(graph: WireGraph, run: WireRun, { context, early, signal }: Turn): Promise<WireRunResult> {
  const session = await context.sessions.get(graph);
  const { checks } = early;
  const feeds = await readFeeds(graph, run, { context, early, checks, signal });
  // Rows of a resident tensor are written by the run itself.
  if (isWritingInPlace(run)) await checks.settle();
  if (signal.aborted) throw new DomainError("CANCELLED", "the sequence was cancelled between two runs");
  const targets = outputTargets(graph, run, context.residents);
  const startMs = performance.now();
  try {
    const fetched = (await session.run(feeds, targets)) as Record<string, Tensor>;
    const engineMs = performance.now() - startMs;
    await checks.settle();
    return { ...(await deliver(run, fetched, { context, signal })), engineMs };
  } catch (error) {
    // Inputs that are not what they should be are the reason, whatever came of them.
    await checks.settle();
    throw error;
  }
}

function isWritingInPlace({ fetches }: WireRun): boolean {
  return Object.values(fetches).some((sink) => sink.kind === "resident" && sink.rows !== undefined);
}

interface Reading {
  readonly context: RunContext;
  readonly early: EarlyFeeds;
  readonly checks: PendingChecks;
  readonly signal: AbortSignal;
}

async function readFeeds(
  graph: WireGraph,
  run: WireRun,
  { context, early, checks, signal }: Reading,
): Promise<Record<string, Tensor>> {
  const ports = new Map(graph.inputs.map((input) => [input.name, input]));
  const feeds: Record<string, Tensor> = {};
  const readers: [string, FeedReader][] = [];
  for (const [name, source] of Object.entries(run.feeds)) {
    const reading = early.tensors.get(name);
    const feed = reading === undefined ? feedFrom(source, ports.get(name), context, checks) : () => reading;
    if (typeof feed === "function") readers.push([name, feed]);
    else feeds[name] = feed;
  }
  if (readers.length > 0) Object.assign(feeds, await readTogether(readers, signal));
  assertFeeds(graph.inputs, shapesOf(feeds));
  return feeds;
}

/** Reads side by side. The first failure ends the other reads, which are waited for. */
async function readTogether(
  readers: readonly (readonly [string, FeedReader])[],
  signal: AbortSignal,
): Promise<Record<string, Tensor>> {
  const siblings = new AbortController();
  const either = AbortSignal.any([signal, siblings.signal]);
  const read = readers.map(async ([name, reader]) => {
    try {
      return [name, await reader(either)] as const;
    } catch (error) {
      // Aborting gives the siblings this very error as their reason: whichever is reported first is the cause.
      siblings.abort(errorFromRuntime(error));
      throw error;
    }
  });
  await Promise.allSettled(read);
  return Object.fromEntries(await Promise.all(read));
}

function shapesOf(feeds: Readonly<Record<string, Tensor>>): Map<string, FeedShape> {
  return new Map(
    Object.entries(feeds).map(([name, tensor]) => [name, { dtype: elementOf(tensor), shape: tensor.dims }] as const),
  );
}

async function deliver(
  run: WireRun,
  fetched: Readonly<Record<string, Tensor>>,
  { context, signal }: Pick<Turn, "context" | "signal">,
): Promise<Pick<WireRunResult, "outputs" | "objects">> {
  const outputs: Record<string, HostTensor> = {};
  const objects: Record<string, WrittenObject> = {};
  for (const [name, sink] of Object.entries(run.fetches)) {
    const tensor = fetched[name];
    if (tensor === undefined) throw new DomainError("INTERNAL", `the runtime gave no output "${name}"`);
    if (sink.kind === "inline") outputs[name] = hostFromTensor(tensor);
    else if (sink.kind === "object") {
      objects[name] = await writeOutput(tensor, sink, { store: await context.openStore(), signal });
    } else if (sink.rows === undefined) context.residents.set(sink.name, tensor);
  }
  // The parent takes the files away when it has read them.
  const packed = await packTensors(outputs, createTensorPacker(context.transferDir));
  for (const [name, wire] of Object.entries(packed)) if ("path" in wire) freeTensor(fetched[name]);
  for (const name of Object.keys(objects)) freeTensor(fetched[name]);
  return { outputs: packed, ...(Object.keys(objects).length > 0 && { objects }) };
}

function graphAt(graphs: readonly WireGraph[], index: number): WireGraph {
  const graph = graphs[index];
  if (graph === undefined) throw new DomainError("INTERNAL", `run names graph ${index} of ${graphs.length}`);
  return graph;
}
