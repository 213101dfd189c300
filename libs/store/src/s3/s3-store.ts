import { DomainError } from "@parfocal/errors";
import { assertKey } from "../key.ts";
import type { ObjectStore } from "../object-store.ts";
import { resolveStoreOptions, type StoreOptions } from "../store-options.ts";
import { deleteObject } from "./delete-object.ts";
import { getObject, headObject } from "./get-object.ts";
import { listObjects } from "./list-objects.ts";
import { presignObject } from "./presign-object.ts";
import { putObject } from "./put-object.ts";
import { type RetryWorld, realWorld } from "./retry.ts";
import { createS3Client } from "./s3-client.ts";
import type { S3Context } from "./s3-context.ts";
import { classifyS3Error } from "./s3-error.ts";
import { streamObject } from "./stream-object.ts";

/**
 * A store in a bucket of an S3-compatible server. Times of written objects are this machine's clock; `head` and `list`
 * give the server's.
 *
 * @throws {DomainError} INVALID_ARGUMENT when `uri` is no `s3://bucket[/prefix]` or an option is out of bounds.
 */
export function createS3Store(uri: string, options: StoreOptions, world: RetryWorld = realWorld): ObjectStore {
  const resolved = resolveStoreOptions(options);
  const { bucket, prefix } = parseS3Uri(uri);
  const nStreamSockets = Math.floor(resolved.maxSockets / 2);
  const client = createS3Client(resolved, resolved.checksumMode, resolved.maxSockets - nStreamSockets);
  const streamClient = createS3Client(resolved, resolved.checksumMode, nStreamSockets);
  const presignClient = createS3Client(resolved, "when_required", 1);
  const keyPrefix = prefix === "" ? "" : `${prefix}/`;
  const context: S3Context = { client, streamClient, bucket, keyPrefix, options: resolved, world };
  return {
    rootUri: prefix === "" ? `s3://${bucket}` : `s3://${bucket}/${prefix}`,
    get: async (key, getOptions = {}) => getObject(context, key, getOptions),
    getStream: async (key, getOptions = {}) => streamObject(context, key, getOptions),
    put: async (key, body, putOptions = {}) => putObject(context, key, body, putOptions),
    head: async (key, headOptions = {}) => headObject(context, key, headOptions),
    list: async (keyStart, listOptions = {}) => listObjects(context, keyStart, listOptions),
    delete: async (key, { signal } = {}) => deleteObject(context, key, signal),
    presign: async (key, method, expiresInS) => {
      try {
        return await presignObject(context, presignClient, key, method, expiresInS);
      } catch (error) {
        throw classifyS3Error(error).error;
      }
    },
    close: () => {
      client.destroy();
      streamClient.destroy();
      presignClient.destroy();
    },
  };
}

function parseS3Uri(uri: string): { bucket: string; prefix: string } {
  const parts = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/s.exec(uri);
  const bucket = parts?.[1];
  if (bucket === undefined) {
    throw new DomainError("INVALID_ARGUMENT", "an S3 store is s3://bucket[/prefix], the bucket 3 to 63 of a-z 0-9 . -");
  }
  const prefix = (parts?.[2] ?? "").replace(/\/$/, "");
  if (prefix !== "") assertKey(prefix);
  return { bucket, prefix };
}
