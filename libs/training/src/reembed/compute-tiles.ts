import { type BagHeader, type BagRef, encodeBagFrame } from "@parfocal/bags";
import type { Engine, HostTensor, RunRequest, RunResult, TensorSink, TensorSource } from "@parfocal/engine";
import { DomainError } from "@parfocal/errors";
import type { Model, ReembedGraphs, ReembedHalves } from "@parfocal/models";
import type { ObjectStore } from "@parfocal/store";
import { type CapturedGraph, captureGraph, type tf } from "@parfocal/tensor";
import { featureSource } from "../bag-inputs.ts";
import { makeSides, type RowSides, type SideTaker } from "../sides/make-sides.ts";
import { readSides } from "../sides/read-sides.ts";
import { type BagSides, type RowBlock, streamBag } from "./bag-stream.ts";

/** What {@link computeTiles} needs. */
export interface ComputeOptions {
  readonly engine: Engine;
  readonly store: ObjectStore;
  readonly graphs: ReembedGraphs;
  /** The model that the graphs are of. */
  readonly model: SideTaker & Pick<Model, "tileWidth">;
  /** Folder of the store that the re-embedded bag goes into. */
  readonly folder: string;
  /** What the re-embedded bag says of itself beside what is known of the slide. */
  readonly facts: Pick<RowSides["metadata"], "encoder" | "sourceDigest" | "fileDigest" | "importer">;
  /** Prefix of what the runs leave in the engine meanwhile; no other call may use it. */
  readonly scratch: string;
  readonly signal: AbortSignal;
  /** Rows that pass the stem at a time where the bag is streamed. Default: 4096, and fewer of wide tiles. */
  readonly blockRows?: number;
  /** Features, in bytes as f32, up to which the engine reads a bag whole. Default 128 MiB. */
  readonly wholeBytes?: number;
}

/** Rows of a block: enough for the runtime's matrix products to be at their best. */
const BLOCK_ROWS = 4096;

/** Most bytes of a block widened to f32: a few of them are in memory at a time. */
const MAX_BLOCK_BYTES = 64 * 1024 * 1024;

/** Up to here reading a bag beside its computation saves less than handing its rows to the engine costs. */
const WHOLE_BYTES = 128 * 1024 * 1024;

/**
 * Re-embeds one bag into the store: f32, its rows with what lies beside them. What was read is verified before the result is
 * there. Ordinary bags are read by the engine; large ones pass the stem block by block as they arrive, so that of `[N, D]`
 * only a few blocks are ever in memory. Of these it yields the number of rows that were read.
 *
 * @throws {DomainError} `CORRUPT` when the bag is not what its reference says; `NON_FINITE` when a re-embedded tile is; what
 * store and engine throw.
 */
export async function* computeTiles(
  ref: BagRef,
  header: BagHeader,
  options: ComputeOptions,
): AsyncGenerator<number, BagRef, undefined> {
  const { halves } = options.graphs;
  const isWhole = 4 * ref.n * ref.d <= (options.wholeBytes ?? WHOLE_BYTES);
  if (halves === undefined || isWhole) return await computeWhole(ref, header, options);
  const blockRows = options.blockRows ?? Math.max(64, Math.min(BLOCK_ROWS, Math.floor(MAX_BLOCK_BYTES / (4 * ref.d))));
  return yield* computeInBlocks(ref, header, { ...options, halves, blockRows });
}

async function computeWhole(ref: BagRef, header: BagHeader, options: ComputeOptions): Promise<BagRef> {
  const { engine, store, graphs, signal } = options;
  // Ranges of the version that the engine is about to verify as a whole.
  const sides = await readSides(store, ref, header, ["coords", "level"], signal);
  const { feeds: beside, rows } = sideFeeds(options.model, sides, header);
  const feeds = { features: featureSource(ref, header), ...beside };
  const [result] = await engine.run([{ graph: graphs.whole, feeds, fetches: { tiles: tileSink(rows, options) } }], {
    signal,
  });
  return writtenBag(result, rows, options);
}

/** Where the re-embedded tiles go: a bag in the store, which the engine writes. */
function tileSink(rows: RowSides, { folder, facts, model }: ComputeOptions): TensorSink {
  const d = model.tileWidth;
  const frame = encodeBagFrame({ ...rows, d, metadata: { ...rows.metadata, ...facts } }, "F32");
  return { kind: "object", keyPrefix: folder, keySuffix: ".safetensors", shape: [rows.n, d], ...frame };
}

function writtenBag(result: RunResult | undefined, rows: RowSides, { model }: ComputeOptions): BagRef {
  const object = result?.objects?.tiles;
  if (object === undefined) throw new DomainError("INTERNAL", "the engine says of no bag that it wrote it");
  return { ...object, n: rows.n, d: model.tileWidth, dtype: "F32", hasCoords: rows.coords !== undefined };
}

async function* computeInBlocks(
  ref: BagRef,
  header: BagHeader,
  options: ComputeOptions & { readonly halves: ReembedHalves; readonly blockRows: number },
): AsyncGenerator<number, BagRef, undefined> {
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
    fetches: { tiles: tileSink(rows, options) },
  };
  const [result] = await engine.run([body], { signal });
  return writtenBag(result, rows, options);
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
