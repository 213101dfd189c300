import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { gatewayV1 } from "@parfocal/protocol";
import { UsageError } from "../exit-codes.ts";
import type { GatewayClients } from "./clients.ts";
import { CHUNK_BYTES } from "./upload-file.ts";

/** What {@link uploadCheckpoint} needs beside the path. */
interface UploadCheckpointOptions {
  /** `projects/{project}`. */
  readonly parent: string;
  readonly signal: AbortSignal;
  /** Told of every piece that was handed over, and of how many bytes there are. */
  readonly onBytes: (bytes: number, totalBytes: number) => void;
}

/**
 * Streams a checkpoint to the gateway; gives the name under which `ImportModel` takes it.
 *
 * @throws {UsageError} for a path that is no file. @throws {DomainError} whatever the gateway refuses the upload with.
 */
export async function uploadCheckpoint(
  { models }: GatewayClients,
  path: string,
  options: UploadCheckpointOptions,
): Promise<string> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isFile() !== true) throw new UsageError(`there is no file ${path}`);
  const { upload } = await models.uploadCheckpoint(piecesOf(path, info.size, options), { signal: options.signal });
  return upload;
}

async function* piecesOf(
  path: string,
  totalBytes: number,
  { parent, onBytes }: UploadCheckpointOptions,
): AsyncIterable<gatewayV1.UploadCheckpointRequest> {
  yield { piece: { $case: "header", value: { parent, sizeBytes: BigInt(totalBytes) } } };
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>) {
    yield { piece: { $case: "chunk", value: chunk } };
    onBytes(chunk.length, totalBytes);
  }
}
