import { randomBytes } from "node:crypto";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import type { PutBody } from "../body.ts";
import { assertPutOptions } from "../conditions.ts";
import type { ObjectInfo, PutOptions } from "../object-store.ts";
import { commit, conditionInput, type Write, writeInput, writtenInfo } from "./commit-write.ts";
import { contentDigestMetadata } from "./content-digest.ts";
import { uploadParts } from "./multipart.ts";
import { partSizeFor, partsOfBody } from "./part-source.ts";
import { addressOf, requestOptions, type S3Context } from "./s3-context.ts";

/** Writes an object: in one request when it fits into one part, else as a multipart upload. */
export async function putObject(
  context: S3Context,
  key: string,
  body: PutBody,
  options: PutOptions,
): Promise<ObjectInfo> {
  assertPutOptions(options);
  const write = { address: addressOf(context, key), key, options, writeId: randomBytes(12).toString("hex") };
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const parts = partsOfBody(body, partSizeFor(body, context.options.partSizeBytes), signal);
  try {
    const first = await parts.next();
    const second = first.done ? first : await parts.next();
    const bytes = first.done ? new Uint8Array(0) : first.value;
    if (second.done) return await putWhole(context, write, bytes);
    return await uploadParts(context, write, [bytes, second.value], parts);
  } finally {
    // A source that is silent just now would hold the return.
    stop.abort();
    await parts.return(undefined);
  }
}

function putWhole(context: S3Context, write: Write, bytes: Uint8Array): Promise<ObjectInfo> {
  const named = writeInput(write, contentDigestMetadata(bytes));
  const input = { ...write.address, Body: bytes, ...named, ...conditionInput(write) };
  return commit(context, write, async () => {
    const output = await context.client.send(new PutObjectCommand(input), requestOptions(write.options.signal));
    return writtenInfo(write.key, output.ETag, bytes.length);
  });
}
