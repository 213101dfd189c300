import type { GraphPort } from "@parfocal/tensor";
import { tensorBytes } from "../element-types.ts";
import type { StoredSource } from "../wire.ts";
import type { ObjectReader } from "./object-reader.ts";
import type { PendingChecks } from "./pending-checks.ts";
import { type SharedTensor, shareTensor } from "./shared-tensor.ts";
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

/**
 * A stored input that is kept, or else its reading; what is read may still have to be found right by `checks`. The caller holds it
 * and releases it.
 */
export function readStored(feed: StoredFeed, reading: Reading): SharedTensor | Promise<SharedTensor> {
  const kept = reading.context.cache.get(cacheKeyOf(feed));
  kept?.hold();
  return kept ?? read(feed, reading);
}

async function read(feed: StoredFeed, { context, checks, signal }: Reading): Promise<SharedTensor> {
  const { dtype, shape, verify, ...place } = feed.source;
  const version = `${place.key} ${place.etag}`;
  const isKnown = verify === undefined || context.verified.has(version);
  const source = { ...place, dtype, shape, ...(isKnown ? {} : { verify }) };
  const { bytes, verified, giveBack } = await context.reader.read(source, isWidened(feed), signal);
  const tensor = tensorFromBytes(isWidened(feed) ? "f32" : dtype, shape, bytes.buffer, bytes.offset);
  const shared = shareTensor(tensor, giveBack);
  const keep = () => context.cache.put(cacheKeyOf(feed), shared, bytes.size);
  if (verified === undefined) keep();
  else
    checks.add(
      keepVerified(
        shared,
        verified.then(() => remember(context.verified, version)),
        keep,
      ),
    );
  return shared;
}

/** Keeps what is found right; it is held meanwhile, as another thread reads it. */
async function keepVerified(shared: SharedTensor, verified: Promise<void>, keep: () => void): Promise<void> {
  shared.hold();
  try {
    await verified;
    keep();
  } finally {
    shared.release();
  }
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
