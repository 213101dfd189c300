import type { Readable } from "node:stream";
import { GetObjectCommand, type GetObjectCommandOutput, HeadObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { DomainError } from "@parfocal/errors";
import { versionChanged } from "../conditions.ts";
import type { ByteRange, CallOptions, GetOptions, ObjectBytes, ObjectInfo } from "../object-store.ts";
import { assertRange, rangeBeyondEnd, resolveRange } from "../range.ts";
import { assertContentDigest } from "./content-digest.ts";
import { readableOf, readBodyInto } from "./read-body.ts";
import { addressOf, requestOptions, retried, type S3Context } from "./s3-context.ts";
import { statusOf } from "./s3-error.ts";

/** An answer whose body has not been read. */
export interface OpenBody {
  readonly info: ObjectInfo;
  /** The bytes that the body holds. */
  readonly range: ByteRange;
  readonly body: Readable;
  /** What the write said of the object. */
  readonly metadata: Readonly<Record<string, string>> | undefined;
}

/** Reads an object or a range of it into memory; a body that breaks is asked for again. */
export async function getObject(context: S3Context, key: string, options: GetOptions): Promise<ObjectBytes> {
  if (isEmptyRange(options.range)) return { ...(await headForRange(context, key, options)), bytes: new Uint8Array(0) };
  return retried(context, options.signal, async () => {
    const { info, range, body, metadata } = await openBody(context, context.client, key, options);
    const bytes = new Uint8Array(range.end - range.start);
    await readBodyInto(body, bytes, options.signal);
    if (bytes.length === info.sizeBytes) assertContentDigest(metadata, bytes);
    return { ...info, bytes };
  });
}

/** What the server knows of the object. */
export function headObject(context: S3Context, key: string, { signal }: CallOptions): Promise<ObjectInfo> {
  const address = addressOf(context, key);
  return retried(context, signal, async () => {
    return (await sendHead(context, key, address, signal)).info;
  });
}

/**
 * One try of a HEAD.
 *
 * @throws {DomainError} FORBIDDEN for a 400: the request is as plain as can be, and a HEAD cannot say what is wrong with it.
 */
export async function sendHead(
  { client }: S3Context,
  key: string,
  address: { readonly Bucket: string; readonly Key: string },
  signal: AbortSignal | undefined,
): Promise<{ readonly info: ObjectInfo; readonly metadata: Readonly<Record<string, string>> | undefined }> {
  try {
    const output = await client.send(new HeadObjectCommand(address), requestOptions(signal));
    return { info: infoFrom(key, output, sizeOf(output)), metadata: output.Metadata };
  } catch (cause) {
    if (statusOf(cause) !== 400) throw cause;
    throw new DomainError("FORBIDDEN", "the store refused the request: credentials or region", { cause });
  }
}

/** Whether a range asks for nothing, which HTTP cannot say. */
export function isEmptyRange(range: ByteRange | undefined): boolean {
  if (range !== undefined) assertRange(range);
  return range !== undefined && range.start === range.end;
}

/** What a read of an empty range finds: the object's info, with range and version checked. */
export async function headForRange(context: S3Context, key: string, options: GetOptions): Promise<ObjectInfo> {
  const info = await headObject(context, key, options);
  if (options.ifMatch !== undefined && options.ifMatch !== info.etag) throw versionChanged(options.ifMatch, info.etag);
  resolveRange(options.range, info.sizeBytes);
  return info;
}

/** One try: sends the request and checks that the answer is about the bytes, and the version, that were asked for. */
export async function openBody(
  context: S3Context,
  client: S3Client,
  key: string,
  options: GetOptions,
): Promise<OpenBody> {
  const { range, ifMatch, signal } = options;
  const command = new GetObjectCommand({
    ...addressOf(context, key),
    ...(range === undefined ? {} : { Range: `bytes=${range.start}-${range.end - 1}` }),
    ...(ifMatch === undefined ? {} : { IfMatch: ifMatch }),
  });
  const output = await sendGet(context, client, key, command, options);
  const body = readableOf(output.Body);
  try {
    const given = rangeOf(output, range);
    const info = infoFrom(key, output, given.sizeBytes);
    // Some servers ignore the condition of a read.
    if (ifMatch !== undefined && ifMatch !== info.etag) throw versionChanged(ifMatch, info.etag);
    signal?.throwIfAborted();
    return { info, range: given, body, metadata: output.Metadata };
  } catch (error) {
    body.on("error", () => {});
    body.destroy();
    throw error;
  }
}

async function sendGet(
  context: S3Context,
  client: S3Client,
  key: string,
  command: GetObjectCommand,
  options: GetOptions,
) {
  try {
    return await client.send(command, requestOptions(options.signal));
  } catch (error) {
    const status = statusOf(error);
    if (status === 412 && options.ifMatch !== undefined) throw versionChanged(options.ifMatch, "another", error);
    if (status !== 416 || options.range === undefined) throw error;
    const { sizeBytes } = await headObject(context, key, options);
    throw rangeBeyondEnd(options.range, sizeBytes);
  }
}

/** The range and the object's size, from the answer. Servers shorten a range that ends beyond the object: we refuse. */
function rangeOf(output: GetObjectCommandOutput, asked: ByteRange | undefined): ByteRange & { sizeBytes: number } {
  const parts = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(output.ContentRange ?? "");
  if (parts === null) {
    if (output.$metadata.httpStatusCode === 206) {
      throw new DomainError(
        "UNSUPPORTED_OPERATION",
        "the server does not say which range of the object it answered with",
      );
    }
    const nBytes = sizeOf(output);
    if (asked !== undefined && !(asked.start === 0 && asked.end === nBytes)) {
      if (asked.end > nBytes) throw rangeBeyondEnd(asked, nBytes);
      throw new DomainError("UNSUPPORTED_OPERATION", "the server ignores ranges: it answered with the whole object");
    }
    return { start: 0, end: nBytes, sizeBytes: nBytes };
  }
  const [start, last, sizeBytes] = parts.slice(1).map(Number) as [number, number, number];
  if (asked !== undefined && asked.end > sizeBytes) throw rangeBeyondEnd(asked, sizeBytes);
  if (asked !== undefined && (start !== asked.start || last + 1 !== asked.end)) {
    throw new DomainError("CORRUPT", `asked for [${asked.start}, ${asked.end}), got [${start}, ${last + 1})`);
  }
  return { start, end: last + 1, sizeBytes };
}

function sizeOf({ ContentLength: nBytes }: { readonly ContentLength?: number | undefined }): number {
  if (nBytes !== undefined) return nBytes;
  throw new DomainError("UNSUPPORTED_OPERATION", "the store gave no size of the object");
}

/**
 * The port's view of an answer's headers.
 *
 * @throws {DomainError} UNSUPPORTED_OPERATION when there is no tag: nothing could be pinned to the version.
 */
function infoFrom(
  key: string,
  output: { readonly ETag?: string | undefined; readonly LastModified?: Date | undefined },
  sizeBytes: number,
): ObjectInfo {
  if (!isTag(output.ETag)) throw new DomainError("UNSUPPORTED_OPERATION", "the store gave no version of the object");
  return { key, sizeBytes, etag: output.ETag, lastModifiedMs: output.LastModified?.getTime() ?? 0 };
}

/** Whether a tag says anything: one that is absent or empty is the same for every version. */
export function isTag(etag: string | undefined): etag is string {
  return etag !== undefined && etag !== "" && etag !== '""';
}
