import { setTimeout } from "node:timers/promises";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { abortErrorFromSignal, DomainError, orAborted } from "@parfocal/errors";
import { delay } from "../body.ts";
import type { ObjectInfo } from "../object-store.ts";
import { commit, conditionInput, confirmedTag, type Write, writeInput, writtenInfo } from "./commit-write.ts";
import { MAX_PARTS } from "./part-source.ts";
import { requestOptions, retried, type S3Context } from "./s3-context.ts";

/** How long a cancelled put waits for the abort of its upload, which takes a healthy server milliseconds. */
const ABORT_GRACE_MS = 1000;

/** Pauses before an upload is aborted again, ms. */
const ABORT_AGAIN_MS = [250, 1000, 4000];

interface Upload {
  readonly write: Write;
  readonly uploadId: string;
}

/**
 * Writes an object in parts, `maxConcurrency` at a time, each one tried again from its own bytes. On the first failure
 * the others are stopped and waited for, and the upload is aborted: the server keeps nothing. Who cancels does not wait long
 * for a server that is silent.
 *
 * @param first the parts that are already known; at least two parts follow in all.
 */
export async function uploadParts(
  context: S3Context,
  write: Write,
  first: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): Promise<ObjectInfo> {
  const upload = { write, uploadId: await createUpload(context, write) };
  try {
    const { parts, sizeBytes } = await sendParts(context, upload, chain(first, rest));
    return await completeUpload(context, upload, parts, sizeBytes);
  } catch (error) {
    const aborting = abortUpload(context, upload);
    await (write.options.signal?.aborted ? withinGrace(aborting) : aborting);
    throw error;
  }
}

async function createUpload(context: S3Context, write: Write): Promise<string> {
  // The client adds a CRC-32 to every part and says so nowhere else: servers refuse parts with another checksum than the
  // upload was opened for.
  const checksum = context.options.checksumMode === "when_supported" ? { ChecksumAlgorithm: "CRC32" as const } : {};
  const command = new CreateMultipartUploadCommand({ ...write.address, ...writeInput(write), ...checksum });
  return retried(context, write.options.signal, async () => {
    // Without the signal: what the server opens for a caller who has left must be known, to be aborted.
    const opening = context.client.send(command).then(({ UploadId: uploadId }) => {
      if (uploadId === undefined) throw new DomainError("UNREACHABLE", "the store opened an upload without an id");
      return uploadId;
    });
    try {
      return await orAborted(opening, write.options.signal);
    } catch (error) {
      if (write.options.signal?.aborted) {
        const aborting = opening.then((uploadId) => abortUpload(context, { write, uploadId }));
        await withinGrace(aborting.catch(() => undefined));
      }
      throw error;
    }
  });
}

/** Waits for what goes on by itself, but not long. */
async function withinGrace(work: Promise<void>): Promise<void> {
  const done = new AbortController();
  await Promise.race([work.finally(() => done.abort()), delay(ABORT_GRACE_MS, done.signal).catch(() => undefined)]);
}

/** What the parts of one upload share while they are sent. */
interface Sending {
  readonly parts: CompletedPart[];
  readonly inFlight: Set<Promise<void>>;
  sizeBytes: number;
}

async function sendParts(
  context: S3Context,
  upload: Upload,
  source: AsyncIterator<Uint8Array>,
): Promise<{ parts: CompletedPart[]; sizeBytes: number }> {
  const failure = new AbortController();
  const outer = upload.write.options.signal;
  const signal = outer === undefined ? failure.signal : AbortSignal.any([outer, failure.signal]);
  const sending: Sending = { parts: [], inFlight: new Set(), sizeBytes: 0 };
  try {
    for (;;) {
      const next = await orAborted(source.next(), signal);
      if (next.done === true) break;
      startPart(context, upload, sending, next.value, { signal, onError: (error) => failure.abort(asError(error)) });
      while (sending.inFlight.size >= context.options.maxConcurrency) await Promise.race(sending.inFlight);
    }
  } catch (error) {
    failure.abort(asError(error));
  }
  await Promise.all(sending.inFlight);
  // `reason` is that of the first failure: later calls of `abort` change nothing.
  if (signal.aborted) throw outer?.aborted ? abortErrorFromSignal(outer) : failure.signal.reason;
  return sending;
}

