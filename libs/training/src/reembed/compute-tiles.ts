import type { BagHeader, BagRef } from "@parfocal/bags";
import type { Engine, HostTensor, RunRequest, TensorSource } from "@parfocal/engine";
import type { ReembedGraphs, ReembedHalves } from "@parfocal/models";
import type { ObjectStore } from "@parfocal/store";
import { type CapturedGraph, captureGraph, type tf } from "@parfocal/tensor";
import { viewOfHostTensor } from "../host-tensor.ts";
import { makeSides, type RowSides, type SideTaker } from "../sides/make-sides.ts";
import { type BagSides, type RowBlock, streamBag } from "./bag-stream.ts";

/** What {@link computeTiles} needs. */
export interface ComputeOptions {
  readonly engine: Engine;
  readonly store: ObjectStore;
  readonly graphs: ReembedGraphs;
  /** The model that the graphs are of. */
  readonly model: SideTaker;
  /** Prefix of what the runs leave in the engine meanwhile; no other call may use it. */
  readonly scratch: string;
  readonly signal: AbortSignal;
  /** Rows that pass the stem at a time. Default: 4096, and fewer of wide tiles. */
  readonly blockRows?: number;
}

/** Re-embedded tiles with what lies beside them. */
export interface ComputedTiles {
  /** `[n, D']`, as many as `rows` says. */
  readonly tiles: Float32Array<ArrayBuffer>;
  readonly rows: RowSides;
}

/** Rows of a block: enough for the runtime's matrix products to be at their best. */
const BLOCK_ROWS = 4096;

/** Most bytes of a block widened to f32: a few of them are in memory at a time. */
const MAX_BLOCK_BYTES = 64 * 1024 * 1024;

/**
 * Re-embeds one bag, reading it once while it computes, verified before the result is given. Large bags pass the stem block
 * by block, so that of `[N, D]` only a few blocks are ever in memory. Yields the number of rows that were read.
 *
 * @throws {DomainError} `CORRUPT` when the bag is not what its reference says; what store and engine throw.
 */
export async function* computeTiles(
  ref: BagRef,
  header: BagHeader,
  options: ComputeOptions,
): AsyncGenerator<number, ComputedTiles, undefined> {
  const { halves } = options.graphs;
  const blockRows = options.blockRows ?? Math.max(64, Math.min(BLOCK_ROWS, Math.floor(MAX_BLOCK_BYTES / (4 * ref.d))));
  if (halves === undefined || header.n <= blockRows) return yield* computeWhole(ref, header, options);
  return yield* computeInBlocks(ref, header, { ...options, halves, blockRows });
}

async function* computeWhole(
  ref: BagRef,
  header: BagHeader,
  { engine, store, graphs, model, scratch, signal }: ComputeOptions,
): AsyncGenerator<number, ComputedTiles, undefined> {
  const { sides, blocks } = streamBag(store, ref, header, { blockRows: header.n, signal });
  // All rows are one block; what lies behind them in the file is there when the stream has ended.
  const features: ReturnType<typeof featureFeed>[] = [];
  for await (const block of blocks) features.push(featureFeed(block, header, scratch));
  const { feeds: beside, rows } = sideFeeds(model, sides, header);
  const runs = features.flatMap(({ before, source }): RunRequest[] => {
    const feeds = { features: source, ...beside };
    return [...before, { graph: graphs.whole, feeds, fetches: { tiles: { kind: "inline" } } }];
  });
  const results = await engine.run(runs, { signal });
  yield header.n;
  return { tiles: viewOfHostTensor(results.at(-1)?.outputs.tiles, "tiles"), rows };
}

async function* computeInBlocks(
  ref: BagRef,
  header: BagHeader,
  options: ComputeOptions & { readonly halves: ReembedHalves; readonly blockRows: number },
): AsyncGenerator<number, ComputedTiles, undefined> {
  const { engine, store, halves, blockRows, scratch, signal } = options;
  const { sides, blocks } = streamBag(store, ref, header, { blockRows, signal });
  const name = `${scratch}rows`;
  let running: Promise<unknown> = Promise.resolve();
  for await (const block of blocks) {
    // One block is computed while the next one is read.
    await running;
    const part = { first: block.first, count: block.nRows, total: header.n };
    const { before, source } = featureFeed(block, header, scratch);
    const stem: RunRequest = {
      graph: halves.stem,
      feeds: { features: source },
      fetches: { rows: { kind: "resident", name, rows: part } },
    };
    running = engine.run([...before, stem], { signal });
    // Awaited a turn later: until then its failure must not count as unhandled.
    running.catch(() => undefined);
    yield block.first + block.nRows;
  }
  await running;
  const { feeds: beside, rows } = sideFeeds(options.model, sides, header);
  const body: RunRequest = {
    graph: halves.body,
    feeds: { rows: { kind: "resident", name }, ...beside },
    fetches: { tiles: { kind: "inline" } },
  };
  const [result] = await engine.run([body], { signal });
  return { tiles: viewOfHostTensor(result?.outputs.tiles, "tiles"), rows };
}

/** Rows as a feed in f32. Halves are widened by the engine, in a run of their own. */
function featureFeed(
  { nRows, bytes }: RowBlock,
  { d, features }: BagHeader,
  scratch: string,
): { readonly before: RunRequest[]; readonly source: TensorSource } {
  const tensor: HostTensor = { dtype: features.dtype === "F16" ? "f16" : "f32", shape: [nRows, d], data: bytes };
  const source: TensorSource = { kind: "inline", tensor };
  if (tensor.dtype === "f32") return { before: [], source };
  const wide = { kind: "resident", name: `${scratch}wide` } as const;
  return { before: [{ graph: widenGraph(d), feeds: { half: source }, fetches: { wide } }], source: wide };
}

/** `half` f16 `[N, D]` to `wide` f32, exact. */
function widenGraph(d: number): CapturedGraph {
  return captureGraph({
    name: "widen",
    inputs: [{ name: "half", dtype: "f16", shape: ["N", d] }],
    build: ({ half }) => ({ wide: half as tf.Tensor }),
  });
}

/** The inputs of a graph beyond its features, and what lies beside the rows that it gives. */
function sideFeeds(model: SideTaker, sides: BagSides, { n, metadata }: BagHeader) {
  const { tensors, rows } = makeSides(model, { n, metadata, ...sides });
  const feeds = Object.entries(tensors).map(([name, tensor]) => [name, { kind: "inline", tensor } as const] as const);
  return { feeds: Object.fromEntries<TensorSource>(feeds), rows };
}
