import { DomainError } from "@parfocal/errors";
import { type ObjectStore, readThenVerify } from "@parfocal/store";
import type { GraphPort } from "@parfocal/tensor";
import { tensorBytes } from "../element-types.ts";
import type { TensorSource } from "../engine-port.ts";
import { createRandomWords } from "../random-words.ts";
import type { WireSource } from "../wire.ts";
import type { Tensor } from "./onnxruntime.ts";
import type { PendingChecks } from "./pending-checks.ts";
import type { Residents } from "./residents.ts";
import type { TensorCache } from "./tensor-cache.ts";
import { tensorFromBytes, tensorFromMessage, tensorFromWire, widenHalves } from "./tensors.ts";

/** Where feeds come from. */
export interface FeedContext {
  readonly residents: Residents;
  readonly cache: TensorCache;
  /** Objects whose digest was checked by this process, as `key etag`. */
  readonly verified: Set<string>;
  /** Opens the store at the first use. */
  openStore(): Promise<ObjectStore>;
}

type ObjectSource = Extract<TensorSource, { kind: "object" }>;

/** How to get a tensor that has to be waited for. */
export type FeedReader = (signal: AbortSignal) => Promise<Tensor>;

/**
 * The tensor of one source, ready to feed into `port`, or how to read it; what is read may still have to be found right by `checks`. A small step finds all it needs here, and waits and
 * signals for each of its feeds would cost a fifth of its time.
 */
export function feedFrom(
  source: WireSource,
  port: GraphPort | undefined,
  context: FeedContext,
  checks: PendingChecks,
): Tensor | FeedReader {
  switch (source.kind) {
    case "inline": {
      const { tensor } = source;
      return "path" in tensor ? () => tensorFromWire(tensor) : tensorFromMessage(tensor);
    }
    case "resident":
      return context.residents.get(source.name);
    case "random":
      return tensorFromBytes("u16", source.shape, createRandomWords(source).buffer);
    case "object":
      return (
        context.cache.get(cacheKeyOf(source, isWidened(source, port))) ??
        ((signal) => readObject(source, port, { context, checks, signal }))
      );
  }
}

interface Reading {
  readonly context: FeedContext;
  readonly checks: PendingChecks;
  readonly signal: AbortSignal;
}

async function readObject(source: ObjectSource, port: GraphPort | undefined, reading: Reading): Promise<Tensor> {
  const isWider = isWidened(source, port);
  const { dtype, shape } = source;
  const { bytes, verified } = await readBytes(source, reading);
  const { buffer, offset } = bytes;
  const tensor = isWider ? widenHalves(shape, buffer, offset) : tensorFromBytes(dtype, shape, buffer, offset);
  const keep = () =>
    reading.context.cache.put(cacheKeyOf(source, isWider), tensor, isWider ? tensorBytes("f32", shape) : bytes.size);
  if (verified === undefined) keep();
  else reading.checks.add(verified.then(keep));
  return tensor;
}

/** Whether halves are stored where the graph takes 32 bits. */
function isWidened({ dtype }: ObjectSource, port: GraphPort | undefined): boolean {
  return dtype === "f16" && port?.dtype === "f32";
}

function cacheKeyOf({ key, etag, offsetBytes, dtype, shape }: ObjectSource, isWider: boolean): string {
  return JSON.stringify([key, etag, offsetBytes, dtype, shape, isWider]);
}

/** Versions remembered as verified: some 20 MB of keys at most. Beyond it all are verified anew. */
const MAX_VERIFIED = 100_000;

/** Bytes that begin at `offset` of a buffer that keeps `size` bytes alive. */
interface SourceBytes {
  readonly buffer: ArrayBufferLike;
  readonly offset: number;
  readonly size: number;
}

interface ReadBytes {
  readonly bytes: SourceBytes;
  /** Absent: there is nothing to wait for. */
  readonly verified?: Promise<void>;
}

/** The bytes of a source; those of an object that is to be verified come with the whole of it at the first use. */
async function readBytes(source: ObjectSource, { context, signal }: Reading): Promise<ReadBytes> {
  const store = await context.openStore();
  const version = `${source.key} ${source.etag}`;
  if (source.verify === undefined || context.verified.has(version)) {
    const buffer = await readRange(source, store, signal);
    return { bytes: { buffer, offset: 0, size: buffer.byteLength } };
  }
  const whole = await readThenVerify(store, source.key, { ...source.verify, signal });
  const verified = whole.verified.then(() => remember(context.verified, version));
  const end = source.offsetBytes + tensorBytes(source.dtype, source.shape);
  if (end > whole.bytes.byteLength) {
    await verified;
    throw new DomainError(
      "TRUNCATED",
      `the tensor ends at byte ${end} of an object of ${whole.bytes.byteLength} bytes`,
    );
  }
  return { bytes: alignedBytes(whole.bytes, source.offsetBytes, end), verified };
}

function remember(verified: Set<string>, version: string): void {
  if (verified.size >= MAX_VERIFIED) verified.clear();
  verified.add(version);
}

/** The runtime's loops and typed arrays want aligned memory: canonical bags have it, other objects are copied. */
const ALIGNMENT_BYTES = 64;

function alignedBytes(whole: Uint8Array, start: number, end: number): SourceBytes {
  if (start % ALIGNMENT_BYTES === 0) return { buffer: whole.buffer, offset: start, size: whole.byteLength };
  const { buffer } = new Uint8Array(whole.subarray(start, end));
  return { buffer, offset: 0, size: end - start };
}

async function readRange(source: ObjectSource, store: ObjectStore, signal: AbortSignal): Promise<ArrayBuffer> {
  const start = source.offsetBytes;
  const needed = tensorBytes(source.dtype, source.shape);
  if (needed === 0) return new ArrayBuffer(0);
  const range = { start, end: start + needed };
  const { bytes } = await store.get(source.key, { range, ifMatch: source.etag, signal });
  if (bytes.byteLength !== needed) {
    throw new DomainError("TRUNCATED", `a range of ${needed} bytes came back with ${bytes.byteLength}`);
  }
  // Stores may hand out a view into a pool; the runtime wants its own, aligned buffer.
  const { buffer } = bytes;
  const isWhole = bytes.byteOffset === 0 && buffer.byteLength === needed && buffer instanceof ArrayBuffer;
  return isWhole ? buffer : new Uint8Array(bytes).buffer;
}
