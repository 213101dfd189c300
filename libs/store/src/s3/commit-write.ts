import type { PutObjectCommandInput } from "@aws-sdk/client-s3";
import { DomainError, isDomainError } from "@parfocal/errors";
import { objectExists, versionChanged } from "../conditions.ts";
import type { ObjectInfo, PutOptions } from "../object-store.ts";
import { isTag, sendHead } from "./get-object.ts";
import { retried, type S3Context } from "./s3-context.ts";
import { statusOf } from "./s3-error.ts";

/**
 * The metadata entry that names one write. When the answer to a conditional write is lost and the next try finds its
 * condition broken, the entry tells whether the object there is that very write.
 */
const WRITE_ID = "parfocal-write";

/** One write, over all its tries. */
export interface Write {
  readonly address: { readonly Bucket: string; readonly Key: string };
  readonly key: string;
  readonly options: PutOptions;
  readonly writeId: string;
}

/** The headers that a write adds: type, name and what else is known of the object. */
export function writeInput(
  { options, writeId }: Write,
  metadata: Readonly<Record<string, string>> = {},
): Partial<PutObjectCommandInput> {
  return {
    Metadata: { ...metadata, [WRITE_ID]: writeId },
    ...(options.contentType === undefined ? {} : { ContentType: options.contentType }),
  };
}

/** The headers of a write's condition. */
export function conditionInput({ options }: Write): { IfNoneMatch?: string; IfMatch?: string } {
  return {
    ...(options.ifNoneMatch === undefined ? {} : { IfNoneMatch: options.ifNoneMatch }),
    ...(options.ifMatch === undefined ? {} : { IfMatch: options.ifMatch }),
  };
}

/**
 * Runs the request that makes a write visible. A try after a lost answer may find that the write is already there. A refusal is not
 * believed before the object was looked at: a server may refuse for a write of somebody else that it then drops, and a caller who
 * believed it would point at an object that is not there.
 *
 * @param send one try; gives the object's info.
 */
export function commit(context: S3Context, write: Write, send: () => Promise<ObjectInfo>): Promise<ObjectInfo> {
  return retried(context, write.options.signal, async () => {
    try {
      return await send();
    } catch (error) {
      if (!isSettled(error)) throw conditionError(write.options, error);
      const found = await findObject(context, write);
      if (found?.writeId === write.writeId) return found.info;
      throw holds(write.options, error, found) ? refusedWithoutReason(error) : conditionError(write.options, error);
    }
  });
}

/** Answers to a write carry no time: the caller's clock stands in for the server's. */
export function writtenInfo(key: string, etag: string | undefined, sizeBytes: number): ObjectInfo {
  return { key, sizeBytes, etag: confirmedTag(etag), lastModifiedMs: Date.now() };
}

/**
 * The tag by which a server says that it has what was written.
 *
 * @throws {DomainError} UNREACHABLE, which is worth another try, when there is none: the answer is of something on the way.
 */
export function confirmedTag(etag: string | undefined): string {
  if (isTag(etag)) return etag;
  throw new DomainError("UNREACHABLE", "the store did not confirm the write: its answer has no version");
}

/** 412: the condition is broken. 404: there is no object to match, or the finished upload is gone. */
function isSettled(error: unknown): boolean {
  const status = statusOf(error);
  return status === 412 || status === 404;
}

/** The object that is there now, and the write that made it. */
interface FoundObject {
  readonly info: ObjectInfo;
  readonly writeId: string | undefined;
}

async function findObject(context: S3Context, write: Write): Promise<FoundObject | undefined> {
  try {
    const { info, metadata } = await sendHead(context, write.key, write.address, write.options.signal);
    return { info, writeId: metadata?.[WRITE_ID] };
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/** Whether the condition of a write that was refused for it holds after all. */
function holds({ ifNoneMatch, ifMatch }: PutOptions, error: unknown, found: FoundObject | undefined): boolean {
  if (statusOf(error) !== 412) return false;
  return (ifNoneMatch === "*" && found === undefined) || (ifMatch !== undefined && found?.info.etag === ifMatch);
}

function refusedWithoutReason(cause: unknown): DomainError {
  return new DomainError("THROTTLED", "the store refused a write whose condition holds", { cause });
}

function conditionError(options: PutOptions, error: unknown): unknown {
  if (isDomainError(error)) return error;
  const status = statusOf(error);
  if (options.ifNoneMatch === "*" && status === 412) return objectExists(error);
  // Replacing what is not there: S3 says 404, the port says that the version is another one.
  if (options.ifMatch !== undefined && status === 404 && nameOf(error) === "NoSuchKey") {
    return versionChanged(options.ifMatch, undefined, error);
  }
  if (options.ifMatch !== undefined && status === 412) return versionChanged(options.ifMatch, "another", error);
  if (status === 412) return new DomainError("PRECONDITION_FAILED", "the store refused an unconditional write: 412");
  return error;
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "";
}