function startPart(
  context: S3Context,
  upload: Upload,
  sending: Sending,
  bytes: Uint8Array,
  { signal, onError }: { signal: AbortSignal; onError: (error: unknown) => void },
): void {
  const partNumber = sending.parts.push({});
  if (partNumber > MAX_PARTS) throw tooManyParts(context.options.partSizeBytes);
  sending.sizeBytes += bytes.length;
  const work = sendPart(context, upload, partNumber, bytes, signal)
    .then((part) => {
      sending.parts[partNumber - 1] = part;
    }, onError)
    .finally(() => sending.inFlight.delete(work));
  sending.inFlight.add(work);
}

/** An abort without a reason gets one of its own: the reason must be what failed. */
function asError(error: unknown): unknown {
  return error ?? new DomainError("INTERNAL", "the body failed without an error");
}

function sendPart(
  context: S3Context,
  { write, uploadId }: Upload,
  partNumber: number,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<CompletedPart> {
  const input = { ...write.address, UploadId: uploadId, PartNumber: partNumber, Body: bytes };
  return retried(context, signal, async () => {
    const output = await context.client.send(new UploadPartCommand(input), requestOptions(signal));
    return {
      PartNumber: partNumber,
      ETag: confirmedTag(output.ETag),
      // Whichever checksum the client added must be repeated when the upload is completed.
      ChecksumCRC32: output.ChecksumCRC32,
      ChecksumCRC32C: output.ChecksumCRC32C,
      ChecksumCRC64NVME: output.ChecksumCRC64NVME,
      ChecksumSHA1: output.ChecksumSHA1,
      ChecksumSHA256: output.ChecksumSHA256,
    };
  });
}

function completeUpload(
  context: S3Context,
  { write, uploadId }: Upload,
  parts: readonly CompletedPart[],
  sizeBytes: number,
): Promise<ObjectInfo> {
  const command = new CompleteMultipartUploadCommand({
    ...write.address,
    ...conditionInput(write),
    UploadId: uploadId,
    MultipartUpload: { Parts: [...parts] },
  });
  return commit(context, write, async () => {
    const output = await context.client.send(command, requestOptions(write.options.signal));
    return writtenInfo(write.key, output.ETag, sizeBytes);
  });
}

/**
 * Best effort. A part that was cut off on its way may reach its place after the abort, and stays there with the upload, so S3's manual
 * asks to abort again: that happens later, and nobody waits for it.
 */
async function abortUpload(context: S3Context, upload: Upload): Promise<void> {
  if (await abortOnce(context, upload)) void abortAgain(context, upload);
}

/** Until the server knows no such upload any more, or is not to be reached. */
async function abortAgain(context: S3Context, upload: Upload): Promise<void> {
  for (const pauseMs of ABORT_AGAIN_MS) {
    await setTimeout(pauseMs, undefined, { ref: false });
    if (!(await abortOnce(context, upload))) return;
  }
}

/** Whether the server had the upload. Without the caller's signal: the usual reason for an abort is that this signal fired. */
async function abortOnce(context: S3Context, { write, uploadId }: Upload): Promise<boolean> {
  const signal = AbortSignal.timeout(context.options.idleTimeoutMs);
  const command = new AbortMultipartUploadCommand({ ...write.address, UploadId: uploadId });
  try {
    await retried(context, signal, () => context.client.send(command, requestOptions(signal)));
    return true;
  } catch {
    // The failure that led here is the one to report; a lifecycle rule of the bucket removes what stays.
    return false;
  }
}

async function* chain(first: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

function tooManyParts(partSizeBytes: number): DomainError {
  const maxBytes = MAX_PARTS * partSizeBytes;
  return new DomainError(
    "RESOURCE_EXHAUSTED",
    `the stream is longer than ${maxBytes} bytes, the bound of ${MAX_PARTS} parts of ${partSizeBytes} bytes`,
  );
}
