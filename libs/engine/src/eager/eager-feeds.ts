import { type ObjectStore, readVerified } from "@parfocal/store";
import type { tf } from "@parfocal/tensor";
import type { TensorCache } from "../child/tensor-cache.ts";
import { tensorBytes } from "../element-types.ts";
import type { RunRequest, TensorSource } from "../engine-port.ts";
import { createRandomWords } from "../random-words.ts";
import { type PlainValues, plainValues, tensorOf } from "./eager-tensors.ts";

/** The tensors of a run, some of them made for it alone. */
interface EagerFeeds {
  readonly tensors: Readonly<Record<string, tf.Tensor>>;
  /** Frees those that were made for it. */
  dispose(): void;
}

/** Reads the feeds of a run. */
export type FeedReader = (request: RunRequest, signal: AbortSignal | undefined) => Promise<EagerFeeds>;

type ObjectSource = Extract<TensorSource, { kind: "object" }>;

/**
 * Reads feeds from where they are. Stored tensors are kept in `cache` as values, on this side of the device: a bag is copied there at
 * each use.
 *
 * @param backend name of the backend on which feeds are made.
 * @param resident the tensors that runs left; throws `STATE_LOST`.
 */
export function createFeedReader(
  store: ObjectStore,
  cache: TensorCache<PlainValues>,
  backend: string,
  resident: (name: string) => tf.Tensor,
): FeedReader {
  const valuesOf = async (source: ObjectSource, signal: AbortSignal | undefined): Promise<PlainValues> => {
    const { key, etag, offsetBytes, dtype, shape } = source;
    const name = JSON.stringify([key, etag, offsetBytes, dtype, shape]);
    const kept = cache.get(name);
    if (kept !== undefined) return kept;
    const values = plainValues(dtype, await readBytes(store, source, signal));
    cache.put(name, values, values.byteLength);
    return values;
  };
  const tensorFrom = async (source: TensorSource, signal: AbortSignal | undefined): Promise<tf.Tensor> => {
    switch (source.kind) {
      case "inline":
        return tensorOf(plainValues(source.tensor.dtype, source.tensor.data), source.tensor.shape, backend);
      case "random":
        return tensorOf(Int32Array.from(createRandomWords(source)), source.shape, backend);
      case "object":
        return tensorOf(await valuesOf(source, signal), source.shape, backend);
      case "resident":
        return resident(source.name);
    }
  };
  return async ({ feeds }, signal) => {
    const made: tf.Tensor[] = [];
    const tensors: Record<string, tf.Tensor> = {};
    for (const [name, source] of Object.entries(feeds)) {
      const tensor = await tensorFrom(source, signal);
      tensors[name] = tensor;
      if (source.kind !== "resident") made.push(tensor);
    }
    return { tensors, dispose: () => made.forEach((tensor) => void tensor.dispose()) };
  };
}

/** The bytes of a stored tensor; an object that is to be verified is read whole, and checked before anything is made of it. */
async function readBytes(
  store: ObjectStore,
  source: ObjectSource,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const { key, etag, offsetBytes, dtype, shape, verify } = source;
  const end = offsetBytes + tensorBytes(dtype, shape);
  const options = signal === undefined ? {} : { signal };
  if (verify === undefined) {
    const { bytes } = await store.get(key, { ...options, ifMatch: etag, range: { start: offsetBytes, end } });
    return bytes;
  }
  return (await readVerified(store, key, { ...verify, ...options })).subarray(offsetBytes, end);
}
