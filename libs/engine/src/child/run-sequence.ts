import { DomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import { assertFeeds, type FeedShape } from "../check-feeds.ts";
import type { HostTensor, WrittenObject } from "../engine-port.ts";
import type { RunWork, WireGraph, WireRun, WireRunResult } from "../wire.ts";
import { createTensorPacker, discardTensors, packTensors } from "../wire-tensor.ts";
import { feedFrom } from "./feed-sources.ts";
import { releaseFeeds, type StoredFeeds } from "./line.ts";
import type { Tensor } from "./onnxruntime.ts";
import { outputTargets } from "./output-targets.ts";
import type { ReadAhead } from "./read-ahead.ts";
import { freeTensor, type Residents } from "./residents.ts";
import { errorFromRuntime } from "./runtime-errors.ts";
import type { SessionCache } from "./session-cache.ts";
import type { SharedTensor } from "./shared-tensor.ts";
import { elementOf, hostFromTensor } from "./tensors.ts";
import { writeOutput } from "./write-output.ts";

/** What runs need. */
export interface RunContext {
  readonly residents: Residents;
  readonly ahead: ReadAhead;
  readonly sessions: SessionCache;
  /** Where outputs too large for a message pass through. */
  readonly transferDir: string;
  /** Opens the store at the first use. */
  openStore(): Promise<ObjectStore>;
}

/**
 * Runs one after the other. Each run of the runtime begins in a turn of the event loop of its own, so a cancel that
 * came meanwhile is seen between two runs.
 *
 * @throws {DomainError} whatever the first failing run did, with its index as the detail `run`
 */
export async function runSequence(work: RunWork, context: RunContext, signal: AbortSignal): Promise<WireRunResult[]> {
  const results: WireRunResult[] = [];
  const feeds = context.ahead.enter(work, signal);
  try {
    for (const [index, run] of work.runs.entries()) {
      const stored = feeds.take(index);
      try {
        const graph = graphAt(work.graphs, run.graph);
        results.push(await runOne(graph, run, { context, stored, signal }));
      } catch (error) {
        // The parent hears of the failure alone.
        for (const { outputs } of results) await discardTensors(outputs);
        throw errorOfRun(error, index);
      } finally {
        releaseFeeds(stored);
      }
    }
  } finally {
    await feeds.close();
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
  readonly stored: StoredFeeds;
  readonly signal: AbortSignal;
}

async function runOne(graph: WireGraph, run: WireRun, { context, stored, signal }: Turn): Promise<WireRunResult> {
  const session = await context.sessions.get(graph);
  const { tensors, checks } = stored;
  const feeds = await feedsOf(graph, run, { context, tensors });
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

/** Of a stored input the tensor alone: the sequence holds it until the run is over. */
function tensorOf(stored: SharedTensor | Promise<SharedTensor> | undefined): Tensor | Promise<Tensor> | undefined {
  return stored instanceof Promise ? stored.then(({ tensor }) => tensor) : stored?.tensor;
}

async function feedsOf(
  graph: WireGraph,
  run: WireRun,
  { context, tensors }: Pick<Turn, "context"> & Pick<StoredFeeds, "tensors">,
): Promise<Record<string, Tensor>> {
  const feeds: Record<string, Tensor> = {};
  const waited: [string, Promise<Tensor>][] = [];
  for (const [name, source] of Object.entries(run.feeds)) {
    const feed = source.kind === "object" ? tensorOf(tensors.get(name)) : feedFrom(source, context.residents);
    if (feed instanceof Promise) waited.push([name, feed]);
    else if (feed !== undefined) feeds[name] = feed;
  }
  if (waited.length > 0) Object.assign(feeds, await together(waited));
  assertFeeds(graph.inputs, shapesOf(feeds));
  return feeds;
}

/** The first failure is the cause; what the others read ends with the sequence. */
async function together(waited: readonly (readonly [string, Promise<Tensor>])[]): Promise<Record<string, Tensor>> {
  return Object.fromEntries(await Promise.all(waited.map(async ([name, tensor]) => [name, await tensor] as const)));
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
