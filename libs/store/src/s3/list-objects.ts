import { type _Object, ListObjectsV2Command, type ListObjectsV2CommandOutput } from "@aws-sdk/client-s3";
import { DomainError, isDomainError } from "@parfocal/errors";
import { pageSizeFromOptions } from "../conditions.ts";
import { assertKey, assertPrefix } from "../key.ts";
import type { ListOptions, ListPage, ObjectInfo } from "../object-store.ts";
import { requestOptions, retried, type S3Context } from "./s3-context.ts";

/**
 * One page of a listing. Keys that the port cannot address (folder markers such as `a/`, made by other tools) are left
 * out, so a page may be shorter than asked for.
 *
 * @throws {DomainError} UNREACHABLE when the answer does not say whether more follows and where: taken for the last page, it would
 *   hide objects.
 */
export async function listObjects(context: S3Context, prefix: string, options: ListOptions): Promise<ListPage> {
  assertPrefix(prefix);
  const command = new ListObjectsV2Command({
    Bucket: context.bucket,
    Prefix: context.keyPrefix + prefix,
    MaxKeys: pageSizeFromOptions(options),
    ...(options.pageToken === undefined ? {} : { ContinuationToken: options.pageToken }),
  });
  return retried(context, options.signal, async () => {
    const output = await context.client.send(command, requestOptions(options.signal));
    const objects = (output.Contents ?? []).flatMap((entry) => infoFromEntry(context, entry));
    const token = nextTokenOf(output, options.pageToken);
    return token === undefined ? { objects } : { objects, nextPageToken: token };
  });
}

function nextTokenOf(
  { IsTruncated: isTruncated, NextContinuationToken: token }: ListObjectsV2CommandOutput,
  current: string | undefined,
): string | undefined {
  if (isTruncated === false) return undefined;
  if (isTruncated === undefined) throw new DomainError("UNREACHABLE", "the store's answer is no listing");
  if (token !== undefined && token !== "" && token !== current) return token;
  throw new DomainError("UNREACHABLE", "the store's listing goes on and does not say where");
}

function infoFromEntry({ keyPrefix }: S3Context, entry: _Object): ObjectInfo[] {
  const key = entry.Key?.slice(keyPrefix.length) ?? "";
  if (!isAddressable(key)) return [];
  const lastModifiedMs = entry.LastModified?.getTime() ?? 0;
  return [{ key, sizeBytes: entry.Size ?? 0, etag: entry.ETag ?? "", lastModifiedMs }];
}

function isAddressable(key: string): boolean {
  try {
    assertKey(key);
    return true;
  } catch (error) {
    if (isDomainError(error)) return false;
    throw error;
  }
}
