import { assertNotAborted } from "@parfocal/errors";
import { closeableIterable } from "../body.ts";
import type { GetOptions, ObjectStream } from "../object-store.ts";
import { headForRange, isEmptyRange, type OpenBody, openBody } from "./get-object.ts";
import { bodyError, bodyTooLong, truncated } from "./read-body.ts";
import { retried, type S3Context } from "./s3-context.ts";
import { classifyS3Error } from "./s3-error.ts";

/**
 * Reads an object or a range of it as chunks. A body that breaks is continued where it broke, with the version pinned,
 * as long as the tries in a row that bring no byte stay under `maxAttempts`.
 */
export async function streamObject(context: S3Context, key: string, options: GetOptions): Promise<ObjectStream> {
  if (isEmptyRange(options.range)) return { ...(await headForRange(context, key, options)), chunks: none() };
  const first = await retried(context, options.signal, () => openBody(context, context.streamClient, key, options));
  // An error before anybody reads must not end the process.
  first.body.on("error", () => {});
  const chunks = readOn(context, key, options, first);
  return { ...first.info, chunks: closeableIterable(chunks, async () => void first.body.destroy()) };
}

async function* readOn(
  context: S3Context,
  key: string,
  { signal }: GetOptions,
  first: OpenBody,
): AsyncGenerator<Uint8Array, undefined> {
  const { start, end } = first.range;
  let open = first;
  let at = start;
  let nFailures = 0;
  for (;;) {
    try {
      for await (const chunk of chunksOf(open, at - start, end - start, signal)) {
        at += chunk.length;
        nFailures = 0;
        yield chunk;
      }
      return;
    } catch (error) {
      assertNotAborted(signal);
      nFailures += 1;
      if (!isBroken(error) || nFailures >= context.options.maxAttempts) throw error;
    }
    const rest = { range: { start: at, end }, ifMatch: first.info.etag, ...(signal === undefined ? {} : { signal }) };
    open = await retried(context, signal, () => openBody(context, context.streamClient, key, rest));
  }
}

async function* chunksOf(open: OpenBody, nBefore: number, nExpected: number, signal: AbortSignal | undefined) {
  let nBytes = nBefore;
  const onAbort = () => open.body.destroy();
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    assertNotAborted(signal);
    for await (const chunk of open.body as AsyncIterable<Uint8Array>) {
      nBytes += chunk.length;
      if (nBytes > nExpected) throw bodyTooLong(nExpected);
      yield chunk;
    }
    assertNotAborted(signal);
  } catch (error) {
    assertNotAborted(signal);
    throw bodyError(error, nBytes, nExpected);
  } finally {
    signal?.removeEventListener("abort", onAbort);
    open.body.destroy();
  }
  if (nBytes < nExpected) throw truncated(nBytes, nExpected);
}

/** A damaged body is not read again: its first part has been handed out. */
function isBroken(error: unknown): boolean {
  const { error: known, isRetryable } = classifyS3Error(error);
  return isRetryable && known.code !== "CORRUPT";
}

async function* none(): AsyncGenerator<Uint8Array, undefined> {}
