import type { S3Client } from "@aws-sdk/client-s3";
import { DomainError } from "@parfocal/errors";
import { assertKey, MAX_KEY_BYTES } from "../key.ts";
import type { ResolvedStoreOptions } from "../store-options.ts";
import { type RetryWorld, retry } from "./retry.ts";
import { classifyS3Error } from "./s3-error.ts";

/** What the operations of one store share. */
export interface S3Context {
  readonly client: S3Client;
  /** For bodies that are read as slowly as their consumers like: they hold sockets that nothing else waits for. */
  readonly streamClient: S3Client;
  readonly bucket: string;
  /** Empty, or a key prefix that ends in `/`. */
  readonly keyPrefix: string;
  readonly options: ResolvedStoreOptions;
  readonly world: RetryWorld;
}

/** Tries an idempotent operation as often as the options allow; errors come out as `DomainError`s. */
export function retried<T>(
  { options, world }: S3Context,
  signal: AbortSignal | undefined,
  work: (attempt: number) => Promise<T>,
): Promise<T> {
  const { maxAttempts, retryBaseMs } = options;
  return retry({ maxAttempts, baseMs: retryBaseMs, world, signal, classify: classifyS3Error }, work);
}

/** The SDK's options of one request. */
export function requestOptions(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}

/**
 * The bucket and key that address an object.
 *
 * @throws {DomainError} INVALID_ARGUMENT when the key breaks the rules or is too long with the store's prefix.
 */
export function addressOf({ bucket, keyPrefix }: S3Context, key: string): { Bucket: string; Key: string } {
  assertKey(key);
  const nBytes = Buffer.byteLength(keyPrefix + key);
  if (nBytes > MAX_KEY_BYTES) {
    throw new DomainError("INVALID_ARGUMENT", `prefix and key have ${nBytes} bytes, the bound is ${MAX_KEY_BYTES}`);
  }
  return { Bucket: bucket, Key: keyPrefix + key };
}
