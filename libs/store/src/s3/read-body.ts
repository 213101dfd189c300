import { Readable } from "node:stream";
import { abortErrorFromSignal, DomainError } from "@parfocal/errors";
import { classifyS3Error } from "./s3-error.ts";

/** A body must be a Node stream: the SDK gives other kinds only in browsers. */
export function readableOf(body: unknown): Readable {
  if (body instanceof Readable) return body;
  throw new DomainError("INTERNAL", "the answer has no body");
}

/**
 * Reads a body into `target`, giving the number of bytes so far after each chunk. The body must have exactly as many
 * bytes as the target; the connection is dropped otherwise.
 *
 * @throws {DomainError} TRUNCATED when it ends early; CORRUPT when it is longer or fails its checksum; UNREACHABLE when
 *   it stalls; CANCELLED or DEADLINE_EXCEEDED when the signal fires.
 */
export async function readBodyInto(
  body: Readable,
  target: Uint8Array,
  signal: AbortSignal | undefined,
  onProgress: (nBytes: number) => void = () => {},
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let nBytes = 0;
  const onAbort = () => body.destroy(signal === undefined ? undefined : abortErrorFromSignal(signal));
  body.on("data", (chunk: Uint8Array) => {
    if (nBytes + chunk.length > target.length) {
      body.destroy(bodyTooLong(target.length));
      return;
    }
    target.set(chunk, nBytes);
    nBytes += chunk.length;
    onProgress(nBytes);
  });
  body.on("end", () => (nBytes === target.length ? resolve() : reject(truncated(nBytes, target.length))));
  body.on("error", (error) => reject(bodyError(error, nBytes, target.length)));
  body.on("close", () => reject(truncated(nBytes, target.length)));
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted) onAbort();
  try {
    await promise;
  } finally {
    signal?.removeEventListener("abort", onAbort);
    body.destroy();
  }
}

/** The {@link DomainError} of a body that failed after `nBytes`: what is not known to be something else is a cut. */
export function bodyError(error: unknown, nBytes: number, expectedBytes: number): DomainError {
  if (error instanceof DomainError) return error;
  const { error: mapped } = classifyS3Error(error);
  const isTimeout = error instanceof Error && error.name === "TimeoutError";
  return mapped.code === "CORRUPT" || isTimeout ? mapped : truncated(nBytes, expectedBytes, error);
}

/** The error of a body that goes on beyond its end. */
export function bodyTooLong(expectedBytes: number): DomainError {
  return new DomainError("CORRUPT", `the body is longer than the ${expectedBytes} bytes announced`);
}

/** The error of a body that ended early. */
export function truncated(nBytes: number, expectedBytes: number, cause?: unknown): DomainError {
  return new DomainError("TRUNCATED", `the body ended after ${nBytes} of ${expectedBytes} bytes`, { cause });
}
