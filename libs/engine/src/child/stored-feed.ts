import type { GraphPort } from "@parfocal/tensor";
import { tensorBytes } from "../element-types.ts";
import type { StoredSource } from "../wire.ts";
import type { ObjectReader } from "./object-reader.ts";
import type { Tensor } from "./onnxruntime.ts";
import type { PendingChecks } from "./pending-checks.ts";
import type { TensorCache } from "./tensor-cache.ts";
import { tensorFromBytes } from "./tensors.ts";

/** Where stored inputs come from. */
export interface StoredContext {
  readonly cache: TensorCache;
  /** Objects whose digest was checked by this process, as `key etag`. */
  readonly verified: Set<string>;
  readonly reader: Pick<ObjectReader, "read">;
}

/** A stored input, and the port it is for. */
export interface StoredFeed {
  readonly name: string;
  readonly source: StoredSource;
  readonly port: GraphPort | undefined;
}

/** What a stored input takes while it is read, bytes. */
export function readingBytes(feed: StoredFeed): number {
  const { dtype, shape, verify } = feed.source;
  const stored = verify?.sizeBytes ?? tensorBytes(dtype, shape);
  return isWidened(feed) ? stored + tensorBytes("f32", shape) : stored;
}

/** What a reading goes by. */
export interface Reading {
  readonly context: StoredContext;
  readonly checks: PendingChecks;
  readonly signal: AbortSignal;
}

/** A stored input that is kept, or else its reading; what is read may still have to be found right by `checks`. */
export function readStored(feed: StoredFeed, reading: Reading): Tensor | Promise<Tensor> {
  return reading.context.cache.get(cacheKeyOf(feed)) ?? read(feed, reading);
}

async function read(feed: StoredFeed, { context, checks, signal }: Reading): Promise<Tensor> {
  const { dtype, shape, verify, ...place } = feed.source;
  const version = `${place.key} ${place.etag}`;
  const isKnown = verify === undefined || context.verified.has(version);
  const source = { ...place, dtype, shape, ...(isKnown ? {} : { verify }) };
  const { bytes, verified } = await context.reader.read(source, isWidened(feed), signal);
  const tensor = tensorFromBytes(isWidened(feed) ? "f32" : dtype, shape, bytes.buffer, bytes.offset);
  const keep = () => context.cache.put(cacheKeyOf(feed), tensor, bytes.size);
  if (verified === undefined) keep();
  else checks.add(verified.then(() => remember(context.verified, version)).then(keep));
  return tensor;
}

/** Whether halves are stored where the graph takes 32 bits. */
function isWidened({ source, port }: StoredFeed): boolean {
  return source.dtype === "f16" && port?.dtype === "f32";
}

function cacheKeyOf(feed: StoredFeed): string {
  const { key, etag, offsetBytes, dtype, shape } = feed.source;
  return JSON.stringify([key, etag, offsetBytes, dtype, shape, isWidened(feed)]);
}

/** Versions remembered as verified: some 20 MB of keys at most. Beyond it all are verified anew. */
const MAX_VERIFIED = 100_000;

function remember(verified: Set<string>, version: string): void {
  if (verified.size >= MAX_VERIFIED) verified.clear();
  verified.add(version);
}
