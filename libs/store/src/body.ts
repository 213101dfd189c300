import { assertNotAborted, orAborted } from "@parfocal/errors";

/** What a put takes. */
export type PutBody = Uint8Array | AsyncIterable<Uint8Array>;

/**
 * The chunks of a body, ending at once when `signal` fires even while the source is silent. The source is told to stop.
 *
 * @throws {DomainError} CANCELLED or DEADLINE_EXCEEDED when the signal fires; whatever the source throws, unchanged.
 */
export async function* chunksOfBody(body: PutBody, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  assertNotAborted(signal);
  if (body instanceof Uint8Array) {
    if (body.length > 0) yield body;
    return;
  }
  const source = body[Symbol.asyncIterator]();
  let isDone = false;
  try {
    for (;;) {
      const next = await orAborted(source.next(), signal);
      isDone = next.done === true;
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    // A source that never answers must not hold the caller: it is told, not waited for.
    if (!isDone) void source.return?.().then(undefined, () => undefined);
  }
}

/** Resolves after `ms`, or rejects as soon as the signal fires. */
export async function delay(ms: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  try {
    await orAborted(promise, signal);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The chunks of a generator that holds something open. A generator that was never asked for a chunk runs no `finally`,
 * so returning such a one calls `close` instead.
 */
export function closeableIterable(
  chunks: AsyncGenerator<Uint8Array, undefined>,
  close: () => Promise<void>,
): AsyncIterable<Uint8Array> {
  let isBegun = false;
  const iterator: AsyncIterator<Uint8Array> = {
    next: () => {
      isBegun = true;
      return chunks.next();
    },
    return: async () => {
      if (!isBegun) await close();
      return chunks.return(undefined);
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}
